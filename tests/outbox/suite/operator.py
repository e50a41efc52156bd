"""What an operator sees and undoes, in a store with an index over its events."""

import pytest

from conversion_relay.event import Receipt
from conversion_relay.outbox import Attempt, Operator
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Suspect, Withhold
from tests.outbox.suite.backend import NOW, REFUSED, Backend, claim, sealed, settle_all


class OperatorSuite(Backend):
    def test_it_has_an_operators_verbs(self, outbox):
        assert isinstance(outbox, Operator)

    def test_every_answer_of_metas_is_in_the_story(self, outbox):
        outbox.put([sealed("a")], NOW)
        throttled = Attempt(at=NOW, outcome="throttled", status=400, code=4)
        settle_all(outbox, claim(outbox), Park(NOW, "throttled"), throttled)
        settle_all(outbox, claim(outbox), Dead("meta_100_2804009"), REFUSED)
        (story,) = outbox.find("a")
        assert story.state == "dead" and story.reason == "meta_100_2804009"
        assert story.history == (throttled, REFUSED)

    def test_dead_letters_are_listed_and_can_be_replayed_while_they_are_young(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        settle_all(outbox, claim(outbox), Dead("meta_100"), REFUSED)
        assert {story.event_id for story in outbox.dead()} == {"a", "b"}
        assert outbox.replay(NOW, ["a"]) == 1
        assert claim(outbox).events[0].event_id == "a"
        assert outbox.replay(NOW + 700_000) == 0
        assert outbox.find("a")[0].history == (REFUSED,)

    def test_the_books_balance_through_every_state(self, outbox):
        outbox.put([sealed(str(n)) for n in range(7)], NOW)
        lease = claim(outbox, limit=6)
        verdicts = [Delivered(), Dead("x"), Expired(), RetryAt(NOW + 9, "y"), Park(NOW + 9, "z")]
        outbox.settle(
            lease, [(verdict, [event]) for verdict, event in zip(verdicts, lease.events, strict=False)], None, NOW
        )
        book = outbox.counts()["1"]
        assert (book.pending, book.leased, book.delivered, book.dead, book.expired) == (3, 1, 1, 1, 1)
        assert book.accepted == 7 and book.imbalance == 0

    def test_the_newest_events_are_shown_newest_first(self, outbox):
        for n in range(5):
            outbox.put([sealed(str(n))], NOW + n)
        assert [(story.event_id, story.accepted_at) for story in outbox.recent(3)] == [
            ("4", NOW + 4),
            ("3", NOW + 3),
            ("2", NOW + 2),
        ]

    def test_the_newest_dead_letter_is_shown_first(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("c")], NOW)
        lease = claim(outbox)
        for at, event in enumerate(lease.events):
            outbox.settle(lease, [(Dead("meta_100"), [event])], None, NOW + at)
        assert [story.event_id for story in outbox.dead(2)] == [event.event_id for event in lease.events[:0:-1]]

    def test_the_books_say_how_long_the_oldest_waits_and_when_the_next_expires(self, outbox):
        outbox.put([sealed("a", expires_in=900)], NOW)
        outbox.put([sealed("b", expires_in=500)], NOW + 10)
        book = outbox.counts()["1"]
        assert (book.oldest_pending_at, book.nearest_expiry_at) == (NOW, int(NOW) + 500)
        settle_all(outbox, claim(outbox), Delivered())
        book = outbox.counts()["1"]
        assert (book.oldest_pending_at, book.nearest_expiry_at) == (None, None)

    def test_a_story_says_where_the_event_is_and_when_it_is_due(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("c")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(RetryAt(NOW + 30, "short_count"), [lease.events[0]])], REFUSED, NOW)
        outbox.settle(lease, [(Hold("ambiguous_late"), [lease.events[1]])], None, NOW)
        told = [outbox.find(event_id)[0] for event_id in "abc"]
        assert [(story.state, story.reason) for story in told] == [
            ("pending", "short_count"),
            ("pending", "ambiguous_late"),
            ("leased", None),
        ]
        assert told[0].due_at == NOW + 30 and told[2].due_at is None

    # -- consent ---------------------------------------------------------------------------------------------------

    def test_what_the_visitor_said_is_kept_with_the_event(self, outbox):
        outbox.put([sealed("a", consent="granted"), sealed("b")], NOW)
        assert [(event.event_id, event.consent) for event in claim(outbox).events] == [("a", "granted"), ("b", None)]

    def test_a_withheld_event_is_erased_with_its_body_and_the_books_balance(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(Withhold(), [lease.events[0]]), (Delivered(), [lease.events[1]])], None, NOW)
        (story,) = outbox.find("a")
        assert (story.state, story.reason) == ("erased", "withheld")
        book = outbox.counts()["1"]
        assert (book.erased, book.delivered, book.imbalance) == (1, 1, 0)
        assert outbox.put([sealed("a")], NOW) == [Receipt("a", duplicate=True)]

    # -- a person who is forgotten -----------------------------------------------------------------------------------

    def test_an_erased_person_is_gone_and_still_counted(self, outbox):
        digest = "ab" * 32
        outbox.put(
            [
                sealed("a", body=b'{"em":["%s"]}' % digest.encode()),
                sealed(f"contact_{digest}_1"),
                sealed("c"),
            ],
            NOW,
        )
        assert outbox.erase([digest], NOW) == 2
        assert [event.event_id for event in claim(outbox).events] == ["c"]
        assert outbox.find("a")[0].state == "erased" and outbox.find(f"contact_{digest}_1") == []
        assert outbox.counts()["1"].erased == 2
        assert outbox.counts()["1"].imbalance == 0

    def test_a_late_copy_of_an_erased_event_is_not_taken_in_again(self, outbox):
        digest = b"cd" * 32
        outbox.put([sealed("a", body=digest)], NOW)
        outbox.erase([digest.decode()], NOW)
        assert outbox.put([sealed("a", body=digest)], NOW) == [Receipt("a", duplicate=True)]

    def test_an_event_erased_while_it_is_in_flight_stays_erased(self, outbox):
        digest = b"ef" * 32
        outbox.put([sealed("a", body=digest), sealed("b"), sealed("c")], NOW)
        lease = claim(outbox)
        assert outbox.erase([digest.decode()], NOW) == 1
        outbox.settle(lease, [(Delivered(), lease.events[:2])], None, NOW)
        outbox.release(lease)
        book = outbox.counts()["1"]
        assert (book.erased, book.delivered, book.pending, book.leased, book.imbalance) == (1, 1, 1, 0, 0)

    # -- what a visitor takes back -------------------------------------------------------------------------------------

    def test_a_withdrawn_event_is_never_sent_and_stays_counted(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("a", dataset="2")], NOW)
        assert outbox.withdraw("1", ["a", "a", "nobody"], NOW) == 1
        assert [event.event_id for event in claim(outbox).events] == ["b"]
        found = {(story.dataset, story.state, story.reason) for story in outbox.find("a")}
        assert found == {("1", "erased", "withdrawn"), ("2", "pending", None)}, found
        book = outbox.counts()["1"]
        assert (book.erased, book.imbalance) == (1, 0)
        assert outbox.put([sealed("a")], NOW) == [Receipt("a", duplicate=True)]

    def test_what_meta_has_or_no_browser_sent_cannot_be_withdrawn(self, outbox):
        outbox.put([sealed("gone")], NOW)
        settle_all(outbox, claim(outbox), Delivered())
        outbox.put([sealed("paid", name="Purchase")], NOW)
        assert outbox.withdraw("1", ["gone", "paid"], NOW) == 0
        assert outbox.withdraw("unknown", ["gone"], NOW) == 0
        assert [event.event_id for event in claim(outbox).events] == ["paid"]

    @pytest.mark.parametrize(
        ("verdict", "state"),
        [
            (Delivered(), "delivered"),
            (Dead("meta_100"), "erased"),
            (RetryAt(NOW + 60, "short_count"), "erased"),
            (Park(NOW + 60, "unreachable"), "erased"),
            (Hold("ambiguous_late"), "erased"),
            (None, "erased"),
        ],
        ids=str,
    )
    def test_what_is_leased_is_withdrawn_unless_meta_gets_it_first(self, outbox, verdict, state):
        outbox.put([sealed("a", body=b"canary"), sealed("b")], NOW)
        lease = claim(outbox)
        assert outbox.withdraw("1", ["a"], NOW) == 0
        settle_all(outbox, lease, verdict) if verdict else outbox.release(lease)
        (story,) = outbox.find("a")
        assert (story.state, story.reason) == (state, "withdrawn" if state == "erased" else None)
        book = outbox.counts()["1"]
        assert (book.leased, book.erased, book.imbalance) == (0, int(state == "erased"), 0)
        assert outbox.erase(["canary"], NOW) == 0, "its body is gone"

    def test_a_worker_is_told_what_was_erased_or_withdrawn_since_its_claim(self, outbox):
        outbox.put([sealed("a"), sealed("b", body=b"person"), sealed("c")], NOW)
        lease = claim(outbox)
        assert outbox.revoked(lease.events) == frozenset()
        outbox.withdraw("1", ["a"], NOW)
        outbox.erase(["person"], NOW)
        assert outbox.revoked(lease.events) == {event.key for event in lease.events[:2]}
        assert outbox.revoked(lease.events[2:]) == frozenset()

    def test_a_dead_letter_is_withdrawn_and_cannot_be_replayed(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), Dead("meta_100"))
        assert outbox.withdraw("1", ["a"], NOW) == 1
        assert outbox.replay(NOW) == 0 and outbox.dead() == []
        assert outbox.counts()["1"].imbalance == 0

    @pytest.mark.parametrize(
        "waits",
        [
            RetryAt(NOW + 60, "short_count"),
            Hold("ambiguous_late"),
            Park(NOW + 60, "x", aside=NOW + 90),
            Suspect(NOW),
            Suspect(NOW + 90),
        ],
    )
    def test_wherever_it_waits_it_can_be_withdrawn(self, outbox, waits):
        outbox.put([sealed("a"), sealed("b")], NOW)
        settle_all(outbox, claim(outbox), waits)
        assert outbox.withdraw("1", ["a"], NOW) == 1
        book = outbox.counts()["1"]
        assert (book.pending, book.erased, book.imbalance) == (1, 1, 0)
        left = outbox.claim("1", 10, 60, NOW + 600_001) or outbox.claim_suspects("1", 10, 60, NOW + 600_001)
        assert {event.event_id for event in left.events} == {"b"}
