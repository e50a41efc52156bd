"""What a store drops when it is old."""

from conversion_relay.outbox import Housekeeping
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.outbox.suite.backend import NOW, REFUSED, Backend, claim, sealed, settle_all


class HousekeepingSuite(Backend):
    def test_it_can_be_tidied_and_pruned(self, outbox):
        assert isinstance(outbox, Housekeeping)
        assert outbox.tidy(NOW) == 0 == outbox.prune(NOW)

    def test_tidying_changes_neither_what_is_claimed_nor_the_books(self, outbox):
        outbox.put([sealed(str(n), expires_in=1_000 - n) for n in range(5)], NOW)
        before = outbox.counts()
        outbox.tidy(NOW + 600)
        assert outbox.counts() == before
        assert [event.event_id for event in claim(outbox, now=NOW + 600).events] == list("43210")

    def test_a_lease_from_before_the_ledger_forgot_settles_nobody_elses_event(self, outbox):
        digest = b"ef" * 32
        outbox.put([sealed("a", body=digest)], NOW)
        lease = claim(outbox)
        outbox.erase([digest.decode()], NOW)
        outbox.prune(NOW + 9 * 86_400)
        outbox.put([sealed("b")], NOW)
        settle_all(outbox, lease, Delivered())
        assert outbox.find("b")[0].state == "pending"

    def test_what_was_erased_while_it_was_leased_is_not_sent_when_the_ledger_has_forgotten_it(self, outbox):
        """A worker slept, or the clock was set by nine days."""
        digest = b"ef" * 32
        outbox.put([sealed("a", body=digest), sealed("b")], NOW)
        lease = claim(outbox)
        outbox.erase([digest.decode()], NOW)
        outbox.prune(NOW + 9 * 86_400)
        assert outbox.find("a") == [] and outbox.revoked(lease.events) == {lease.events[0].key}

    def test_the_ledger_forgets_after_eight_days_and_the_books_do_not(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(Delivered(), [lease.events[0]]), (Dead("x"), [lease.events[1]])], REFUSED, NOW)
        assert outbox.prune(NOW + 7 * 86_400) == 0
        assert outbox.prune(NOW + 9 * 86_400) == 1
        assert outbox.find("a") == [] and outbox.find("b")[0].history == (REFUSED,)
        assert outbox.counts()["1"].delivered == 1 and outbox.counts()["1"].imbalance == 0
