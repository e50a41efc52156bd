"""The door: what leaves it is Meta's JSON without the person, or a refusal that names the field."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.event import Event, Rejection, SealedEvent, UserData
from conversion_relay.intake.accept import Acceptance, Policy, Submission, accept
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.scrub import scrub_url

NOW = 1_795_435_200.0
POLICY = Policy(dataset="1232612085335834", default_country="us")
VISITOR = RequestFacts(
    client_ip_address="8.8.4.4",
    client_user_agent="Mozilla/5.0 (X11; Linux x86_64)",
    fbp="fb.1.1596403881668.1116446470",
    url="https://shop.example/course?utm_source=fb&email=joe%40example.com",
)
PERSON = UserData(
    email="Canary.Person@Example.org", phone="(650) 555-1212", first_name="Canaria", last_name="Personsson"
)


def seal(event: Event, facts: RequestFacts = VISITOR, policy: Policy = POLICY, sender="backend"):
    answer = accept(Submission(event=event, sender=sender), facts, policy, now=NOW, entropy=bytes(10))
    return answer.event if isinstance(answer, Acceptance) else answer


def wire(event: Event, **how) -> dict:
    sealed = seal(event, **how)
    assert isinstance(sealed, SealedEvent), sealed
    return json.loads(sealed.body)


def test_the_four_events_have_metas_shape():
    for name, custom in (
        ("CompleteRegistration", {"status": True}),
        ("Contact", None),
        ("Purchase", {"value": 299.99, "currency": "usd"}),
        ("ViewContent", {"content_name": "Watercolour"}),
    ):
        sent = wire(Event(event_name=name, user_data=PERSON, custom_data=custom))
        assert sent["event_name"] == name and sent["event_time"] == int(NOW) and sent["action_source"] == "website"
        assert sent["event_source_url"] == "https://shop.example/course?utm_source=fb"
        assert sent["user_data"]["client_user_agent"] == VISITOR.client_user_agent
        assert sent["user_data"]["client_ip_address"] == "8.8.4.4"
        assert sent["user_data"]["fbp"] == VISITOR.fbp
        assert len(sent["user_data"]["em"][0]) == 64
        assert sent["event_id"]


def test_nothing_of_the_person_is_in_the_sealed_event():
    everywhere = Event(
        event_name="Lead",
        event_id="lead_canary.person@example.org_1",
        event_source_url="https://shop.example/thanks/canary.person@example.org?email=canary.person%40example.org",
        referrer_url="https://shop.example/?e=canary.person@example.org",
        user_data=PERSON,
        custom_data={"note": "from canary.person@example.org", "nested": {"canary.person@example.org": 1, "x": [1]}},
    )
    sealed = seal(everywhere)
    text = repr(sealed).lower()
    for canary in ("canary", "personsson", "6505551212", "555-1212"):
        assert canary not in text
    assert json.loads(sealed.body)["custom_data"] == {"nested": {"x": [1]}}


def test_money_is_sent_as_given_and_the_currency_in_capitals():
    custom = wire(Event(event_name="Purchase", user_data=PERSON, custom_data={"value": 12000, "currency": " jpy "}))
    assert custom["custom_data"] == {"value": 12000, "currency": "JPY"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, int(NOW)),
        (NOW - 60, int(NOW) - 60),
        ((NOW - 60) * 1000, int(NOW) - 60),
        (NOW + 200, int(NOW)),
    ],
    ids=["absent", "seconds", "milliseconds", "a clock ahead"],
)
def test_event_time_is_whole_seconds_not_in_the_future(given, expected):
    assert wire(Event(event_name="Lead", user_data=PERSON, event_time=given))["event_time"] == expected


def refusal(**fields) -> Rejection:
    sender = fields.pop("sender", "backend")
    facts = fields.pop("facts", VISITOR)
    refused = seal(Event(**({"event_name": "Lead", "user_data": PERSON} | fields)), facts=facts, sender=sender)
    assert isinstance(refused, Rejection), refused
    return refused


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"event_name": "Purchase", "sender": "browser"}, "needs_api_key", "event_name"),
        ({"consent": "denied"}, "consent_denied", "consent"),
        ({"event_time": float("nan")}, "not_a_time", "event_time"),
        ({"event_time": -5}, "not_a_time", "event_time"),
        ({"event_time": 10**400}, "not_a_time", "event_time"),
        ({"event_time": NOW - 8 * 86_400}, "event_time_too_old", "event_time"),
        ({"event_time": NOW + 86_400}, "event_time_in_the_future", "event_time"),
        ({"event_name": "Purchase"}, "missing_field", "custom_data.value"),
        ({"event_name": "Purchase", "custom_data": {"value": 1}}, "missing_field", "custom_data.currency"),
        ({"custom_data": {"value": "1,00"}}, "not_an_amount", "custom_data.value"),
        ({"custom_data": {"value": True}}, "not_an_amount", "custom_data.value"),
        ({"custom_data": {"value": -1}}, "not_an_amount", "custom_data.value"),
        ({"custom_data": {"currency": "EURO"}}, "not_a_currency", "custom_data.currency"),
        ({"custom_data": {"value": "1_000"}}, "not_an_amount", "custom_data.value"),
        ({"custom_data": {"value": " 12.5 "}}, "not_an_amount", "custom_data.value"),
        ({"event_id": "a\nb"}, "not_printable", "event_id"),
        ({"event_name": "joe@example.com signed up"}, "personal_data", "event_name"),
        ({"event_name": "call +16505551212"}, "personal_data", "event_name"),
        ({"action_source": "joe@example.com"}, "wrong_type", "action_source"),
        (
            {"user_data": UserData(gender="f"), "facts": RequestFacts(client_user_agent="Mozilla/5.0")},
            "too_broad",
            "user_data",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_meta_would_refuse_is_refused_at_the_door(fields, reason, field):
    refused = refusal(**fields)
    assert (refused.reason, refused.field) == (reason, field)
    assert refused.message


@pytest.mark.parametrize("name", [" Purchase", "Purchase\n", "\u00a0Purchase "])
def test_blanks_around_a_name_make_no_other_event_of_it(name):
    bought = Event(event_name=name, user_data=PERSON, custom_data={"value": 5, "currency": "EUR"})
    assert (seal(bought).event_name, seal(bought, sender="browser").reason) == ("Purchase", "needs_api_key")


@pytest.mark.parametrize("custom", [None, {"plan": {"a": "b@c"}}])
@pytest.mark.parametrize("written", ["undefined", "purchase_None", "{{Order ID}}"])
def test_an_id_that_every_visitor_would_share_costs_nobody_their_event(written, custom):
    event = Event(event_name="Lead", event_id=written, user_data=UserData(email="a@example.com"), custom_data=custom)
    one, other = (accept(Submission(event=event), VISITOR, POLICY, now=NOW, entropy=bytes([n] * 10)) for n in range(2))
    assert one.event.event_id != other.event.event_id
    assert [told.partition(":")[0] for told in one.dropped if "id" in told] == ["event_id"]


def test_too_deep_an_object_is_refused_and_does_not_exhaust_the_stack():
    deep: dict = {}
    for _ in range(500):
        deep = {"a": deep}
    assert refusal(custom_data=deep).reason == "too_deep"


def test_a_browser_does_not_choose_its_own_address_and_a_backend_does():
    claimed = Event(event_name="Lead", user_data=UserData(client_ip_address="1.1.1.1", email="a@example.com"))
    assert wire(claimed, sender="browser")["user_data"]["client_ip_address"] == "8.8.4.4"
    assert wire(claimed)["user_data"]["client_ip_address"] == "1.1.1.1"


def test_a_new_click_in_the_url_replaces_the_cookies_and_the_same_click_keeps_them_verbatim():
    cookie = "fb.1.1554763741205.OldClick.AQICAQMC"
    event = Event(event_name="Lead", user_data=PERSON)

    def fbc(url: str) -> str:
        return wire(event, facts=RequestFacts(fbc=cookie, url=url))["user_data"]["fbc"]

    assert fbc("https://shop.example/?fbclid=OldClick") == cookie
    assert fbc("https://shop.example/?fbclid=NewClick") == f"fb.1.{int(NOW * 1000)}.NewClick"
    assert fbc("https://shop.example/?fbclid=bad%20click") == cookie


def test_a_browser_that_asks_not_to_be_tracked_gets_limited_data_use():
    sent = wire(Event(event_name="Lead", user_data=PERSON), facts=RequestFacts(gpc=True))
    assert (sent["data_processing_options"], sent["data_processing_options_country"]) == (["LDU"], 0)


def test_an_url_that_is_none_is_left_out():
    for url in ("javascript:alert(1)", "/relative", "http://", "https://[bad", "https://shop.example/\x00"):
        assert scrub_url(url) is None
    assert scrub_url("https://u:p@shop.example:8443/a#frag") == "https://shop.example:8443/a"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "event_name"),
        (b'{"event_name": ""}', "event_name"),
        (b'{"event_name": 5}', "event_name"),
        (b'{"event_name": "Lead", "concent": "denied"}', "concent"),
        (b'{"event_name": "Lead", "consent": "no"}', "consent"),
        (b'{"event_name": "Lead", "event_time": "yesterday"}', "event_time"),
        (b'{"event_name": "Lead", "action_source": "web"}', "action_source"),
        (b"[" * 100_000, "body"),
        (b'{"event_name": "\xff"}', "event_name"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_wrong_shape_is_told_by_field_and_never_by_value(body, field):
    refused = read_event(body)
    assert isinstance(refused, Rejection) and refused.field == field
    assert "yesterday" not in refused.message and "@" not in refused.message


def test_what_becomes_of_a_silent_visitor_is_the_operators_word():
    silent, granted = (
        Event(event_name="Lead", user_data=PERSON),
        Event(event_name="Lead", user_data=PERSON, consent="granted"),
    )
    limit, withhold = (msgspec.structs.replace(POLICY, silence=word) for word in ("limited_data_use", "withhold"))
    assert "data_processing_options" not in wire(silent)
    assert wire(silent, policy=limit)["data_processing_options"] == ["LDU"]
    assert "data_processing_options" not in wire(granted, policy=limit)
    refused = seal(silent, policy=withhold)
    assert isinstance(refused, Rejection) and (refused.reason, refused.field) == ("consent_missing", "consent")
    assert seal(granted, policy=withhold).consent == "granted" and seal(silent).consent is None


def test_what_the_visitor_said_before_counts_unless_the_event_says_otherwise():
    withhold = msgspec.structs.replace(POLICY, silence="withhold")
    before = RequestFacts(consent="granted")
    assert seal(Event(event_name="Lead", user_data=PERSON), facts=before, policy=withhold).consent == "granted"
    denied = seal(Event(event_name="Lead", user_data=PERSON, consent="denied"), facts=before, policy=withhold)
    assert isinstance(denied, Rejection) and denied.reason == "consent_denied"


@pytest.mark.parametrize("said", [None, "granted"])
def test_the_pages_word_on_gpc_counts_like_the_header(said):
    event = Event(event_name="Lead", user_data=PERSON, gpc=True, consent=said)
    assert wire(event)["data_processing_options"] == ["LDU"]
    assert isinstance(seal(event, policy=msgspec.structs.replace(POLICY, gpc="withhold")), Rejection)
    assert "data_processing_options" not in wire(event, policy=msgspec.structs.replace(POLICY, gpc="ignore"))


def test_what_is_for_the_relay_alone_never_reaches_meta():
    event = Event(event_name="Lead", user_data=PERSON, gpc=False, pixel=True, consent="granted")
    assert wire(event).keys() & {"gpc", "pixel", "consent"} == set()


# Half of a surrogate pair is a str to Python and has no UTF-8.
LETTERS = st.sampled_from("aZ0@.%40:/?=& ü\ud800\udfff\x00") | st.characters()
ODD = st.none() | st.text(LETTERS, max_size=12)
URLS = st.text(LETTERS, max_size=8).map("https://shop.example/?utm_source={}".format) | ODD
IDS = st.text(LETTERS, max_size=8).map("contact_{}@example.com_1".format) | ODD
FREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(LETTERS, max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(LETTERS, max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    event=st.builds(
        Event,
        event_name=st.sampled_from(["Lead", "Purchase", "my own", "\ud800"]),
        user_data=st.builds(UserData, email=st.just("joe@example.com") | ODD, phone=ODD, zip=ODD, fbc=ODD, madid=ODD),
        event_id=IDS,
        event_source_url=URLS,
        referrer_url=URLS,
        event_time=st.sampled_from([None, NOW, NOW * 1000, -1, float("nan"), 10**400]),
        custom_data=st.none() | st.dictionaries(st.sampled_from(["value", "currency", "contents", "own"]), FREE),
        messaging_channel=ODD,
    ),
    facts=st.builds(RequestFacts, client_ip_address=ODD, client_user_agent=ODD, fbp=ODD, url=URLS, referrer=URLS),
)
def test_whatever_a_program_hands_in_is_sealed_or_refused_and_raises_nothing(event, facts):
    answered = accept(Submission(event=event), facts, POLICY, now=NOW, entropy=bytes(10))
    if isinstance(answered, Acceptance):
        assert json.loads(answered.event.body)["event_id"] == answered.event.event_id
    else:
        assert answered.reason and answered.field and answered.message


def test_half_a_surrogate_pair_costs_the_url_and_not_the_event():
    url = "https://shop.example/?utm_source=\ud800"
    assert scrub_url(url) is None
    sent = wire(
        Event(event_name="Lead", user_data=PERSON, event_id="contact_\ud800@example.com_1", event_source_url=url)
    )
    assert "event_source_url" not in sent and "example.com" not in sent["event_id"]


@pytest.mark.parametrize(
    ("given", "facts", "click"),
    [
        ({"event_source_url": "https://shop.example/?fbclid=AbC"}, RequestFacts(), "AbC"),
        ({"referrer_url": "https://shop.example/?fbclid=AbC"}, RequestFacts(), "AbC"),
        ({}, RequestFacts(referrer="https://shop.example/?fbclid=AbC"), "AbC"),
        ({"event_source_url": "https://shop.example/?fbclid=New"}, RequestFacts(fbc="fb.1.1596403881668.Old"), "New"),
        ({"referrer_url": "https://shop.example/?fbclid=Ref"}, RequestFacts(fbc="fb.1.1596403881668.Old"), "Old"),
        ({"referrer_url": "https://shop.example/?fbclid=Ref"}, RequestFacts(fbc="fb.1.1596403881.Old"), "Ref"),
    ],
)
def test_the_newest_click_is_sent(given, facts, click):
    sent = wire(Event(event_name="Lead", user_data=PERSON, **given), facts=facts)
    assert sent["user_data"]["fbc"].split(".")[3] == click
