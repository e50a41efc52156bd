"""`delivery_mode = "direct"`: an event is sent while the visitor waits, within 1.5 seconds, and queued when that fails.

The way of the first version of this site, for whoever wants Meta's answer in the function's own log.

A warm function answers thousands of requests, so the connection to Meta is opened once and kept: an exchange runs in a
thread of its own, and a transport for each event would leave a thread and a socket behind each time. The token may
change while the process lives; the transport does not know it, so a new token needs no new transport.
"""

import time
from collections.abc import Mapping, Sequence

from conversion_relay.aws.ledger import LEDGERED
from conversion_relay.aws.token import TokenSource
from conversion_relay.errors import SettingsError
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.meta.graph import Unauthorized
from conversion_relay.outbox.sqs import SqsOutbox
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings
from conversion_relay.signed_calls import AwsCalls, AwsError, AwsUnreachable
from conversion_relay.telemetry import logger

SECONDS = 1.5


class SendFirst(SqsOutbox):
    """The queue, with a try before it. What Meta does not take at once is the delivery function's work."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], calls: AwsCalls) -> None:
        # Here, since every function imports this module, and only those in direct mode send.
        from conversion_relay.delivery.transport import GraphTransport

        super().__init__(settings.outbox, calls)
        self._settings = settings
        self._token = TokenSource(environ, calls, time.time)
        self._transport = GraphTransport()

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        # Purchases are not tried: only the delivery function looks up which of them Meta has. Nor are copies for other
        # datasets, which have the same id: a visitor waits for one answer of Meta's.
        own = self._settings.datasets[0].pixel_id
        taken = self._send_now([one for one in events if one.dataset == own and one.event_name not in LEDGERED])
        if rest := [one for one in events if one.dataset != own or one.event_id not in taken]:
            super().put(rest, now)
        return [Receipt(event.event_id, duplicate=False) for event in events]

    def close(self) -> None:
        """The next event would open another connection."""
        self._transport.close()
        super().close()

    def _send_now(self, events: Sequence[SealedEvent]) -> set[str]:
        """Ids of what Meta took."""
        if not events:
            return set()
        try:
            settings = self._token.into(self._settings)
        except (SettingsError, AwsError, AwsUnreachable) as error:
            logger.error("The access token cannot be read; the event is queued", extra={"reason": str(error)})
            return set()
        # Not closed here: it has nothing of its own to close, the transport is ours.
        sent = Relay(settings, transport=self._transport).send(events, deadline=SECONDS)
        if any(isinstance(answer.outcome, Unauthorized) for answer in sent):
            self._token.forget()
        return {event_id for answer in sent if answer.accepted for event_id in answer.event_ids}
