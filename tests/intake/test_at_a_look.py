"""The quick way of the door comes to what the careful one comes to, event by event; and most events take it."""

import json
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversion_relay.event import Event, Rejection, UserData
from conversion_relay.intake import accept as door
from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.at_a_look import at_a_look
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from tests.canary import DISGUISES
from tests.hostile_texts import UNITS
from tests.intake.test_free_form import ANY, WHOLE
from tests.meta.customer_information.test_quick import COMMON, TEXTS

NOW = 1_795_435_200.0
CLICK = "IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk"
CLICKS = [f"fb.1.1554763741205.{CLICK}", f"fb.1.1554763741205.{CLICK}.AQ"]
AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "Mozilla/5.0 (Linux; Android 16; SM-A556B Build/AP2A.240905.003) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 [FBAN/FBIOS;FBDV/iPhone13,2;FBSV/16.6;FBLC/en_US]",
    *("call hash(agent) of the browser", "a browser (at) example (dot) com", "joe at polka dot com and more words"),
    *("Mozilla/5.0 (compatible) 0049301234567 ok", "Mozilla/5.0 wa.me/4930123456 and so on", "Mozilla/5.0 (  at) x"),
    *("Mozilla/5.0 tel:4930123456 and more of it", " Mozilla/5.0 (X11; Linux x86_64) Gecko ", "null", "-"),
]
IDS = [
    *(
        "ev-0000000001",
        "ord_42",
        "registration_0049301234567",
        "0049301234567",
        "a.me/1",
        "wa.me4930123456",
        " ",
        "x y",
    ),
    *("undefined", "NULL", "purchase_None", "order-", "lead-nan", "-", "{{Order ID}}", "none", "nullptr", "x_none_1"),
    *("contact_joe@example.com_1", "a\nb", "{uuid}", "é", "1:2", "ord-00 49 30", "\ud83d", "purchase_001", "a\x7f"),
]
NAMES = [
    *(
        "quiz_done",
        "Quiz finished",
        "Überblick (2 Tage)",
        "AppendValue",
        "x" * 50,
        "x" * 51,
        "",
        " ",
        "a\nb",
        "a\u200b",
    ),
    *("joe@example.com", "joe (at) example (dot) com", "0049301234567", "+49 30 1234567", "wa.me/4930123456", "\ud83d"),
]
URLS = [
    "https://shop.example/courses/course-230?utm_source=fb",
    f"https://shop.example/c?utm_source=fb&utm_campaign=spring-sale_2&fbclid={CLICK}#top",
    *("https://shop.example/?page=2&utm_source=", "https://shop.example/thanks?email=joe%40example.com&utm_source=fb"),
    *("https://shop.example/0049301234567", "https://u:p@shop.example/", "https://shop.example/thanks/joe@example.com"),
    *(
        "https://wa.me/4930123456",
        "http://shop.example",
        "https://shop.example//a",
        "https://shop.example/a;b?utm_id=1",
    ),
    *("https://shop.example/?utm_term=0049301234567", "https://shop.example/\nhttps://b.example/", "no url", "", "a.b"),
    *("https://shop.example/?utm_id=1&utm_id=2", "https://shop.example:443/a", "https://shop.example/?utm_id=1&amp=2"),
    # What goes anyway is still told of.
    *("https://shop.example/#/0049301234567", "https://shop.example/a#WA.ME/4930123456"),
    *("https://shop.example/?utm_source=a&utm_medium", "https://SHOP.example/%20?utm_source=a+b", "\ud83d"),
]
ODD = st.sampled_from(UNITS + DISGUISES) | st.text(max_size=12)


def some(known: list[str]) -> st.SearchStrategy[str]:
    """Common texts, hard ones, and both with something odd in them."""
    cut = st.tuples(st.sampled_from(known), st.integers(0, 80), ODD).map(lambda x: x[0][: x[1]] + x[2] + x[0][x[1] :])
    return st.sampled_from(known) | cut | ODD


def key(name: str) -> st.SearchStrategy:
    meta = {
        "email": "em",
        "phone": "ph",
        "first_name": "fn",
        "last_name": "ln",
        "city": "ct",
        "state": "st",
        "zip": "zp",
    }
    common = st.sampled_from(COMMON[meta.get(name, name)])
    return common | common | TEXTS | st.lists(TEXTS, max_size=2) | st.just("a" * 64) | st.integers(0, 10**12)


PEOPLE = st.fixed_dictionaries(
    {},
    optional={
        **{name: key(name) for name in ("em", "ph", "fn", "ln", "ct", "st", "zp", "country", "external_id")},
        **{name: key(name) for name in ("email", "phone", "first_name", "state", "zip")},
        "client_ip_address": st.sampled_from(COMMON["client_ip_address"]) | TEXTS,
        "client_user_agent": some(AGENTS),
        "fbc": st.sampled_from([*COMMON["fbc"], f"fb.1.1554763741205.{CLICK}", f"fb.1.1554763741205.{CLICK}.AQ"])
        | TEXTS,
        "fbp": st.sampled_from(COMMON["fbp"]) | TEXTS,
        "ge": TEXTS,
        "lead_id": st.just("1234567890123456") | TEXTS,
        "subscription_id": TEXTS,
    },
)
EVERYBODY = st.fixed_dictionaries({name: st.sampled_from(texts) for name, texts in COMMON.items() if name != "ge"})
EVENTS = st.fixed_dictionaries(
    {"event_name": st.sampled_from(["Lead", "Purchase", "ViewContent"]) | some(NAMES)},
    optional={
        "user_data": PEOPLE | EVERYBODY,
        "event_time": st.integers(int(NOW) - 8 * 86_400, int(NOW) + 400)
        | st.sampled_from([NOW, int(NOW), int(NOW) - 7 * 86_400 + 3_600, int(NOW) - 7 * 86_400 + 3_601, "x", 0]),
        "event_id": some(IDS),
        "action_source": st.sampled_from(["website", "email", "app", "physical_store"]),
        "event_source_url": some(URLS),
        "referrer_url": some(URLS),
        "custom_data": WHOLE | ANY,
        "consent": st.sampled_from(["granted", "denied"]),
        "gpc": st.booleans(),
        "data_processing_options": st.sampled_from([[], ["LDU"]]),
        "opt_out": st.booleans(),
        "messaging_channel": st.just("whatsapp"),
    },
)
FACTS = st.just(NO_FACTS) | st.builds(
    RequestFacts,
    client_ip_address=st.none() | st.sampled_from(COMMON["client_ip_address"]) | TEXTS,
    client_user_agent=st.none() | some(AGENTS),
    fbp=st.none() | TEXTS,
    fbc=st.none() | st.sampled_from(COMMON["fbc"]) | TEXTS,
    url=st.none() | some(URLS),
    referrer=st.none() | some(URLS),
    gpc=st.booleans(),
    consent=st.sampled_from([None, "granted"]),
)
POLICIES = st.builds(
    Policy,
    dataset=st.just("1"),
    default_country=st.sampled_from([None, "us", "DE"]),
    variants=st.booleans(),
    gpc=st.sampled_from(["limited_data_use", "withhold", "ignore"]),
    silence=st.sampled_from(["send", "withhold"]),
)
POLICY = Policy(dataset="1")
PLAIN = Event(
    event_name="ViewContent",
    event_id="ev-0000000001",
    event_time=int(NOW),
    event_source_url=URLS[0],
    user_data=UserData(**{name: texts[0] for name, texts in COMMON.items() if name != "ge"}),
    custom_data={"value": 5, "currency": "USD", "contents": [{"id": "a", "quantity": 1}]},
)


def event_of(members: dict) -> Event:
    return Event(**members | {"user_data": UserData(**members.get("user_data", {}))})


def answer(event: Event, facts: RequestFacts, policy: Policy, sender: str) -> object:
    given = accept(Submission(event=event, sender=sender), facts, policy, now=NOW, entropy=bytes(10))
    if isinstance(given, Rejection):
        return given
    sealed = given.event
    named = sealed.dataset, sealed.event_name, sealed.event_id, sealed.event_time, sealed.expires_at, sealed.consent
    return json.loads(sealed.body), named, given.dropped, given.removed


def both(event: Event, facts: RequestFacts = NO_FACTS, policy: Policy = POLICY, sender: str = "backend"):
    before = repr(event.user_data), str(event.custom_data)
    quick = answer(event, facts, policy, sender)
    with mock.patch.object(door, "at_a_look", return_value=None):
        careful = answer(event, facts, policy, sender)
    assert (repr(event.user_data), str(event.custom_data)) == before
    return quick, careful


@settings(max_examples=200)
@given(EVENTS.map(event_of), FACTS, POLICIES, st.sampled_from(["backend", "browser"]))
@example(PLAIN, NO_FACTS, Policy(dataset="1"), "backend")
def test_the_quick_way_answers_what_the_careful_one_does(event, facts, policy, sender):
    quick, careful = both(event, facts, policy, sender)
    assert quick == careful


def with_(**members) -> Event:
    return Event(**{name: getattr(PLAIN, name) for name in PLAIN.__struct_fields__} | members)


@settings(max_examples=150)
@given(st.data())
def test_so_it_does_where_one_member_of_a_common_event_is_odd(data):
    name = data.draw(st.sampled_from(["user_data", "event_id", "event_source_url", "referrer_url", "custom_data"]))
    value = data.draw({
        "user_data": st.tuples(EVERYBODY, PEOPLE).map(lambda both: UserData(**both[0] | dict([*both[1].items()][:1]))),
        "event_id": some(IDS), "event_source_url": some(URLS), "referrer_url": some(URLS), "custom_data": WHOLE | ANY,
    }[name])  # fmt: skip
    quick, careful = both(with_(**{name: value}))
    assert quick == careful


@pytest.mark.parametrize(
    "members",
    [
        {},
        *({"event_name": name} for name in NAMES),
        *({"event_id": text} for text in IDS),
        *({"event_source_url": url, "referrer_url": url} for url in URLS),
    ]
    + [{"user_data": UserData(em="joe@example.com", client_user_agent=agent)} for agent in AGENTS]
    + [{"user_data": UserData(client_user_agent=AGENTS[0], **keys)} for keys in ({}, {"ct": "Berlin"}, {"ge": "f"})]
    + [{"user_data": UserData(em="joe@example.com", email="ann@example.com")}, {"user_data": UserData(em="", ph=1)}]
    + [{"custom_data": custom} for custom in (None, {}, {"value": -1, "currency": "USD"}, {"value": 1e301})]
    + [{"custom_data": {"value": 1, "currency": "usd"}}, {"custom_data": {"contents": [{"id": ""}]}}]
    + [{"custom_data": {"content_name": "a course"}}, {"event_time": int(NOW) - 8 * 86_400}]
    + [{"custom_data": {"value": value, "currency": "USD"}} for value in ("12.50", "12", "1,000", "", None, [5], "-1")]
    + [{"custom_data": {"value": "12.50", "currency": "USD", "contents": [{"price": "1", "id": 5}]}}]
    + [{"opt_out": wish} for wish in (False, True, 0, "")]
    + [{"data_processing_options": options} for options in ([], (), ["LDU"])]
    + [{"data_processing_options": [], "opt_out": False, "data_processing_options_country": 0}]
    + [
        {"user_data": UserData(em="a@b.co", country=named, st="California", zp="94103")}
        for named in (["DE", "US"], [], ["GB"])
    ]
    + [
        {"user_data": UserData(em="a@b.co", external_id=ids)}
        for ids in (["a-1", "b-2", "a-1"], ["a-1", None], ["x"] * 9)
    ]
    + [{"user_data": UserData(em=["a@b.co", "B@b.co "], fn=["Ann", "Ünal"], ph=["+1 650 555 1212", "0"])}],
)
@pytest.mark.parametrize("name", ["Lead", "Purchase"])
@pytest.mark.parametrize("country", [None, "us"])
def test_so_it_does_with_every_shape_that_is_known_to_be_hard(name, members, country):
    quick, careful = both(with_(**{"event_name": name} | members), policy=Policy(dataset="1", default_country=country))
    assert quick == careful


GPC = RequestFacts(gpc=True)


@pytest.mark.parametrize(
    ("members", "facts", "policy", "sender"),
    [
        ({"gpc": True}, NO_FACTS, POLICY, "backend"),
        ({}, GPC, POLICY, "browser"),
        ({}, GPC, Policy(dataset="1", gpc="withhold"), "backend"),
        ({}, NO_FACTS, Policy(dataset="1", silence="withhold"), "backend"),
        ({"consent": "denied"}, NO_FACTS, POLICY, "backend"),
        ({}, RequestFacts(consent="denied"), POLICY, "browser"),
        ({"event_name": "Purchase"}, NO_FACTS, POLICY, "browser"),
        ({}, NO_FACTS, Policy(dataset="1", public_event_names=frozenset({"Lead"})), "browser"),
        ({}, NO_FACTS, Policy(dataset="1", max_value=4), "browser"),
    ],
)
def test_who_may_send_and_what_the_visitor_said_is_asked_on_both_ways(members, facts, policy, sender):
    quick, careful = both(with_(**members), facts, policy, sender)
    assert quick == careful != both(with_())[0]


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"event_source_url": URLS[1], "referrer_url": URLS[0]},
        {"user_data": UserData(email="joe@example.com", first_name="Jürgen", last_name="Łukasz", state="Bayern")},
        {"user_data": UserData(em=["a" * 64], db="19870319", client_user_agent=AGENTS[3])},
        {"custom_data": {"content_name": "Töpfern (2 Tage): A/B", "plan": "gold", "value": 5, "currency": "eur"}},
        {"custom_data": None},
        {"custom_data": {"value": "12.50", "currency": "EUR"}, "data_processing_options": [], "opt_out": False},
        {"user_data": UserData(em="joe@example.com", external_id=["a-1", "b-2"])},
    ],
)
def test_what_most_events_hold_is_known_at_a_look(members):
    both(with_(**members))  # names of one's own are known from the second time on
    assert at_a_look(with_(**members), NO_FACTS, None, NOW, is_browser=False) is not None
