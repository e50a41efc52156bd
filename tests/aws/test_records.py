"""The records of one invocation keep the promises of a lease, as every store with leases does."""

import pytest

from conversion_relay.aws.records import Records, Waiting
from conversion_relay.outbox import LeasedEvent
from conversion_relay.outbox.verdict import Dead, Delivered, RetryAt
from tests.outbox.suite import NOW, REFUSED, Backend, claim, sealed
from tests.outbox.suite.leases import LeasesSuite


def key(event_id: str, dataset: str = "1") -> tuple[str, str, str]:
    return dataset, "Lead", event_id


def leased(event) -> LeasedEvent:
    times = (event.event_time, event.expires_at)
    return LeasedEvent(0, event.event_name, event.event_id, *times, 0, None, True, event.body, event.consent)


class RecordsBackend(Backend):
    def open(self, place) -> Records:
        return Records()

    def put(self, outbox, events) -> None:
        for event in events:
            outbox.add(key(event.event_id, event.dataset), leased(event), "ours")


class TestRecords(RecordsBackend, LeasesSuite):
    """What is promised of every lease."""

    def test_copies_of_an_event_are_claimed_once_and_share_its_fate(self, outbox):
        self.put(outbox, [sealed("a"), sealed("b"), sealed("a")])
        lease = claim(outbox)
        assert [event.event_id for event in lease.events] == ["a", "b"]
        outbox.settle(lease, [(Dead("meta_100"), [lease.events[0]])], REFUSED, NOW)
        assert outbox.fate(key("a")) == Dead("meta_100") and outbox.answer(key("a")) == REFUSED
        assert outbox.fate(key("b")) == Waiting() and outbox.answer(key("b")) is None

    @pytest.mark.parametrize(("known", "fate"), [("sent", Delivered()), ("elsewhere", Waiting())])
    def test_what_meta_has_and_what_another_invocation_sends_is_not_claimed(self, outbox, known, fate):
        outbox.add(key("a"), leased(sealed("a")), known)
        assert outbox.waiting(NOW) == {} and outbox.claim("1", 10, 60, NOW) is None
        assert outbox.fate(key("a")) == fate

    def test_what_must_wait_is_not_tried_again_by_the_same_invocation(self, outbox):
        self.put(outbox, [sealed("a")])
        lease = claim(outbox)
        outbox.settle(lease, [(RetryAt(NOW, "short_count"), [lease.events[0]])], REFUSED, NOW)
        assert outbox.claim("1", 10, 60, NOW + 60) is None
        assert outbox.fate(key("a")) == RetryAt(NOW, "short_count")

    def test_the_last_answer_of_metas_is_the_one_that_is_told(self, outbox):
        self.put(outbox, [sealed("a"), sealed("b")])
        lease = claim(outbox)
        outbox.settle(lease, [(Delivered(), [lease.events[0]])], None, NOW)
        outbox.settle(lease, [(Dead("meta_100"), [lease.events[1]])], REFUSED, NOW)
        assert (outbox.answer(key("a")), outbox.answer(key("b"))) == (None, REFUSED)

    def test_a_settlement_that_is_refused_changes_no_fate(self, outbox):
        self.put(outbox, [sealed("a"), sealed("b")])
        mine, theirs = claim(outbox, limit=1), claim(outbox, limit=1)
        with pytest.raises(Exception, match="nothing was settled"):
            outbox.settle(mine, [(Delivered(), [mine.events[0]]), (Delivered(), [theirs.events[0]])], REFUSED, NOW)
        assert outbox.fate(key("a")) == outbox.fate(key("b")) == Waiting()
        assert outbox.answer(key("a")) is None
