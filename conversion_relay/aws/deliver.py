"""The delivery function: messages of the queue become requests to Meta, and each message its fate.

It turns the same `Delivery` as everywhere, over an outbox that is the records of this one invocation. Afterwards
- a message whose events all ended is reported as done, and Lambda deletes it;
- what Meta refused for good goes to the dead letters with the reason, and so does what cannot be read;
- what waits stays in the queue, out of sight for longer each time; an outage of hours kills nothing;
- what is of a dataset that META_PIXEL_ID does not name (any more) waits, too, until it is too old, and the log says so.
How a message is let go without losing one of its events is in `finish.py`.
"""

import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conversion_relay.aws.breaker import Breaker
from conversion_relay.aws.finish import TOKEN_WAIT, Finisher
from conversion_relay.aws.ledger import LEDGERED, Known, PurchaseLedger
from conversion_relay.aws.received import Received, leased, received
from conversion_relay.aws.records import Records
from conversion_relay.aws.token import TokenSource
from conversion_relay.delivery.transport import GraphTransport, Transport
from conversion_relay.delivery.turn import Delivery
from conversion_relay.errors import SettingsError, leaves_no_variables
from conversion_relay.outbox.sqs import SqsOutbox
from conversion_relay.outbox.sqs_message import Message
from conversion_relay.outbox.verdict import Expired, Park
from conversion_relay.settings import Settings
from conversion_relay.signed_calls import AwsCalls, AwsError, AwsUnreachable, JsonCalls
from conversion_relay.telemetry import Sentences, configure_logging, logger

LEAST_SECONDS = 20.0
"""Left of the function's time when nothing more is begun: for the request that is under way, and to finish a thousand
messages."""
CLAIM_SHARE = 1 / 3
"""Of the function's time, for claiming purchases: to write down that Meta has them takes as long again. Those that are
not claimed by then wait, and all else is sent."""


class DeliveryFunction:
    """`handle(event, context)` of Lambda; one for the life of the process."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        calls: JsonCalls | None = None,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = Settings.from_env(environ, required=("META_PIXEL_ID",))
        configure_logging(self._settings.log_format, self._settings.secrets())
        self._calls = Breaker(calls or AwsCalls(environ))
        self._queue = SqsOutbox(self._settings.outbox, self._calls)
        self._token = TokenSource(environ, self._calls, clock)
        table = environ.get("PURCHASE_TABLE")
        self._ledger = PurchaseLedger(self._calls, table) if table else None
        self._transport = transport or GraphTransport()
        self._finisher = Finisher(self._queue, self._calls, self._ledger, clock=clock, jitter=jitter)
        self._clock, self._jitter = clock, jitter

    @leaves_no_variables
    def handle(self, event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:
        """Partial batch response: the ids of the messages that stay in the queue."""
        records = [received(record) for record in _messages(event)]
        if not records:
            return _failures([])
        self._calls.close()
        failed = [record.message_id for record in records if not self._finisher.put_away(record)]
        readable = [record for record in records if record.message is not None]
        try:
            settings = self._token.into(self._settings)
        except (SettingsError, AwsError, AwsUnreachable) as error:
            logger.error("The access token cannot be read; events wait", extra={"reason": str(error)})
            self._finisher.hide([(record, TOKEN_WAIT) for record in readable])
            return _failures([*failed, *(record.message_id for record in readable)])
        configure_logging(settings.log_format, settings.secrets())
        outbox = self._deliver(settings, readable, context)
        return _failures([*failed, *self._finisher.finish(readable, outbox)])

    def _deliver(self, settings: Settings, records: Sequence[Received], context: Any) -> Records:
        outbox = Records(secrets.token_hex(8))
        now, left = self._clock(), _seconds_left(context)
        sentences, ours = Sentences(), {dataset.pixel_id for dataset in settings.datasets}
        for record in records:
            if record.message is not None and record.message.dataset not in ours:
                _leave(outbox, record.message, now, sentences)
            else:
                self._take(outbox, record, ends_at=now + left, claim_until=now + CLAIM_SHARE * left)
        delivery = Delivery(
            outbox, self._transport, settings, sentences=sentences, clock=self._clock, jitter=self._jitter
        )
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

    def _take(self, outbox: Records, record: Received, *, ends_at: float, claim_until: float) -> None:
        """The record's events, but for purchases that Meta has, and those that another invocation is sending. When this
        invocation ends, at the latest: `ends_at`."""
        message = record.message
        assert message is not None
        for kept in message.events:
            key = (message.dataset, kept.event_name, kept.event_id)
            known: Known = "ours"
            maybe_since: float | None = None
            if self._ledger and kept.event_name in LEDGERED and key not in outbox.keys:
                known = "elsewhere"
                now = self._clock()
                try:
                    if now <= claim_until:
                        known, maybe_since = self._ledger.claim(key, now, by=outbox.invocation, ends_at=ends_at)
                except (AwsError, AwsUnreachable) as error:
                    logger.warning("The ledger of purchases cannot be read; they wait", extra={"reason": str(error)})
            # A person who replays a held purchase has decided; its age at Meta does not count any more.
            outbox.add(key, leased(kept, None if message.decided else maybe_since), known)


def _leave(outbox: Records, message: Message, now: float, sentences: Sentences) -> None:
    """Of a dataset without settings: a copy of the message in the queue would go on for ever."""
    waiting = Counter[str]()
    for kept in message.events:
        key = (message.dataset, kept.event_name, kept.event_id)
        if kept.expires_at <= now:
            outbox.end(key, leased(kept, None), Expired())
            sentences.failed(kept.event_name, kept.event_id, why="too_old")
        else:
            outbox.add(key, leased(kept, None), "elsewhere")
            waiting[kept.event_name] += 1
    for name, n in waiting.items():
        sentences.outage(name, n, "dataset_not_configured")


def _messages(event: object) -> Sequence[Mapping[str, Any]]:
    """None in a call that is no batch, such as a schedule's that keeps a function warm."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    for record in records or ():
        if not (isinstance(record, Mapping) and isinstance(record.get("messageId"), str)):
            # Raised, so that whoever sends them hears of it, and so does the alarm.
            raise ValueError("this function takes messages of SQS alone; these records are of something else")
    return records or ()


def _failures(message_ids: Sequence[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


def _seconds_left(context: Any) -> float:
    left = getattr(context, "get_remaining_time_in_millis", None)
    return left() / 1000 if left else 60.0
