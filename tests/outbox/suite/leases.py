"""Leasing by itself: who may settle what. A store with leases that last for one invocation passes this too."""

import pytest

from conversion_relay.errors import LeaseLost
from conversion_relay.outbox import Leases
from conversion_relay.outbox.verdict import Dead, Delivered, RetryAt
from tests.outbox.suite.backend import NOW, Backend, claim, sealed, settle_all


class LeasesSuite(Backend):
    @pytest.fixture
    def three(self, outbox):
        """An outbox in which a, b and c wait."""
        self.put(outbox, [sealed("a"), sealed("b"), sealed("c")])
        return outbox

    def test_it_gives_leases(self, outbox):
        assert isinstance(outbox, Leases)

    def test_a_claimed_event_is_given_to_nobody_else(self, outbox):
        self.put(outbox, [sealed("a"), sealed("b"), sealed("c")])
        first, second = claim(outbox, limit=2), claim(outbox, limit=2)
        ids = [event.event_id for lease in (first, second) for event in lease.events]
        assert sorted(ids) == ["a", "b", "c"]
        assert outbox.claim("1", 10, 60, NOW) is None

    def test_a_claim_holds_one_dataset_only(self, outbox):
        self.put(outbox, [sealed("a"), sealed("b", dataset="2")])
        assert [event.event_id for event in claim(outbox, dataset="2").events] == ["b"]
        assert outbox.waiting(NOW).keys() == {"1"}

    def test_a_lease_is_settled_once(self, outbox):
        self.put(outbox, [sealed("a")])
        lease = claim(outbox)
        settle_all(outbox, lease, Delivered())
        with pytest.raises(LeaseLost):
            settle_all(outbox, lease, Dead("again"))

    def test_a_stale_token_settles_none_of_its_events(self, outbox):
        self.put(outbox, [sealed("a"), sealed("b")])
        lease = claim(outbox)
        outbox.settle(lease, [(Delivered(), [lease.events[1]])], None, NOW)
        with pytest.raises(LeaseLost):
            settle_all(outbox, lease, Dead("all"))
        outbox.settle(lease, [(Delivered(), [lease.events[0]])], None, NOW)  # it was still held by this lease

    def test_nothing_is_claimed_where_nothing_waits(self, outbox):
        assert outbox.claim("1", 10, 60, NOW) is None and outbox.waiting(NOW) == {}

    def test_a_claim_takes_at_most_its_limit(self, three):
        assert [len(claim(three, limit=2).events) for _ in range(2)] == [2, 1]
        assert three.waiting(NOW) == {}

    def test_events_of_one_lease_may_get_their_verdicts_one_after_the_other(self, three):
        lease = claim(three)
        verdicts = [Delivered(), Dead("meta_100"), RetryAt(NOW + 60, "short_count")]
        for event, verdict in zip(lease.events, verdicts, strict=True):
            three.settle(lease, [(verdict, [event])], None, NOW)
        with pytest.raises(LeaseLost):
            three.settle(lease, [(Delivered(), [lease.events[2]])], None, NOW)

    def test_a_lease_cannot_settle_what_another_one_holds(self, three):
        mine, theirs = claim(three, limit=1), claim(three, limit=2)
        with pytest.raises(LeaseLost):
            three.settle(mine, [(Delivered(), [theirs.events[0]])], None, NOW)
        with pytest.raises(LeaseLost):
            three.settle(mine, [(Delivered(), [mine.events[0]]), (Delivered(), [theirs.events[0]])], None, NOW)
        settle_all(three, theirs, Delivered())
        settle_all(three, mine, Delivered())

    def test_what_is_left_of_a_released_lease_is_claimed_as_if_nothing_had_happened(self, three):
        lease = claim(three)
        three.settle(lease, [(Delivered(), [lease.events[1]])], None, NOW)
        three.release(lease)
        assert three.waiting(NOW) == {"1": 0.0}
        again = claim(three)
        assert {(event.event_id, event.attempts, event.sent_at) for event in again.events} == {
            ("a", 0, None),
            ("c", 0, None),
        }

    def test_a_released_lease_settles_nothing_and_cannot_be_extended(self, three):
        lease = claim(three)
        three.release(lease)
        with pytest.raises(LeaseLost):
            settle_all(three, lease, Delivered())
        with pytest.raises(LeaseLost):
            three.extend(lease, 60)
        three.release(lease)  # once more changes nothing
        assert len(claim(three).events) == 3

    def test_a_lease_with_nothing_left_cannot_be_extended(self, three):
        lease = claim(three)
        three.extend(lease, 60)
        settle_all(three, lease, Delivered())
        with pytest.raises(LeaseLost):
            three.extend(lease, 60)

    def test_nothing_is_revoked_while_nobody_takes_anything_back(self, three):
        assert three.revoked(claim(three).events) == frozenset() == three.revoked([])

    def test_two_leases_have_two_tokens(self, three):
        assert len({claim(three, limit=1).token for _ in range(3)}) == 3
