"""What a request adds to an event's match keys, where the moment of the event counts."""

import json

import pytest

from conversion_relay.event import Event, UserData
from conversion_relay.intake.accept import Acceptance, Policy, Submission, accept
from conversion_relay.intake.request_facts import RequestFacts

NOW = 1_700_000_000.25
DAY = 86_400
PAGE = "https://shop.example/course?fbclid=AbC"


PERSON = UserData(email="jane@example.org")


def user_data(facts: RequestFacts, sender="backend", user_data=PERSON, event_time=int(NOW), **given) -> dict:
    event = Event(event_name="Lead", event_time=event_time, user_data=user_data, **given)
    submission = Submission(event=event, sender=sender)
    answer = accept(submission, facts, Policy(dataset="1"), now=NOW, entropy=bytes(10))
    assert isinstance(answer, Acceptance), answer
    return json.loads(answer.event.body)["user_data"]


@pytest.mark.parametrize("event_id", [None, "lead-1"])  # with an id, the door takes its short way
@pytest.mark.parametrize("sender", ["backend", "browser"])
@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ({"event_source_url": PAGE}, RequestFacts()),
        ({"referrer_url": PAGE}, RequestFacts()),
        ({}, RequestFacts(url=PAGE)),
        ({}, RequestFacts(referrer=PAGE)),
    ],
)
def test_a_click_is_never_later_than_the_event_it_led_to(given, facts, sender, event_id):
    for late, click in (
        (int(NOW) - 2 * DAY, 1_700_000_000_000 - 2_000 * DAY),
        (int(NOW) - 60, 1_700_000_000_000 - 60_000),
        (int(NOW), 1_700_000_000_250),
        (None, 1_700_000_000_250),
        ("2023-11-12T22:13:20Z", 1_700_000_000_000 - 2_000 * DAY),
        (int(NOW) + 30, 1_700_000_000_250),
    ):
        sent = user_data(facts, sender, event_time=late, event_id=event_id, **given)
        assert sent["fbc"] == f"fb.1.{click}.AbC", late


def test_what_the_browser_says_of_its_click_stays_as_it_is():
    known = RequestFacts(fbc="fb.1.1700000000100.AbC", url=PAGE)
    assert user_data(known, event_time=int(NOW) - DAY)["fbc"] == "fb.1.1700000000100.AbC"


@pytest.mark.parametrize("sender", ["backend", "browser"])
@pytest.mark.parametrize("event_id", [None, "lead-1"])
@pytest.mark.parametrize("said", ["undefined", "null", "fb.1.1596403881.42", " ", 42])
def test_a_browser_id_that_nobody_can_read_does_not_hide_the_cookies(said, event_id, sender):
    cookie = "fb.1.1596403881668.1116446470.AQEAAQMB"
    person = UserData(email="jane@example.org", fbp=said)
    assert user_data(RequestFacts(fbp=cookie), sender, event_id=event_id, user_data=person)["fbp"] == cookie
    assert "fbp" not in user_data(RequestFacts(), sender, event_id=event_id, user_data=person)
    known = UserData(email="jane@example.org", fbp="fb.1.1700000000000.7")
    assert user_data(RequestFacts(fbp=cookie), sender, event_id=event_id, user_data=known)["fbp"] == known.fbp


@pytest.mark.parametrize("event_id", [None, "lead-1"])
@pytest.mark.parametrize("said", ["undefined", "unknown", "null", "10.0.0.7", "127.0.0.1", "81.2.69.160, 10.0.0.7", 7])
def test_a_word_for_nothing_does_not_hide_address_and_browser(said, event_id):
    facts = RequestFacts(client_ip_address="81.2.69.160", client_user_agent="Mozilla/5.0")
    person = UserData(email="jane@example.org", client_ip_address=said)
    assert user_data(facts, event_id=event_id, user_data=person)["client_ip_address"] == "81.2.69.160"
    if said in ("undefined", "null", 7):
        person = UserData(email="jane@example.org", client_user_agent=said)
        assert user_data(facts, event_id=event_id, user_data=person)["client_user_agent"] == "Mozilla/5.0"
    known = UserData(email="jane@example.org", client_ip_address="8.8.4.4", client_user_agent="Opera/9.80")
    sent = user_data(facts, event_id=event_id, user_data=known)
    assert (sent["client_ip_address"], sent["client_user_agent"]) == ("8.8.4.4", "Opera/9.80")
