"""What a program says of the visitor in other words than ours: heard, or told at the call."""

import ipaddress

import pytest

from conversion_relay import CustomData, Event, InvalidEvent, Relay, RequestFacts, UserData
from tests.asgi import run

JANE = UserData(email="jane@shop.example")


@pytest.fixture
def relay(tmp_path):
    settings = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    with Relay.from_env(settings) as relay:
        yield relay


@pytest.mark.parametrize("said", ["Denied", " DENIED ", False], ids=range(3))
def test_a_no_that_is_spelled_otherwise_is_a_no(relay, said):
    """It was no answer, so the event went to Meta; and a visit that was kept with it was never read again, so that
    the payment's notice failed each time."""
    lead = Event(event_name="Lead", user_data=JANE)
    assert relay.track(lead, RequestFacts(consent=said)).status == "withheld"
    assert not relay.remember("17", RequestFacts(client_ip_address="198.51.100.7"), said)
    assert not relay.remember("18", RequestFacts(consent=said))
    assert relay.seal(lead, RequestFacts(consent=said)).reason == "consent_denied"
    for key in ("17", "18"):
        assert relay.track(lead, relay.facts_of(key)).status == "withheld"


@pytest.mark.parametrize("said", ["Granted", True], ids=range(2))
def test_a_yes_that_is_spelled_otherwise_is_a_yes(relay, said):
    assert relay.remember("17", RequestFacts(), said)
    assert relay.facts_of("17").consent == "granted"


@pytest.mark.parametrize("said", ["no", 1, "", ["denied"]], ids=range(4))
def test_a_word_that_is_neither_is_told_at_the_call(relay, said):
    lead = Event(event_name="Lead", user_data=JANE)
    calls = (
        lambda: relay.track(lead, RequestFacts(consent=said)),
        lambda: relay.track_many([lead], RequestFacts(consent=said)),
        lambda: relay.remember("17", RequestFacts(), said),
        lambda: relay.remember("17", RequestFacts(consent=said)),
    )
    for call in calls:
        with pytest.raises(InvalidEvent, match="consent: send one of granted, denied"):
            call()
    assert relay.facts_of("17") is None


@pytest.mark.parametrize(("given", "is_signal"), [("1", True), (None, False), ("0", False), (1, True)], ids=range(4))
def test_the_signal_may_be_the_header_as_it_came(relay, given, is_signal):
    """A visit that was kept with it was never read again."""
    assert relay.remember("17", RequestFacts(gpc=given))
    assert relay.facts_of("17").gpc is is_signal


def test_an_order_that_nobody_was_remembered_for_is_tracked(relay):
    paid = Event(event_name="Lead", user_data=JANE)
    assert relay.track(paid, relay.facts_of("by-telephone")).status == "accepted"
    assert run(relay.track_async(paid, relay.facts_of("by-telephone"))).status == "accepted"
    assert relay.track_many([paid], None)[0].status == "accepted"


@pytest.mark.parametrize("key", ["", " ", "None", "undefined"])
def test_no_visitor_stands_behind_all_orders_that_have_no_id_yet(relay, key):
    with pytest.raises(ValueError, match="where an order has no id"):
        relay.remember(key, RequestFacts(client_ip_address="198.51.100.7"))
    assert relay.facts_of(key) is None


def test_facts_of_other_types_are_told_by_their_member(relay):
    facts = RequestFacts(client_ip_address=ipaddress.ip_address("198.51.100.7"))
    with pytest.raises(TypeError, match=r"client_ip_address is a text or None, not IPv4Address; give it as str"):
        relay.track(Event(event_name="Lead", user_data=JANE), facts)


def test_an_orders_number_is_a_key(relay):
    facts = RequestFacts(client_ip_address="198.51.100.7")
    assert relay.remember(17, facts)
    assert relay.facts_of("17") == relay.facts_of(17) == facts
    paid = Event(event_name="Purchase", event_id=17, user_data=JANE, custom_data=CustomData(order_id=17))
    assert relay.facts_for(paid) == facts


class TestOfARequest:
    def test_a_traceback_with_its_variables_shows_no_person(self):
        headers = {"Referer": "https://shop.example/thanks?email=jane@shop.example", "User-Agent": "Mozilla/5.0"}
        facts = RequestFacts.from_headers(headers, "198.51.100.7")
        assert repr(facts) == "RequestFacts(client_ip_address, client_user_agent, url)"

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            (lambda: RequestFacts.from_headers([(b"User-Agent", b"x")]), r"RequestFacts\.from_asgi\(scope\)"),
            (lambda: RequestFacts.from_headers({}, "10.0.0.1", ["10.0.0.0/8"]), "networks, not texts"),
            (lambda: RequestFacts.from_wsgi({}, "10.0.0.0/8"), "networks, not texts"),
            (lambda: RequestFacts.from_asgi({}, ["10.0.0.0/8"]), "networks, not texts"),
            (lambda: RequestFacts.from_asgi(object()), r"request\.scope, not object"),
            (lambda: RequestFacts.from_wsgi(object()), r"request\.environ .*, not object"),
        ],
        ids=range(6),
    )
    def test_a_wrong_type_is_told_at_the_call(self, call, said):
        with pytest.raises(TypeError, match=said):
            call()
