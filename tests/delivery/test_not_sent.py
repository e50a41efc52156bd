"""Turns that leave an event unsent: too old, damaged, taken back, or at Meta for too long to be sent again."""

import logging
from email.utils import formatdate

import apsw
import pytest

from conversion_relay.delivery.transport import Response
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import SealedEvent
from conversion_relay.meta.graph import Unreachable
from conversion_relay.settings import Settings
from tests.delivery.standins import NOW, TOKEN, Meta, delivery, drain, error, put, states, taken, wire

DAY = 86_400


def test_what_grew_too_old_while_it_waited_is_expired_unsent(outbox, clock, caplog):
    caplog.set_level(logging.INFO)
    put(outbox, "old", expires_in=10)
    put(outbox, "young")
    clock.now += 11

    def dated(batch):
        answer = taken(batch) if batch else error(100)
        return Response(answer.status, {"date": formatdate(clock.now, usegmt=True)}, answer.body)

    meta = Meta(dated)
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [[], ["young"]], "Meta is asked what time it is, before our clock alone lets an event expire"
    assert (states(outbox, "old"), states(outbox, "young")) == ({"expired": 1}, {"delivered": 1})


def view(event_id: str) -> SealedEvent:
    """A browser's, so that its visitor may take it back."""
    return SealedEvent(
        dataset="1",
        event_name="ViewContent",
        event_id=event_id,
        event_time=int(NOW),
        expires_at=int(NOW) + 600_000,
        body=wire(event_id, "ViewContent"),
    )


def test_what_is_taken_back_or_erased_between_claim_and_call_is_not_sent(outbox, clock, monkeypatch):
    outbox.put([view("a"), view("b"), view("c" * 64), view("d")], NOW)
    claim = outbox.claim

    def claim_and_hear(*arguments):
        lease = claim(*arguments)
        outbox.withdraw("1", ["b"], NOW)
        outbox.erase(["c" * 64], NOW)
        return lease

    monkeypatch.setattr(outbox, "claim", claim_and_hear)
    meta = Meta()
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [["a", "d"]]
    assert states(outbox, "a", "b", "d") == {"delivered": 2, "erased": 1}
    book = outbox.counts()["1"]
    assert (book.erased, book.leased, book.pending, book.imbalance) == (2, 0, 0, 0)


@pytest.mark.parametrize(("verb", "nth"), [("extend", 1), ("settle", 2)])
def test_what_is_taken_back_while_the_outbox_writes_before_a_call_is_not_sent(outbox, clock, monkeypatch, verb, nth):
    """The lease is extended, or what was taken back before is put away: a commit takes its time, and others write."""
    outbox.put([view(i) for i in ("bad", "a", "b", "c")], NOW)
    write, writes = getattr(outbox, verb), []

    def write_and_hear(*arguments):
        write(*arguments)
        writes.append(verb)
        if len(writes) == nth:
            outbox.withdraw("1", ["b"], NOW)

    def names_the_bad_one(ids):
        clock.now += 50
        outbox.withdraw("1", ["c"], NOW)
        text = "The parameter $['data'][0]['custom_data'] is required"
        return error(100, 2804019, error_user_msg=text) if "bad" in ids else taken(ids)

    monkeypatch.setattr(outbox, verb, write_and_hear)
    meta = Meta(names_the_bad_one)
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [["bad", "a", "b", "c"], ["a"]]
    assert states(outbox, "a", "b", "c") == {"delivered": 1, "erased": 2}


def test_what_is_taken_back_during_a_call_that_fails_is_not_sent_again(outbox, clock):
    outbox.put([view("a"), view("b")], NOW)

    def withdrawn_meanwhile(ids):
        outbox.withdraw("1", ["a"], NOW)
        return Unreachable("deadline", sent=True)

    meta = Meta(withdrawn_meanwhile)
    running = delivery(outbox, meta, clock)
    drain(running)
    assert states(outbox, "a", "b") == {"erased": 1, "pending": 1}
    meta.answer = taken
    clock.now += 600
    drain(running)
    assert meta.calls == [["a", "b"], ["b"]] and states(outbox, "b") == {"delivered": 1}


def test_while_the_outbox_cannot_be_read_nothing_is_sent(outbox, clock, monkeypatch, caplog):
    outbox.put([view("a")], NOW)
    revoked, looks = outbox.revoked, []
    meta = Meta()

    def revoked_at_the_third_look(events):
        looks.append(len(meta.calls))
        if len(looks) < 3:
            raise OutboxUnavailable("it is opened anew")
        return revoked(events)

    monkeypatch.setattr(outbox, "revoked", revoked_at_the_third_look)
    monkeypatch.setattr("conversion_relay.delivery.slot.RECORD_AGAIN_EVERY", 0.0)
    drain(delivery(outbox, meta, clock))
    assert looks == [0, 0, 0] and meta.calls == [["a"]]
    assert len([record for record in caplog.records if "Nothing is sent" in record.message]) == 1


def test_what_waited_without_consent_is_forgotten_unsent_once_the_operator_asks_for_it(outbox, clock, caplog):
    granted = SealedEvent(
        dataset="1",
        event_name="Lead",
        event_id="granted",
        event_time=int(NOW),
        expires_at=int(NOW) + 600_000,
        body=wire("granted"),
        consent="granted",
    )
    put(outbox, "silent", "silent too")
    outbox.put([granted], NOW)
    meta = Meta(lambda _: Unreachable("connect", sent=False))
    running = delivery(outbox, meta, clock)
    drain(running)
    environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN, "RELAY_CONSENT": "withhold"}
    running.use(Settings.from_env(environ))
    meta.calls.clear()
    meta.answer = taken
    clock.now += 301
    drain(running)
    assert meta.calls == [["granted"]]
    assert (states(outbox, "silent", "silent too"), outbox.find("silent")[0].reason) == ({"erased": 2}, "withheld")
    assert outbox.counts()["1"].imbalance == 0
    assert "did not agree" in caplog.text


def test_a_body_that_the_disk_changed_is_not_sent_and_said(outbox, clock, caplog, tmp_path):
    put(outbox, "a", "b")
    disk = apsw.Connection(str(tmp_path / "outbox.db"))
    disk.execute("UPDATE body SET body = x'00' WHERE key = 1")
    disk.close()
    meta = Meta()
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [["b"]]
    assert outbox.find("a")[0].reason == "corrupt"
    assert "Error sending Meta Conversions API Lead event" in caplog.text


def late_delivery(outbox, clock, meta):
    """Both events went out, and nothing came back, until Meta has forgotten that it may know them."""
    put(outbox, "p", name="Purchase")
    put(outbox, "l", name="Lead")
    running = delivery(outbox, meta, clock)
    drain(running)
    clock.now += 2 * DAY
    meta.answer = taken
    drain(running)
    return running


def test_a_purchase_that_meta_may_have_for_two_days_is_held_and_everything_else_is_sent_again(outbox, clock, caplog):
    meta = Meta(lambda _: Unreachable("deadline", sent=True))
    running = late_delivery(outbox, clock, meta)
    assert (states(outbox, "p"), states(outbox, "l")) == ({"pending": 1}, {"delivered": 1})
    assert [story.event_id for story in outbox.held()] == ["p"] and outbox.held()[0].reason == "ambiguous_late"
    assert [r.levelname for r in caplog.records if getattr(r, "reason", "") == "ambiguous_late"] == ["ERROR"]
    assert outbox.replay(clock.now, ["p"]) == 1
    clock.now += 1
    drain(running)
    assert states(outbox, "p") == {"delivered": 1}


def test_what_meta_surely_does_not_have_is_not_held_however_late(outbox, clock):
    late_delivery(outbox, clock, Meta(lambda _: error(2, status=500)))
    assert (states(outbox, "p"), states(outbox, "l")) == ({"delivered": 1}, {"delivered": 1})


def test_which_events_are_held_is_a_setting(outbox, clock):
    settings = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN, "RELAY_HOLD_LATE": ""})
    put(outbox, "p", name="Purchase")
    meta = Meta(lambda _: Unreachable("deadline", sent=True))
    running = delivery(outbox, meta, clock, settings)
    drain(running)
    clock.now += 3 * DAY
    meta.answer = taken
    drain(running)
    assert states(outbox, "p") == {"delivered": 1}
