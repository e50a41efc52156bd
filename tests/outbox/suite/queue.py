"""Putting: what every store promises, and what a store that keeps a ledger promises on top."""

import threading

import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt
from conversion_relay.outbox import Queue
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.suite.backend import NOW, Backend, claim, sealed, settle_all


class QueueSuite(Backend):
    def test_it_is_a_queue(self, outbox):
        assert isinstance(outbox, Queue)

    def test_what_was_put_is_there_after_closing_and_opening_again(self, outbox, place):
        outbox.put([sealed("a"), sealed("b")], NOW)
        outbox.close()
        again = self.open(place)
        assert list(self.read(again)) == ["a", "b"]
        again.close()

    @pytest.mark.parametrize(
        "body",
        [
            b'{"x":"\xc3\xa9\\u0000"}' + bytes(range(1, 32)),
            b'{"x":"\\ud83d"}',
            "日本語, \U0001f642 \x7f\x85\u2028\ufeff\ufffe".encode(),
            b'"' * 10_000,
            b" ",
        ],
        ids=["control characters", "a lone surrogate, escaped", "other scripts", "quotes", "a space"],
    )
    def test_the_bytes_come_out_as_they_went_in(self, outbox, body):
        outbox.put([sealed("a", body=body)], NOW)
        assert self.read(outbox) == {"a": body}

    def test_each_event_has_its_receipt_in_the_order_of_the_call(self, outbox):
        events = [sealed("b"), sealed("a", dataset="2"), sealed("c"), sealed("a")]
        receipts = outbox.put(events, NOW)
        assert receipts == [Receipt("b"), Receipt("a"), Receipt("c"), Receipt("a")]
        assert outbox.put([], NOW) == []

    def test_events_of_two_datasets_are_kept_apart(self, outbox):
        outbox.put([sealed("a"), sealed("b", dataset="2"), sealed("c")], NOW)
        assert set(self.read(outbox)) == {"a", "c"} and set(self.read(outbox, "2")) == {"b"}

    def test_many_events_of_one_put_are_all_kept(self, outbox):
        bodies = {f"e{n}": b"%d" % n + b"x" * 600 for n in range(1_500)}
        outbox.put([sealed(event_id, body=body) for event_id, body in bodies.items()], NOW)
        assert self.read(outbox) == bodies

    def test_a_put_that_nobody_waits_for_is_durable_when_its_future_is_done(self, outbox):
        future = outbox.put_soon([sealed("a"), sealed("b")], NOW)
        assert future.result(30) == [Receipt("a"), Receipt("b")]
        assert set(self.read(outbox)) == {"a", "b"}

    def test_a_probe_commits(self, outbox):
        outbox.probe()


class LedgerSuite(Backend):
    """A store that knows what it has seen, and whose readers may be in this process."""

    def test_a_second_put_of_the_same_key_is_a_duplicate_and_not_stored(self, outbox):
        assert outbox.put([sealed("a"), sealed("a")], NOW) == [Receipt("a"), Receipt("a", duplicate=True)]
        assert outbox.put([sealed("a")], NOW) == [Receipt("a", duplicate=True)]
        assert outbox.counts()["1"].accepted == 1

    def test_dataset_and_name_are_part_of_the_key(self, outbox):
        puts = [sealed("a"), sealed("a", name="Purchase"), sealed("a", dataset="2")]
        assert not any(receipt.duplicate for receipt in outbox.put(puts, NOW))

    def test_a_duplicate_is_known_after_delivery(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), Delivered())
        assert outbox.put([sealed("a")], NOW + 86_400) == [Receipt("a", duplicate=True)]

    def test_puts_wake_who_asked(self, outbox):
        woken = threading.Event()
        outbox.on_put(woken.set)
        outbox.put([sealed("a")], NOW)
        assert woken.wait(60)

    def test_a_duplicate_wakes_nobody_and_a_replay_wakes(self, outbox):
        outbox.put([sealed("a")], NOW)
        self.kill(outbox, ["a"])
        woken = threading.Event()
        outbox.on_put(woken.set)
        outbox.put([sealed("a")], NOW)
        assert not woken.is_set()
        outbox.replay(NOW)
        assert woken.wait(60)

    def test_a_closed_outbox_says_so(self, outbox):
        outbox.close()
        with pytest.raises(OutboxUnavailable):
            outbox.put([sealed("a")], NOW)
