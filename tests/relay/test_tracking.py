"""track, its awaitable twin, and many at once."""

import asyncio
import pickle
import threading

import pytest

from conversion_relay import CustomData, Event, InvalidEvent, OutboxUnavailable, Relay, RequestFacts, UserData
from conversion_relay.errors import UnsupportedByOutbox
from tests import asgi
from tests.test_relay import LEAD, PERSON, environ, events_of, relay

__all__ = ["environ", "relay"]


def lead(n: int) -> Event:
    return Event(event_name="Lead", event_id=f"lead-{n}", user_data=PERSON)


def test_an_outbox_in_a_file_joins_no_transaction_and_says_which_does(relay):
    with pytest.raises(UnsupportedByOutbox, match="postgresql"):
        relay.track(LEAD, connection=object())
    assert events_of(relay) == []


def test_what_was_awaited_is_in_the_file(relay):
    tracked = asgi.run(relay.track_async(LEAD))
    assert (tracked.event_id, tracked.status, tracked.is_durable) == ("lead-1", "accepted", True)
    assert asgi.run(relay.track_async(LEAD)).status == "duplicate"
    assert events_of(relay) == ["lead-1"]


def test_the_loop_goes_on_while_the_disk_does_not_answer(relay, monkeypatch):
    """Whoever opens the file and whoever commits may wait for seconds; the loop does not."""
    from conversion_relay.outbox import open_outbox
    from conversion_relay.relay import keeping

    may_open = threading.Event()

    def open_slowly(url, **how):
        assert may_open.wait(60)
        return open_outbox(url, **how)

    monkeypatch.setattr(keeping, "open_outbox", open_slowly)

    async def shop() -> str:
        tracking = asyncio.create_task(relay.track_async(LEAD))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not tracking.done()
        may_open.set()  # the loop ran all the while, or this line would never be reached
        return (await tracking).status

    assert asgi.run(shop()) == "accepted"


def test_a_request_that_is_cancelled_loses_no_event(relay):
    """The visitor closed the page while the event was being committed."""
    relay.track(lead(0))

    async def shop() -> None:
        tracking = asyncio.create_task(relay.track_async(LEAD))
        await asyncio.sleep(0)
        tracking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await tracking

    asgi.run(shop())
    relay.track(lead(2))  # the one thread that writes has done the one before by now
    assert "lead-1" in events_of(relay)


def test_one_bad_event_among_many_costs_no_other(relay):
    declined = Event(event_name="Lead", event_id="lead-9", user_data=PERSON, consent="denied")
    nobody = Event(event_name="Lead", event_id="lead-8", user_data=UserData())
    told = relay.track_many([lead(1), nobody, lead(1), declined, lead(2)])
    assert [one.status for one in told] == ["accepted", "refused", "duplicate", "withheld", "accepted"]
    assert told[1].why.startswith("user_data: ") and "@" not in told[1].why
    assert sorted(events_of(relay)) == ["lead-1", "lead-2"]


def test_many_are_many(relay):
    assert {one.status for one in relay.track_many(lead(n) for n in range(2_500))} == {"accepted"}


def test_what_an_order_was_worth_may_be_given_as_it_is(relay):
    relay.remember("1001", RequestFacts(client_user_agent="Mozilla/5.0"))
    bought = Event(
        event_name="Purchase", user_data=PERSON, custom_data=CustomData(value=9.5, currency="EUR", order_id="1001")
    )
    assert relay.facts_for(bought).client_user_agent == "Mozilla/5.0"
    assert relay.track(bought).status == "accepted"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda relay: relay.track("Purchase"), "track takes an Event, not str"),
        (lambda relay: relay.track({"event_name": "Lead"}), "track takes an Event, not dict"),
        (lambda relay: relay.track(LEAD, {"user-agent": "Mozilla/5.0"}), "facts are RequestFacts, not dict"),
        (lambda relay: asgi.run(relay.track_async(None)), "track takes an Event, not NoneType"),
        (pickle.dumps, "a Relay does not travel to another process"),
    ],
    ids=["a name", "a dictionary", "headers", "nothing", "pickle"],
)
def test_a_mistake_in_the_call_is_told_with_its_remedy(relay, call, says):
    with pytest.raises(TypeError, match=says):
        call(relay)


def test_a_closed_relay_says_so(environ):
    relay = Relay.from_env(environ)
    relay.close()
    with pytest.raises(OutboxUnavailable, match="this Relay is closed; make another one"):
        relay.track(LEAD)


def test_a_visitor_who_declined_before_is_withheld_until_they_say_otherwise(relay):
    declined = RequestFacts(client_user_agent="Mozilla/5.0", consent="denied")
    assert relay.track(LEAD, declined).status == "withheld"
    assert relay.remember("1001", declined) is False
    agreed = Event(event_name="Lead", event_id="lead-2", user_data=PERSON, consent="granted")
    assert relay.track(agreed, declined).status == "accepted"


def test_what_is_wrong_with_an_event_is_raised_before_anything_is_kept(relay):
    with pytest.raises(InvalidEvent):
        asgi.run(relay.track_async(Event(event_name="", user_data=PERSON)))
    assert events_of(relay) == []
