"""No member costs its event: every optional member with every type of JSON, through the door."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.event import CustomData, Event, EventAsRead, Rejection, UserData
from conversion_relay.intake.accept import Acceptance, Policy, Submission, accept
from conversion_relay.intake.built import checked
from conversion_relay.intake.members import read_members
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import RequestFacts

NOW = 1_795_435_200
POLICY = Policy(dataset="1")
GOOD = {
    "event_name": "Lead",
    "event_time": NOW,
    "action_source": "website",
    "user_data": {"em": "joe@example.com", "client_user_agent": "Mozilla/5.0"},
}
TYPES = [
    None,
    True,
    False,
    0,
    1,
    -1,
    42.0,
    94035.5,
    10**30,
    1e300,
    "",
    " ",
    "x",
    "42",
    "\u0661",
    "[]",
    "{}",
    "[1",
    "null",
]
TYPES += [[], [None], ["x"], [1, 2.0, True], [[]], [{}], {}, {"a": 1}, {"a": {"b": [None]}}, "\ud83d", "x" * 5_000]
STRICT = {"event_name", "event_time", "action_source", "consent", "left_out"}
OPTIONAL = [name for name in EventAsRead.__struct_fields__ if name not in STRICT]


def through(document: object) -> Acceptance | Rejection:
    event = read_event(json.dumps(document).encode())
    if isinstance(event, Rejection):
        return event
    return accept(Submission(event=event), RequestFacts(), POLICY, now=NOW, entropy=bytes(10))


def seen(document: object) -> dict:
    answer = through(document)
    assert isinstance(answer, Acceptance), answer
    return json.loads(answer.event.body)


def short(value: object) -> str:
    return repr(value)[:30]


@pytest.mark.parametrize("member", OPTIONAL)
def test_an_optional_member_of_any_type_never_costs_its_event(member):
    # Without a key that matches somebody there is nothing to send; that is the rule on match keys, not on types. And
    # what can be read may be something that Meta is known to refuse.
    refused = {"unknown_option", "unknown_country_code", "unknown_state_code", "not_printable"}
    for value in TYPES:
        answer = through(GOOD | {member: value})
        if member == "user_data":
            assert isinstance(answer, Rejection) and answer.reason == "too_broad", short(value)
        elif isinstance(answer, Rejection):
            assert answer.reason in refused, (short(value), answer)
        else:
            json.loads(answer.event.body)


@pytest.mark.parametrize("key", [*UserData.__struct_fields__, "phoneNumber", "address", "shoe_size"])
def test_a_match_key_of_any_type_never_costs_its_event(key):
    for value in TYPES:
        sent = seen(GOOD | {"user_data": {"external_id": "7", key: value, "em": "joe@example.com"}})
        assert sent["user_data"]["em"], short(value)


CUSTOM = ["currency", "content_name", "content_category", "content_ids", "content_type", "contents", "order_id"]
CUSTOM += ["num_items", "predicted_ltv", "net_revenue", "search_string", "status", "properties", "my_own"]


@pytest.mark.parametrize("name", CUSTOM)
def test_a_custom_property_of_any_type_never_costs_its_event(name):
    for value in TYPES:
        answer = through(GOOD | {"custom_data": {"value": 1, name: value}})
        if isinstance(answer, Rejection):
            assert answer.reason in {"not_a_currency", "not_an_amount"}, (short(value), answer)
            assert isinstance(value, str | int | float | list), short(value)
            assert name in ("currency", "predicted_ltv", "net_revenue")


@pytest.mark.parametrize("value", [*TYPES, "soon", "2026-11-25T18:39:48"], ids=short)
@pytest.mark.parametrize("member", sorted(STRICT - {"left_out"}))
def test_what_says_what_happened_is_read_or_refused_by_name_and_the_others_are_taken(member, value):
    answer = through(GOOD | {member: value})
    if isinstance(answer, Rejection):
        about_it = (
            "not_a_time",
            "event_time_too_old",
            "wrong_type",
            "missing_field",
            "not_printable",
            "consent_denied",
        )
        assert answer.field == member and answer.reason in about_it and answer.message


@given(
    document=st.recursive(
        st.sampled_from(TYPES), lambda inner: st.dictionaries(st.text(max_size=9), inner), max_leaves=9
    )
)
def test_any_value_at_all_is_an_event_or_a_sentence(document):
    answer = read_members(document)
    assert isinstance(answer, Event) or (answer.reason and answer.field and answer.message)


SENT = "user_data"


@pytest.mark.parametrize(
    ("given_keys", "key", "texts"),
    [
        ({"phone_number": "+16505551212"}, "ph", ["16505551212"]),
        ({"phoneNumber": ["+16505551212", "+16505551213"]}, "ph", ["16505551212", "16505551213"]),
        ({"email_address": "joe@b.example"}, "em", ["joe@b.example"]),
        ({"emailAddress": "joe@b.example", "email": "ann@b.example"}, "em", ["joe@b.example", "ann@b.example"]),
        ({"address": {"first_name": "Mary", "street": "1 Main St"}}, "fn", ["mary"]),
        ({"address": [{"last_name": "Smith"}, {"last_name": "Jones"}]}, "ln", ["smith", "jones"]),
        ({"address": [{"region": "CA", "country": "US"}]}, "st", ["ca"]),
        ({"address": [{"postal_code": "94025", "country": "US"}]}, "zp", ["94025"]),
        ({"firstName": "Mary"}, "fn", ["mary"]),
        ({"Last Name": "Smith"}, "ln", ["smith"]),
        ({"birthday": "2/16/1997"}, "db", ["19970216"]),
        ({"dateOfBirth": "2/16/1997"}, "db", ["19970216"]),
        ({"zipCode": "94025"}, "zp", ["94025"]),
        ({"zip_code": 94025.0}, "zp", ["94025"]),
        ({"country_code": "US"}, "country", ["us"]),
        ({"userId": 42}, "external_id", ["42"]),
        ({"external_id": [42.0, None, "43"]}, "external_id", ["42", "43"]),
    ],
    ids=short,
)
def test_a_key_by_another_programs_name_is_read(given_keys, key, texts):
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    assert (
        seen(GOOD | {"user_data": {"fbp": "fb.1.1596403881668.1116446470"} | given_keys})["user_data"][key] == digests
    )


def test_a_digest_by_ga4s_name_is_a_digest():
    digest = hashlib.sha256(b"joe@b.example").hexdigest()
    sent = seen(GOOD | {"user_data": {"sha256_email_address": digest, "sha256_phone_number": "not hashed"}})
    assert sent["user_data"] == {"em": [digest]}


@pytest.mark.parametrize("name", ["eventName", "EventName", "event-name"])
def test_an_event_in_camel_case_is_the_same(name):
    event = read_members({name: "Lead", "eventId": "a", "userData": {"em": "a@b.example"}, "customData": {"value": 1}})
    assert (event.event_name, event.event_id, event.custom_data) == ("Lead", "a", {"value": 1}) and event.user_data.em


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ({"data_processing_options": "LDU"}, ["LDU"]),
        ({"data_processing_options": '["LDU"]'}, ["LDU"]),
        ({"data_processing_options": {"0": "LDU"}}, ["LDU"]),
        ({"data_processing_options": True}, ["LDU"]),
        ({"data_processing_options": [None, "ldu"]}, ["LDU"]),
        ({"data_processing_options": []}, []),
        ({"data_processing_options": None}, None),
        ({"gpc": "1"}, ["LDU"]),
        ({"gpc": {"a": 1}}, ["LDU"]),
        ({"gpc": "false"}, None),
    ],
    ids=short,
)
def test_a_visitors_wish_is_read_as_the_strictest_that_it_could_mean(said, options):
    assert seen(GOOD | said).get("data_processing_options") == options


@pytest.mark.parametrize(
    ("name", "said", "is_no"),
    [
        ("ad_user_data", "denied", True),
        ("ad_storage", False, True),
        ("consent_state", {"ad_storage": "denied", "analytics_storage": "granted"}, True),
        ("consent_mode", {"default": {"ad_user_data": "DENIED"}}, True),
        ("marketingConsent", "no", True),
        ("consent_given", 0, True),
        ("consent_given", "0", True),
        ("consent_state", {"ad_storage": "granted", "analytics_storage": "denied"}, False),
        ("ad_user_data", "granted", False),
        ("has_consent", True, False),
        ("cookie_consent", None, False),
        *(("consent_granted", False, True), ("gdprConsent", "no", True), ("consent_granted", True, False)),
    ],
)
def test_a_no_by_another_programs_name_is_not_passed_over(name, said, is_no):
    given = {"event_name": "Lead", "user_data": {"em": "joe@example.com"}, name: said}
    answer = read_members(given)
    assert isinstance(answer, Rejection) is is_no
    if is_no:
        assert answer.field == name and "denied" in answer.message


@pytest.mark.parametrize("name", ["concent", "consents", "optout_", "data_processing_option", "dataProcesingOptions"])
def test_a_wish_with_a_letter_wrong_is_not_lost(name):
    answer = through(GOOD | {name: "denied"})
    assert seen_as_wish(answer, name)


def seen_as_wish(answer: Acceptance | Rejection, name: str) -> bool:
    if isinstance(answer, Rejection):
        return answer.field == name and "meant" in answer.message
    return "opt_out" in json.loads(answer.event.body)


@pytest.mark.parametrize(("said", "state"), [("GRANTED", "granted"), (True, "granted"), (False, None), ("no", None)])
def test_consent_is_read_where_it_is_certain_and_else_refused(said, state):
    answer = through(GOOD | {"consent": said})
    if state is None:
        assert isinstance(answer, Rejection) and answer.field == "consent"
    else:
        assert answer.event.consent == state


def test_an_id_that_is_too_long_keeps_its_meaning():
    one, other = (seen(GOOD | {"event_id": "x" * 300 + end})["event_id"] for end in ("a", "b"))
    assert one != other and len(one) == 64 and one == seen(GOOD | {"event_id": "x" * 300 + "a"})["event_id"]
    assert seen(GOOD | {"event_id": 42.0})["event_id"] == "42"


def test_what_is_left_out_is_told_by_path_and_never_by_value():
    answer = through(
        GOOD
        | {"colour": "secret", "evnt_id": "secret", "custom_data": "secret", "event_source_url": ["secret", 1]}
        | {"user_data": {"em": "joe@example.com", "shoe": "secret", "address": {"street": "secret"}, "ph": True}}
    )
    paths = {told.partition(":")[0] for told in answer.dropped}
    assert paths == {
        "colour",
        "evnt_id",
        "custom_data",
        "event_source_url",
        "user_data.shoe",
        "user_data.address.street",
        "ph",
    }
    assert "secret" not in repr(answer.dropped)
    assert "evnt_id: no such member here; is event_id meant?" in answer.dropped


def test_the_number_of_a_dataset_is_not_taken_for_an_answer_of_the_page():
    answer = read_members({"event_name": "Lead", "pixel_id": "1", "pixelId": "1"})
    assert answer.left_out == (("pixel_id", "no such member here"), ("pixelId", "no such member here"))


def test_an_apps_flags_are_put_where_they_belong():
    extinfo = json.dumps(["i2", None, "1.0", "1.0", "13.4.1", *[""] * 4, 320.0, 568, "2", 2, 13, 8, ""])
    app = {"action_source": "app", "advertiser_tracking_enabled": True, "app_data": {"extinfo": extinfo}}
    sent = seen(GOOD | app)["app_data"]
    assert (sent["advertiser_tracking_enabled"], sent["extinfo"][1], sent["extinfo"][9]) == (1, "", 320)


def test_an_event_that_a_program_built_is_read_in_the_same_way():
    event = Event(
        event_name="Lead", event_time="2026-11-25T18:39:48Z", custom_data=CustomData(value=1, properties={"a": 2})
    )
    read = checked(event)
    assert (read.event_time, read.custom_data) == (1_795_631_988, {"value": 1, "a": 2})
    assert checked(read) == read and checked(Event(event_name="Lead")) == Event(event_name="Lead")
    assert isinstance(checked(Event(event_name="Lead", custom_data={"x": object()})), Rejection)
    assert checked(Event(event_name=5)).field == "event_name"


def test_names_that_resemble_a_visitors_wish_are_compared_fifty_times_and_no_more():
    """Each comparison takes long: an event of a thousand such names would hold up everybody's."""
    names = {f"consxxxxxx{n}": 1 for n in range(200)}
    refused = through({"event_name": "Lead"} | names)
    assert isinstance(refused, Rejection) and refused.reason == "too_many_members"
