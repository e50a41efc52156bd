"""What becomes of the messages of one invocation, after delivery said what became of their events.

Lambda deletes a message whose function reports it as done; the others are seen again. What could go wrong: a message
holds several events, and some of them may be delivered while others wait. Seen again whole, it would send the delivered
ones twice; reported as done, it would lose the others. And the queue buries a message by itself that was received 50
times, even if its events only waited for Meta to come back.

So each message is finished in this order, and only what is safe elsewhere is let go:
1. The ledger learns which purchases Meta has, and which it may have; the others are free to be claimed.
2. What Meta refused for good goes to the dead letters, each with Meta's reason.
3. What waits stays in its message, hidden for longer each time; where others of the message ended, or the message was
   received often, it goes on as a message of its own, whose count begins anew.
When a step fails, the message is seen again and every step is taken again: a second mark changes nothing, a second dead
letter or message carries the same event ids, and the ledger and Meta drop the repetition.
"""

from collections.abc import Callable, Iterable, Sequence

from conversion_relay.aws.ledger import LEDGERED, PurchaseLedger
from conversion_relay.aws.received import Received
from conversion_relay.aws.records import Fate, Records, Waiting
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox import Attempt
from conversion_relay.outbox.sqs import SqsOutbox
from conversion_relay.outbox.sqs_message import Kept, Message, encode
from conversion_relay.outbox.verdict import Dead, Delivered, Hold, Park, RetryAt, Suspect
from conversion_relay.signed_calls import AwsError, AwsUnreachable, JsonCalls
from conversion_relay.telemetry import logger

FIRST_WAIT, LONGEST_WAIT = 30, 3_600
"""Seconds until a message is seen again, doubling with each time that it was received."""
TOKEN_WAIT = 900
"""The same while the token is dead."""
MOST_RECEIVES = 40
"""The queue itself buries what was received 50 times; before that a message that only waits is written anew."""


class Finisher:
    """Has the last word on each message. `clock` in Unix seconds; `jitter` between 0 and 1."""

    def __init__(
        self,
        queue: SqsOutbox,
        calls: JsonCalls,
        ledger: PurchaseLedger | None,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._queue, self._calls, self._ledger = queue, calls, ledger
        self._clock, self._jitter = clock, jitter

    def finish(self, records: Iterable[Received], outbox: Records) -> list[str]:
        """Ids of the messages that stay in the queue; whatever must outlive the others is in a queue by then."""
        waits: list[tuple[Received, int]] = []
        stay = [record.message_id for record in records if not self._finish(record, outbox, waits)]
        self.hide(waits)
        return stay

    def _finish(self, record: Received, outbox: Records, waits: list[tuple[Received, int]]) -> bool:
        """Whether the message may go. One that only waits is added to `waits`, with its seconds: a thousand of them are
        hidden in a hundred calls, and the function's time may be nearly over."""
        message = record.message
        assert message is not None
        now = self._clock()
        fates = [(kept, outbox.fate((message.dataset, kept.event_name, kept.event_id))) for kept in message.events]
        try:
            self._remember(message, fates, outbox, now)
            self._bury(message, fates, outbox, record)
            waiting = [(kept, fate) for kept, fate in fates if isinstance(fate, Waiting | Park | RetryAt | Suspect)]
            if not waiting:
                return True
            wait = self._wait(record, [fate for _, fate in waiting])
            if len(waiting) == len(fates) and record.receives < MOST_RECEIVES:
                waits.append((record, wait))
                return False
            # What ended must not be sent again, and nothing that waits may die of being counted: it goes on as a
            # message of its own.
            kept_on = [kept for kept, _ in waiting]
            rest = encode(message.dataset, message.accepted_at, kept_on, decided=message.decided)
            self._queue.send(self._queue.queue_url, [({}, rest)], delay=min(wait, 900))
        except (OutboxUnavailable, AwsError, AwsUnreachable) as error:
            logger.error("What Meta answered cannot be recorded yet", extra={"reason": str(error)})
            return False
        return True

    def _remember(self, message: Message, fates: Sequence[tuple[Kept, Fate]], outbox: Records, now: float) -> None:
        """What Meta has, and what it may have; the rest is free for whoever comes next."""
        if self._ledger is None:
            return
        for kept, fate in fates:
            key = (message.dataset, kept.event_name, kept.event_id)
            if kept.event_name not in LEDGERED or (claimed := outbox.claimed(key)) is None:
                continue
            if isinstance(fate, Delivered):
                self._ledger.mark_sent([key], now)
            else:
                earlier = claimed.sent_at is not None or message.decided
                maybe = earlier or (isinstance(fate, RetryAt | Park | Suspect) and fate.sent)
                self._ledger.let_go([key], now, by=outbox.invocation, maybe=maybe)

    def _bury(self, message: Message, fates: Sequence[tuple[Kept, object]], outbox: Records, record: Received) -> None:
        letters = []
        for kept, fate in fates:
            if isinstance(fate, Dead | Hold):
                answer = outbox.answer((message.dataset, kept.event_name, kept.event_id))
                body = encode(message.dataset, message.accepted_at, [kept])
                letters.append((_reason(fate, answer, record), body))
        self._queue.send(self._queue.dead_url, letters)

    def put_away(self, record: Received) -> bool:
        """Whether a message is out of the way: one that the relay did not write goes to the dead letters as it is."""
        if record.message is not None:
            return True
        try:
            self._queue.send(self._queue.dead_url, [({"reason": "unreadable"}, record.body)])
        except OutboxUnavailable as error:
            logger.error("A message that cannot be read cannot be put away either", extra={"reason": str(error)})
            return False
        logger.error("A message of the queue cannot be read", extra={"message_id": record.message_id})
        return True

    def _wait(self, record: Received, fates: Sequence[object]) -> int:
        if any(isinstance(fate, Park) and fate.why == "unauthorized" for fate in fates):
            return TOKEN_WAIT
        ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(record.receives - 1, 10))
        return int(ceiling * (0.75 + 0.25 * self._jitter()))

    def hide(self, waits: Sequence[tuple[Received, int]]) -> None:
        """Out of sight, each for its seconds; where that fails the queue's own visibility timeout does."""
        for first in range(0, len(waits), 10):
            entries = [
                {"Id": str(n), "ReceiptHandle": record.receipt, "VisibilityTimeout": seconds}
                for n, (record, seconds) in enumerate(waits[first : first + 10])
            ]
            asked = {"QueueUrl": self._queue.queue_url, "Entries": entries}
            try:
                self._calls.call("sqs", "AmazonSQS.ChangeMessageVisibilityBatch", asked)
            except (AwsError, AwsUnreachable) as error:
                logger.warning("Messages come back sooner than they should", extra={"reason": str(error)})


def _reason(fate: Dead | Hold, answer: Attempt | None, record: Received) -> dict[str, str]:
    """Attributes of a dead letter. Nothing of them names a person."""
    said = {
        "reason": fate.why,
        "meta_code": answer and answer.code,
        "subcode": answer and answer.subcode,
        "title": answer and answer.title,
        "sentence": answer and answer.sentence,
        "field": answer and answer.field,
        "fbtrace_id": answer and answer.fbtrace_id,
        "first_seen": record.first_seen,
    }
    return {name: str(value) for name, value in said.items() if value}
