"""A visit is remembered without a person in it, and a stranger overwrites nothing."""

from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.intake.accept import Policy
from conversion_relay.intake.consent import Decision, decision
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.visit import LONGEST_KEY, Visit, keys_of, visit_of

NOW = 1_795_435_200.0
POLICY = Policy(dataset="1")
FBP, FBC = "fb.1.1596403881668.1116446470", "fb.1.1554763741205.OldClick"
FACTS = RequestFacts(
    client_ip_address="8.8.4.4",
    client_user_agent="Mozilla/5.0",
    fbp=FBP,
    fbc=FBC,
    url="https://shop.example/course?email=joe%40example.com&utm_source=fb",
)


def facts(**more) -> RequestFacts:
    return msgspec.structs.replace(FACTS, **more)


def test_a_visit_keeps_what_helps_to_match_and_no_person():
    assert visit_of(FACTS, None, POLICY, NOW) == Visit(
        client_ip_address="8.8.4.4",
        client_user_agent="Mozilla/5.0",
        fbp=FBP,
        fbc=FBC,
        url="https://shop.example/course?utm_source=fb",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_ip_address", "10.0.0.1"),
        ("client_ip_address", "joe@example.com"),
        ("client_user_agent", "a\nb"),
        ("client_user_agent", "bot (joe@example.com)"),
        ("client_user_agent", "x" * 3_000),
        ("fbp", "fb.1"),
        ("fbp", "joe@example.com"),
        ("fbc", "fb.1.1554763741.seconds"),
        ("fbc", "fb.1.1554763741205.joe@example.com"),
        ("url", "javascript:alert(1)"),
    ],
)
def test_what_meta_would_not_take_is_not_remembered(name, value):
    assert getattr(visit_of(facts(**{name: value}), None, POLICY, NOW), name) is None


def test_the_click_gets_the_time_of_the_visit_and_not_of_the_payment():
    clicked = visit_of(facts(url="https://shop.example/?fbclid=NewClick"), None, POLICY, NOW)
    assert clicked.fbc == f"fb.1.{int(NOW * 1000)}.NewClick"
    assert clicked.url == "https://shop.example/?fbclid=NewClick"
    again = visit_of(facts(url="https://shop.example/?fbclid=OldClick"), None, POLICY, NOW)
    assert again.fbc == FBC


@pytest.mark.parametrize(("said", "gpc"), list(product([None, "granted", "denied"], [False, True])))
@pytest.mark.parametrize("policy", ["limited_data_use", "withhold", "ignore"])
@pytest.mark.parametrize("silence", ["send", "limited_data_use", "withhold"])
def test_of_whose_event_would_be_withheld_the_refusal_is_remembered_and_nothing_else(said, gpc, policy, silence):
    door = Policy(dataset="1", gpc=policy, silence=silence)
    visit = visit_of(facts(gpc=gpc), said, door, NOW)
    if decision(said, gpc=gpc, policy=policy) is Decision.WITHHOLD:
        assert visit == Visit(consent="denied", gpc=gpc, for_long=True)
    elif decision(said, gpc=gpc, policy=policy, silence=silence) is Decision.WITHHOLD:
        assert visit is None, "the payment is as silent, and the same policy withholds it"
    else:
        assert (visit.consent, visit.gpc) == (said, gpc), "the event to come is decided by the same words"


REFUSAL = Visit(consent="denied", for_long=True)
AGREED = Visit(fbp="fb.1.1.1", url="https://a.example/", consent="granted", for_long=True)
SILENT = Visit(fbp="fb.1.1.1", url="https://a.example/")


@pytest.mark.parametrize(
    ("visits", "known"),
    [
        ((AGREED, REFUSAL), REFUSAL),
        ((SILENT, REFUSAL), REFUSAL),
        ((REFUSAL, SILENT), REFUSAL),
        ((REFUSAL, AGREED), AGREED),
        ((AGREED, REFUSAL, SILENT), REFUSAL),
        ((AGREED, REFUSAL, AGREED), AGREED),
    ],
)
def test_a_refusal_stands_until_the_visitor_says_yes_and_takes_what_was_kept(visits, known):
    whole = visits[0]
    for later in visits[1:]:
        whole = whole.filled_from(later)
    assert whole == known


VISITS = st.builds(
    Visit,
    client_ip_address=st.sampled_from([None, "8.8.4.4", "1.1.1.1"]),
    client_user_agent=st.sampled_from([None, "A", "B"]),
    fbp=st.sampled_from([None, "fb.1.1.1", "fb.1.2.2"]),
    fbc=st.sampled_from([None, "fb.1.1.A", "fb.1.2.B"]),
    url=st.sampled_from([None, "https://a.example/", "https://b.example/"]),
    consent=st.sampled_from([None, "granted"]),
    gpc=st.booleans(),
    vouched=st.booleans(),
)


UNHEARD = ("for_long", "order_key", "paid_at", "event_name", "event_id", "vouched")


def members(visit: Visit) -> dict:
    return msgspec.structs.asdict(visit)


@given(first=VISITS, later=VISITS)
def test_two_visits_together_know_nothing_that_neither_knew_and_forget_nothing_of_one_browser(first, later):
    both = members(first.filled_from(later))
    is_one = first.fbp == later.fbp or (first.vouched and later.vouched)
    for name, value in both.items():
        known = (members(first)[name], members(later)[name])
        assert value in known and (bool(value) or not any(known) or not is_one)


@given(first=VISITS, later=VISITS)
def test_the_first_stays_but_for_the_same_browser_and_a_backend_s_word(first, later):
    both = members(first.filled_from(later))
    is_same = first.fbp is not None and first.fbp == later.fbp
    stays = later if is_same or (later.vouched and not first.vouched) else first
    for name, value in members(stays).items():
        assert not value or both[name] == value


@given(first=VISITS, later=VISITS, vouched=st.booleans())
def test_a_page_lends_nothing_to_a_browser_that_it_does_not_name(first, later, vouched):
    known = msgspec.structs.replace(first, fbp="fb.1.9.9", vouched=vouched)
    page = msgspec.structs.replace(later, vouched=False)
    assert known.filled_from(page) == msgspec.structs.replace(known, gpc=first.gpc or later.gpc)
    if vouched:
        assert page.filled_from(known) == known.filled_from(page)


@given(visit=VISITS)
def test_a_visit_is_kept_and_read_back_and_heard_as_the_visitors_own_request(visit):
    assert msgspec.json.decode(msgspec.json.encode(visit), type=Visit) == visit
    heard = visit.facts()
    for name, value in members(visit).items():
        assert name in UNHEARD or getattr(heard, name) == value
    assert visit.filled_from(visit) == visit == Visit().filled_from(visit)


@pytest.mark.parametrize(
    ("order_id", "event_id", "keys"),
    [
        ("abc", None, ["abc"]),
        (1001, None, ["1001"]),
        (None, "purchase_abc", ["abc"]),
        (None, "purchase_a_b_c", ["a_b_c"]),
        ("abc", "purchase_abc", ["abc"]),
        ("abc", "purchase_def", ["abc", "def"]),
        ("", "", []),
        (0, "purchase_", []),
        (True, None, []),
        (True, "purchase_abc", ["abc"]),
        (1.5, None, []),
        ([1], "no-underscore", []),
        (None, "_x", ["x"]),
        ("注文-1", None, ["注文-1"]),
        ("x" * LONGEST_KEY, None, ["x" * LONGEST_KEY]),
        ("x" * (LONGEST_KEY + 1), None, []),
    ],
)
def test_a_visit_is_found_by_the_order_and_by_what_the_event_id_names(order_id, event_id, keys):
    assert keys_of(order_id, event_id) == keys
