"""Dead letters, as every queue has them."""

from conversion_relay.outbox import DeadLetters
from tests.outbox.suite.backend import NOW, REFUSED, Backend, sealed


class DeadLettersSuite(Backend):
    def test_an_operator_can_ask_for_dead_letters(self, outbox):
        assert isinstance(outbox, DeadLetters)
        assert outbox.dead() == [] and outbox.replay(NOW) == 0

    def books(self, outbox) -> tuple[int, int, int]:
        """Of all datasets together."""
        books = outbox.counts().values()
        assert all(book.imbalance == 0 for book in books)
        return sum(b.pending for b in books), sum(b.leased for b in books), sum(b.dead for b in books)

    def test_what_waits_and_what_is_dead_is_counted(self, outbox):
        assert self.books(outbox) == (0, 0, 0)
        outbox.put([sealed("a")], NOW)
        assert self.books(outbox) == (1, 0, 0)
        self.kill(outbox, ["a"])
        assert self.books(outbox) == (0, 0, 1)

    def test_a_dead_letter_tells_what_it_is_and_what_meta_said(self, outbox):
        outbox.put([sealed("a", name="Purchase")], NOW)
        self.kill(outbox, ["a"])
        (story,) = outbox.dead()
        assert (story.dataset, story.event_name, story.event_id, story.state) == ("1", "Purchase", "a", "dead")
        assert (story.event_time, story.expires_at, story.accepted_at) == (int(NOW), int(NOW) + 600_000, NOW)
        assert (story.reason, story.due_at, story.attempts) == ("meta_100_2804009", None, 1)
        (said,) = story.history
        assert (said.outcome, said.code, said.subcode) == ("refused", REFUSED.code, REFUSED.subcode)
        assert (said.title, said.fbtrace_id) == (REFUSED.title, REFUSED.fbtrace_id)
        assert (said.sentence, said.field) == (REFUSED.sentence, REFUSED.field)

    def test_no_more_dead_letters_are_shown_than_asked_for(self, outbox):
        outbox.put([sealed(str(n)) for n in range(12)], NOW)
        self.kill(outbox, [str(n) for n in range(12)])
        assert len(outbox.dead(5)) == 5
        self.pass_time(61)
        assert len(outbox.dead()) == 12

    def test_only_the_named_dead_letters_are_sent_again(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("c")], NOW)
        self.kill(outbox, ["a", "b", "c"])
        assert outbox.replay(NOW, ["a", "c", "c", "nobody"]) == 2
        assert set(self.read(outbox)) == {"a", "c"}
        self.pass_time(61)
        assert [story.event_id for story in outbox.dead()] == ["b"]
        assert outbox.replay(NOW, []) == 0

    def test_all_dead_letters_that_meta_still_takes_are_sent_again(self, outbox):
        bodies = {f"e{n}": b'{"n":%d}' % n for n in range(25)}
        outbox.put([sealed(event_id, body=body) for event_id, body in bodies.items()], NOW)
        outbox.put([sealed("old", expires_in=100)], NOW)
        self.kill(outbox, [*bodies, "old"])
        assert outbox.replay(NOW + 100) == 25
        assert self.read(outbox) == bodies
        self.pass_time(61)
        assert [story.event_id for story in outbox.dead()] == ["old"]

    def test_thousands_of_named_letters_are_found_and_nothing_else(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        self.kill(outbox, ["a", "b"])
        assert outbox.replay(NOW, [*(f"nobody {n}" for n in range(2_500)), "b"]) == 1
        assert set(self.read(outbox)) == {"b"}
