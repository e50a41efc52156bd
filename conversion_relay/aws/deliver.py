"""The delivery function: messages of the queue become requests to Meta, and each message its fate.

It turns the same `Delivery` as everywhere, over an outbox that is the records of this one invocation. Afterwards
- a message whose events all ended is reported as done, and Lambda deletes it;
- what Meta refused for good goes to the dead letters with the reason, and so does what cannot be read;
- what waits stays in the queue, out of sight for longer each time; an outage of hours kills nothing.
"""

import os
import random
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.aws.ledger import Key, Known, PurchaseLedger
from conversion_relay.aws.records import Records, Waiting
from conversion_relay.aws.token import TokenSource
from conversion_relay.delivery.transport import GraphTransport, Transport
from conversion_relay.delivery.turn import Delivery
from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.outbox import Attempt, LeasedEvent
from conversion_relay.outbox.sqs import Kept, Message, SqsOutbox, encode
from conversion_relay.outbox.verdict import Dead, Delivered, Hold, Park, RetryAt
from conversion_relay.settings import Settings
from conversion_relay.signed_calls import AwsCalls, AwsError, AwsUnreachable
from conversion_relay.telemetry import configure_logging, logger

LEAST_SECONDS = 10.0
"""Left of the function's time when nothing more is begun."""
FIRST_WAIT, LONGEST_WAIT = 30, 3_600
TOKEN_WAIT = 900
"""Seconds until a message is seen again: by attempt; while the token is dead a quarter of an hour."""
MOST_RECEIVES = 40
"""The queue itself buries what was received 50 times; before that a message that only waits is written anew."""
LEDGERED = "Purchase"


class DeliveryFunction:
    """`handle(event, context)` of Lambda; one for the life of the process."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        calls: AwsCalls | None = None,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = Settings.from_env(environ, required=("META_PIXEL_ID",))
        configure_logging(self._settings.log_format, self._settings.secrets())
        self._calls = calls or AwsCalls(environ)
        self._queue = SqsOutbox(self._settings.outbox, self._calls)
        self._token = TokenSource(environ, self._calls, clock)
        table = environ.get("PURCHASE_TABLE")
        self._ledger = PurchaseLedger(self._calls, table) if table else None
        self._transport = transport or GraphTransport()
        self._clock, self._jitter = clock, jitter

    def handle(self, event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:
        """Partial batch response: the ids of the messages that stay in the queue."""
        records = [_read(record) for record in event.get("Records", ())]
        failed = [record.message_id for record in records if not self._finish_unreadable(record)]
        readable = [record for record in records if record.message is not None]
        try:
            settings = self._token.into(self._settings)
        except (SettingsError, AwsError, AwsUnreachable) as error:
            logger.error("The access token cannot be read; events wait", extra={"reason": str(error)})
            self._hide(readable, TOKEN_WAIT)
            return _failures([*failed, *(record.message_id for record in readable)])
        configure_logging(settings.log_format, settings.secrets())
        outbox = self._deliver(settings, readable, context)
        failed += [record.message_id for record in readable if not self._finish(record, outbox)]
        return _failures(failed)

    # -- sending -------------------------------------------------------------------------------------------------------

    def _deliver(self, settings: Settings, records: Sequence["Record"], context: Any) -> Records:
        outbox = Records()
        for record in records:
            self._take(outbox, record)
        delivery = Delivery(outbox, self._transport, settings, clock=self._clock, jitter=self._jitter)
        timer = threading.Timer(max(0.0, _seconds_left(context) - LEAST_SECONDS), delivery.stop)
        timer.daemon = True
        timer.start()
        try:
            while delivery.step():
                pass
        finally:
            timer.cancel()
            delivery.flush()
        if any(isinstance(verdict, Park) and verdict.why == "unauthorized" for verdict in outbox.verdicts.values()):
            self._token.forget()
        return outbox

    def _take(self, outbox: Records, record: "Record") -> None:
        """The record's events, but for purchases that Meta has, and those that another invocation is sending."""
        message = record.message
        assert message is not None
        for kept in message.events:
            key = (message.dataset, kept.event_name, kept.event_id)
            known: Known = "ours"
            maybe_since: float | None = None
            if self._ledger and kept.event_name == LEDGERED and key not in outbox.keys:
                try:
                    known, maybe_since = self._ledger.claim(key, self._clock())
                except (AwsError, AwsUnreachable) as error:
                    logger.warning("The ledger of purchases cannot be read; they wait", extra={"reason": str(error)})
                    known = "elsewhere"
            outbox.add(key, _leased(kept, maybe_since), known)

    # -- what becomes of a message -------------------------------------------------------------------------------------

    def _finish(self, record: "Record", outbox: Records) -> bool:
        """Whether the message may go; whatever must outlive it is in a queue by then."""
        message = record.message
        assert message is not None
        now = self._clock()
        fates = [(kept, outbox.fate((message.dataset, kept.event_name, kept.event_id))) for kept in message.events]
        try:
            self._remember(message.dataset, fates, now)
            self._bury(message, fates, outbox, record)
            waiting = [(kept, fate) for kept, fate in fates if isinstance(fate, Waiting | Park | RetryAt)]
            if not waiting:
                return True
            wait = self._wait(record, [fate for _, fate in waiting])
            if len(waiting) == len(fates) and record.receives < MOST_RECEIVES:
                self._hide([record], wait)
                return False
            # What ended must not be sent again, and nothing that waits may die of being counted: it goes on as a
            # message of its own.
            rest = encode(message.dataset, message.accepted_at, [kept for kept, _ in waiting])
            self._queue.send(self._queue.queue_url, [({}, rest)], delay=min(wait, 900))
        except (OutboxUnavailable, AwsError, AwsUnreachable) as error:
            logger.error("What Meta answered cannot be recorded yet", extra={"reason": str(error)})
            return False
        return True

    def _remember(self, dataset: str, fates: Sequence[tuple[Kept, object]], now: float) -> None:
        if self._ledger is None:
            return
        by_fate: dict[str, list[Key]] = {"sent": [], "maybe": [], "free": []}
        for kept, fate in fates:
            if kept.event_name != LEDGERED:
                continue
            key = (dataset, kept.event_name, kept.event_id)
            if isinstance(fate, Delivered):
                by_fate["sent"].append(key)
            elif isinstance(fate, RetryAt | Park):
                by_fate["maybe" if fate.sent else "free"].append(key)
        self._ledger.mark_sent(by_fate["sent"], now)
        self._ledger.mark_maybe(by_fate["maybe"], now)
        self._ledger.let_go(by_fate["free"], now)

    def _bury(self, message: Message, fates: Sequence[tuple[Kept, object]], outbox: Records, record: "Record") -> None:
        letters = []
        for kept, fate in fates:
            if isinstance(fate, Dead | Hold):
                answer = outbox.answer((message.dataset, kept.event_name, kept.event_id))
                body = encode(message.dataset, message.accepted_at, [kept])
                letters.append((_reason(fate, answer, record), body))
        self._queue.send(self._queue.dead_url, letters)

    def _finish_unreadable(self, record: "Record") -> bool:
        """Whether it is out of the way: a message that is none of ours goes to the dead letters as it is."""
        if record.message is not None:
            return True
        try:
            self._queue.send(self._queue.dead_url, [({"reason": "unreadable"}, record.body)])
        except OutboxUnavailable as error:
            logger.error("A message that cannot be read cannot be put away either", extra={"reason": str(error)})
            return False
        logger.error("A message of the queue cannot be read", extra={"message_id": record.message_id})
        return True

    def _wait(self, record: "Record", fates: Sequence[object]) -> int:
        if any(isinstance(fate, Park) and fate.why == "unauthorized" for fate in fates):
            return TOKEN_WAIT
        ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(record.receives - 1, 10))
        return int(ceiling * (0.75 + 0.25 * self._jitter()))

    def _hide(self, records: Sequence["Record"], seconds: int) -> None:
        """Out of sight for so long; where that fails the queue's own visibility timeout does."""
        for first in range(0, len(records), 10):
            entries = [
                {"Id": str(n), "ReceiptHandle": record.receipt, "VisibilityTimeout": seconds}
                for n, record in enumerate(records[first : first + 10])
            ]
            asked = {"QueueUrl": self._queue.queue_url, "Entries": entries}
            try:
                self._calls.call("sqs", "AmazonSQS.ChangeMessageVisibilityBatch", asked)
            except (AwsError, AwsUnreachable) as error:
                logger.warning("Messages come back sooner than they should", extra={"reason": str(error)})


class Record(msgspec.Struct, frozen=True):
    """One message as Lambda hands it over; `message` None where it is none of ours."""

    message_id: str
    receipt: str
    body: str
    receives: int
    first_seen: str
    message: Message | None


def _read(record: Mapping[str, Any]) -> Record:
    attributes = record.get("attributes", {})
    body = str(record.get("body", ""))
    try:
        message = msgspec.json.decode(body, type=Message)
    except msgspec.MsgspecError:
        message = None
    return Record(
        message_id=record["messageId"],
        receipt=record.get("receiptHandle", ""),
        body=body,
        receives=int(attributes.get("ApproximateReceiveCount", 1)),
        first_seen=str(attributes.get("SentTimestamp", "")),
        message=message,
    )


def _leased(kept: Kept, maybe_since: float | None) -> LeasedEvent:
    body = kept.body.encode()
    return LeasedEvent(
        key=0,
        event_name=kept.event_name,
        event_id=kept.event_id,
        event_time=kept.event_time,
        expires_at=kept.expires_at,
        attempts=0,
        sent_at=maybe_since,
        intact=zlib.crc32(body) == kept.checksum,
        body=body,
        consent=kept.consent,
    )


def _reason(fate: Dead | Hold, answer: Attempt | None, record: Record) -> dict[str, str]:
    """Attributes of a dead letter. Nothing of them names a person."""
    said = {
        "reason": fate.why,
        "meta_code": answer and answer.code,
        "subcode": answer and answer.subcode,
        "title": answer and answer.title,
        "fbtrace_id": answer and answer.fbtrace_id,
        "first_seen": record.first_seen,
    }
    return {name: str(value) for name, value in said.items() if value}


def _failures(message_ids: Sequence[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


def _seconds_left(context: Any) -> float:
    left = getattr(context, "get_remaining_time_in_millis", None)
    return left() / 1000 if left else 60.0
