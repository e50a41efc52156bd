"""Leasing over time: leases that run out, clocks that are set, and what waits until it is due. For stores with an
operator's verbs."""

import threading

import pytest

from conversion_relay.errors import LeaseLost
from conversion_relay.outbox.verdict import Dead, Delivered, Hold, Park, RetryAt, Suspect
from tests.outbox.suite.backend import NOW, REFUSED, Backend, claim, sealed, settle_all


class LaterSuite(Backend):
    def test_what_came_between_the_events_of_a_verdict_is_not_theirs(self, outbox):
        self.put(outbox, [sealed("a"), sealed("b", dataset="2"), sealed("c"), sealed("d"), sealed("e")])
        mine, theirs = claim(outbox), claim(outbox, dataset="2")
        a, c, d, e = mine.events
        outbox.settle(mine, [(Delivered(), [a, d]), (RetryAt(NOW + 60, "short_count"), [c, e])], None, NOW)
        assert not outbox.revoked([theirs.events[0]])
        settle_all(outbox, theirs, RetryAt(NOW + 60, "short_count"))
        again = [event for name in "12" for event in claim(outbox, dataset=name, now=NOW + 61).events]
        assert sorted(event.event_id for event in again if event.intact) == ["b", "c", "e"]

    def test_many_claimers_at_once_get_each_event_once(self, outbox):
        outbox.put([sealed(str(n)) for n in range(500)], NOW)
        seen: list[str] = []

        def work() -> None:
            while lease := outbox.claim("1", 7, 60, NOW):
                seen.extend(event.event_id for event in lease.events)

        threads = [threading.Thread(target=work) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert len(seen) == 500 == len(set(seen))

    def test_a_lease_that_ran_out_is_claimed_again_and_its_owner_can_settle_nothing(self, outbox):
        outbox.put([sealed("a")], NOW)
        stale = claim(outbox)
        self.pass_time(61)
        assert outbox.waiting(NOW) == {"1": 0.0}
        fresh = claim(outbox)
        with pytest.raises(LeaseLost):
            settle_all(outbox, stale, Dead("late"))
        settle_all(outbox, fresh, Delivered())
        assert outbox.find("a")[0].state == "delivered"

    def test_an_extended_lease_is_kept(self, outbox):
        outbox.put([sealed("a")], NOW)
        lease = claim(outbox)
        self.pass_time(50)
        outbox.extend(lease, 600)
        self.pass_time(500)
        assert outbox.waiting(NOW) == {}
        settle_all(outbox, lease, Delivered())

    def test_a_wall_clock_that_is_set_neither_ends_a_lease_nor_makes_it_last(self, outbox):
        outbox.put([sealed("a")], NOW)
        lease = claim(outbox)
        assert outbox.waiting(NOW + 8 * 86_400) == {}
        settle_all(outbox, lease, RetryAt(NOW + 60, "short_count"))
        assert outbox.claim("1", 1, 60, NOW) is None
        assert claim(outbox, now=NOW - 8 * 86_400).events[0].event_id == "a", (
            "due 8 days from now: the clock was set back"
        )

    def test_what_a_clock_put_off_that_was_an_hour_ahead_does_not_wait_for_that_hour(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), RetryAt(NOW + 3_600, "http_500"))
        assert claim(outbox, now=NOW + 60).events[0].event_id == "a"

    def test_a_retry_waits_until_it_is_due_and_counts_the_attempt(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), RetryAt(NOW + 30, "short_count"), REFUSED)
        assert outbox.claim("1", 10, 60, NOW + 29) is None
        assert claim(outbox, now=NOW + 30).events[0].attempts == 1

    def test_a_parked_event_waits_for_its_dataset_alone_and_no_attempt_is_counted(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), Park(NOW + 60, "throttled"))
        assert outbox.waiting(NOW) == {"1": 0.0}
        assert claim(outbox).events[0].attempts == 0

    def test_a_released_lease_waits_again_as_if_nothing_had_been_sent(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(Delivered(), [lease.events[0]])], None, NOW)
        outbox.release(lease)
        again = claim(outbox)
        assert [(event.event_id, event.attempts, event.sent_at) for event in again.events] == [("b", 0, None)]
        assert outbox.counts()["1"].imbalance == 0

    def test_what_a_lost_lease_held_may_have_been_sent(self, outbox):
        outbox.put([sealed("a")], NOW)
        claim(outbox)
        self.pass_time(61)
        outbox.waiting(NOW)
        assert claim(outbox, now=NOW + 61).events[0].sent_at == NOW

    def test_since_when_meta_may_have_it_is_remembered_and_it_goes_first(self, outbox):
        outbox.put([sealed("lost"), sealed("lost too")], NOW)
        settle_all(outbox, claim(outbox), Park(NOW + 60, "read_timeout", sent=True))
        outbox.put([sealed("b", expires_in=1_000)], NOW + 10)
        lease = claim(outbox, now=NOW + 3_000)
        assert [event.event_id for event in lease.events] == ["lost", "lost too", "b"]
        settle_all(outbox, lease, Park(NOW + 3_060, "read_timeout", sent=True))
        assert claim(outbox, now=NOW + 4_000).events[0].sent_at == NOW

    def test_a_held_event_waits_for_a_person_or_for_its_deadline(self, outbox):
        outbox.put([sealed("a", expires_in=1_000), sealed("b", expires_in=1_000)], NOW)
        settle_all(outbox, claim(outbox), Hold("ambiguous_late"))
        assert {story.event_id for story in outbox.held()} == {"a", "b"}
        assert outbox.claim("1", 10, 60, NOW + 900) is None and outbox.counts()["1"].pending == 2
        assert outbox.replay(NOW + 900, ["a"]) == 1
        assert [event.event_id for event in claim(outbox, now=NOW + 900).events] == ["a"]
        assert [event.event_id for event in claim(outbox, now=NOW + 1_001).events] == ["b"]
        assert outbox.counts()["1"].imbalance == 0

    def test_suspects_wait_in_a_lane_of_their_own_and_keep_nobody_waiting(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("c")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(Suspect(NOW), [lease.events[0]]), (Suspect(NOW + 60), [lease.events[1]])], REFUSED, NOW)
        outbox.release(lease)
        assert outbox.waiting(NOW) == {"1": 0.0} and outbox.suspects(NOW) == {"1": NOW}
        assert [event.event_id for event in claim(outbox).events] == ["c"]
        assert outbox.waiting(NOW) == {} and outbox.claim("1", 10, 60, NOW + 600) is None
        suspects = outbox.claim_suspects("1", 10, 60, NOW)
        assert [(event.event_id, event.attempts) for event in suspects.events] == [("a", 0)]
        outbox.settle(suspects, [(Delivered(), [suspects.events[0]])], None, NOW)
        assert outbox.suspects(NOW) == {"1": NOW + 60} and outbox.claim_suspects("1", 10, 60, NOW + 59) is None
        assert [event.event_id for event in outbox.claim_suspects("1", 10, 60, NOW + 60).events] == ["b"]
        assert outbox.suspects(NOW) == {} and outbox.counts()["1"].imbalance == 0

    @pytest.mark.parametrize("lost", [True, False])
    def test_a_suspect_of_a_lost_or_released_lease_is_a_suspect_again(self, outbox, lost):
        outbox.put([sealed("a"), sealed("b")], NOW)
        settle_all(outbox, claim(outbox), Suspect(NOW))
        lease = outbox.claim_suspects("1", 10, 60, NOW)
        self.pass_time(61) if lost else outbox.release(lease)
        assert outbox.waiting(NOW) == {} and outbox.suspects(NOW) == {"1": NOW}
        again = outbox.claim_suspects("1", 10, 60, NOW)
        assert [event.sent_at for event in again.events] == [NOW if lost else None] * 2

    def test_a_look_for_suspects_after_the_clock_was_set_back_leaves_them_with_the_others(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), Suspect(NOW))
        back = NOW - 8 * 86_400
        assert outbox.claim_suspects("1", 10, 60, back) is None
        assert outbox.waiting(back) == {"1": 0.0} and outbox.suspects(back) == {}

    def test_a_suspect_of_a_clock_that_was_set_back_is_not_waited_for(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), Suspect(NOW))
        assert claim(outbox, now=NOW - 8 * 86_400).events[0].event_id == "a"

    def test_fresh_events_come_first_and_half_the_places_are_the_backlogs_by_deadline(self, outbox):
        outbox.put([sealed(f"late-{n}", expires_in=1_000 - n) for n in range(10)], NOW)
        later = NOW + 600
        outbox.put([sealed(f"fresh-{n}") for n in range(10)], later)
        ids = [event.event_id for event in claim(outbox, limit=8, now=later).events]
        assert ids == [*(f"fresh-{n}" for n in range(4)), *(f"late-{n}" for n in (9, 8, 7, 6))]
        ids = [event.event_id for event in claim(outbox, limit=8, now=later).events]
        assert ids == [*(f"fresh-{n}" for n in range(4, 8)), *(f"late-{n}" for n in (5, 4, 3, 2))]
        ids = [event.event_id for event in claim(outbox, limit=8, now=later).events]
        assert ids == ["fresh-8", "fresh-9", "late-1", "late-0"]

    def test_a_purchase_does_not_wait_behind_the_page_views_of_its_dataset(self, outbox):
        outbox.put([sealed(f"view-{n}", name="ViewContent", expires_in=1_000 + n) for n in range(20)], NOW)
        outbox.put([sealed("order", name="Purchase"), sealed("trial", name="StartTrial", expires_in=9_000)], NOW)
        later = NOW + 600
        outbox.put([sealed(f"fresh-{n}") for n in range(10)], later)
        assert outbox.counts()["1"].nearest_expiry_at == NOW + 1_000, "the alarm is about all of them"
        lease = claim(outbox, limit=6, now=later)
        assert [event.event_id for event in lease.events[:3]] == [f"fresh-{n}" for n in range(3)]
        assert [event.event_id for event in lease.events[3:]] == ["trial", "order", "view-0"]
        outbox.release(lease)
        assert [event.event_id for event in claim(outbox, limit=1, now=later + 60).events] == ["trial"]

    def test_a_purchase_of_the_backlog_can_be_erased(self, outbox):
        digest = b"ef" * 32
        outbox.put([sealed("order", name="Purchase", body=digest)], NOW)
        settle_all(outbox, claim(outbox), Park(NOW, "throttled"))
        assert outbox.erase([digest.decode()], NOW) == 1
        assert outbox.waiting(NOW) == {}
        assert outbox.counts()["1"].erased == 1 and outbox.counts()["1"].imbalance == 0

    def test_a_second_outbox_of_the_same_store_sees_the_first_ones_events_and_respects_its_lease(self, outbox, place):
        outbox.put([sealed("a"), sealed("b")], NOW)
        neighbour = self.open(place)
        mine, theirs = claim(outbox, limit=1), claim(neighbour)
        assert len(theirs.events) == 1
        assert neighbour.waiting(NOW) == outbox.waiting(NOW) == {}
        settle_all(outbox, mine, Delivered())
        settle_all(neighbour, theirs, Delivered())
        assert outbox.counts() == neighbour.counts()
        neighbour.close()

    def test_a_lease_whose_owner_closed_is_not_prolonged_by_anybody(self, outbox, place):
        neighbour = self.open(place)
        outbox.put([sealed("a")], NOW)
        lease = claim(outbox)
        outbox.close()
        with pytest.raises(LeaseLost):
            neighbour.extend(lease, 600)
        assert neighbour.waiting(NOW) == {"1": 0.0}
        again = claim(neighbour)
        with pytest.raises(LeaseLost):
            neighbour.extend(lease, 600)
        settle_all(neighbour, again, Delivered())
        neighbour.close()

    def test_a_lease_that_another_worker_holds_now_cannot_be_extended(self, outbox):
        outbox.put([sealed("a")], NOW)
        stale = claim(outbox)
        self.pass_time(61)
        assert outbox.waiting(NOW) == {"1": 0.0}
        fresh = claim(outbox)
        with pytest.raises(LeaseLost):
            outbox.extend(stale, 600)
        self.pass_time(61)
        assert outbox.waiting(NOW) == {"1": 0.0}, "the other one's lease is as long as it was"
        with pytest.raises(LeaseLost):
            settle_all(outbox, fresh, Delivered())

    def test_what_a_closed_outbox_had_leased_is_free_for_others(self, outbox, place):
        neighbour = self.open(place)
        outbox.put([sealed("a")], NOW)
        claim(outbox)
        outbox.close()
        assert neighbour.waiting(NOW) == {"1": 0.0}
        assert claim(neighbour).events[0].sent_at == NOW, "nobody said that it was not sent"
        neighbour.close()

    def test_waiting_says_when_the_first_event_of_a_dataset_is_due(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("c", dataset="2")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(RetryAt(NOW + 60, "short_count"), [lease.events[0]])], None, NOW)
        outbox.settle(lease, [(RetryAt(NOW + 30, "short_count"), [lease.events[1]])], None, NOW)
        assert outbox.waiting(NOW) == {"1": NOW + 30, "2": 0.0}
