"""Sends events past the outbox: one request now, Meta's answer to the caller. Nothing is stored, nothing is retried."""

from collections.abc import Callable, Sequence

import msgspec

from conversion_relay.delivery.exchange import post
from conversion_relay.delivery.transport import Transport
from conversion_relay.event import SealedEvent
from conversion_relay.meta.batch import pack
from conversion_relay.meta.graph import Accepted, Outcome, Refused
from conversion_relay.relay.tracked import Sent
from conversion_relay.settings import Settings
from conversion_relay.telemetry import Sentences


def send_at_once(
    events: Sequence[SealedEvent],
    settings: Settings,
    transport: Transport,
    clock: Callable[[], float],
    *,
    deadline: float,
    test_event_code: str | None,
) -> list[Sent]:
    """One `Sent` for each request: events go by dataset, in batches. `deadline` in seconds, for each request."""
    sent = []
    for dataset in settings.datasets:
        for batch in pack([event for event in events if event.dataset == dataset.pixel_id]):
            outcome = post(transport, settings, dataset, batch, deadline, clock, test_event_code=test_event_code)
            _say(batch, outcome)
            sent.append(Sent(tuple(event.event_id for event in batch), outcome))
    return sent


def _say(batch: Sequence[SealedEvent], outcome: Outcome) -> None:
    """Nobody will try these again, so each gets its sentence now."""
    sentences = Sentences()
    for event in batch:
        match outcome:
            case Accepted():
                sentences.sent(event.event_name, event.event_id)
            case Refused():
                said = msgspec.to_builtins(outcome.said)
                sentences.failed(event.event_name, event.event_id, why="refused", said=said)
            case _:
                why = getattr(outcome, "why", type(outcome).__name__.lower())
                sentences.error(event.event_name, event.event_id, why=why)
    sentences.flush()
