"""What a request adds to an event's match keys, where the moment of the event counts."""

import json

import pytest

from conversion_relay.event import Event, UserData
from conversion_relay.intake.accept import Acceptance, Policy, Submission, accept
from conversion_relay.intake.request_facts import RequestFacts

NOW = 1_700_000_000.25
DAY = 86_400
PAGE = "https://shop.example/course?fbclid=AbC"


def fbc(event_time: object, facts: RequestFacts, sender="backend", **given) -> str:
    event = Event(event_name="Lead", event_time=event_time, user_data=UserData(email="jane@example.org"), **given)
    submission = Submission(event=event, sender=sender)
    answer = accept(submission, facts, Policy(dataset="1"), now=NOW, entropy=bytes(10))
    assert isinstance(answer, Acceptance), answer
    return json.loads(answer.event.body)["user_data"]["fbc"]


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
        assert fbc(late, facts, sender, event_id=event_id, **given) == f"fb.1.{click}.AbC", late


def test_what_the_browser_says_of_its_click_stays_as_it_is():
    known = RequestFacts(fbc="fb.1.1700000000100.AbC", url=PAGE)
    assert fbc(int(NOW) - DAY, known) == "fb.1.1700000000100.AbC"
