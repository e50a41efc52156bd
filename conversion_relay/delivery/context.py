"""What all sittings of a process share."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from conversion_relay.delivery.exchange import asker, post
from conversion_relay.delivery.isolation import Isolation
from conversion_relay.delivery.meta_clock import MetaClock
from conversion_relay.delivery.pace import Paces
from conversion_relay.delivery.report import alert
from conversion_relay.delivery.transport import Transport
from conversion_relay.meta.graph import (
    PAYLOAD_SUBCODES,
    PERMISSION_CODES,
    THROTTLE_CODES,
    TOKEN_CODES,
    Outcome,
)
from conversion_relay.outbox.protocol import LeasedEvent, Leases
from conversion_relay.settings import Dataset, Settings
from conversion_relay.telemetry import Counters, Sentences

_OTHERS = frozenset({1, 2, 33, 100, 368, 803, 463, 467, 460, 2635})
_COUNTED = PAYLOAD_SUBCODES | THROTTLE_CODES | TOKEN_CODES | PERMISSION_CODES | _OTHERS


class Context(NamedTuple):
    """What all sittings of a process share. `clock` is the wall's, for deadlines that Meta sets; `steady_clock` is one
    that nobody sets, for pauses. `jitter` gives a number in [0, 1). `stopping` is set when the process is to end."""

    outbox: Leases
    transport: Transport
    settings: Settings
    paces: Paces
    isolation: Isolation
    meta_clock: MetaClock
    counters: Counters
    sentences: Sentences
    clock: Callable[[], float]
    steady_clock: Callable[[], float]
    jitter: Callable[[], float]
    deadline: float
    stopping: threading.Event
    asker_now: Callable[[str], tuple[str, ...] | None]
    """As whom and where the next turn of a dataset asks (`exchange.asker`); None of one that is not configured."""

    def of(self, dataset: Dataset) -> "Context":
        """With the settings as they hold for that dataset: its own policy decides again what may be sent."""
        settings = self.settings.of(dataset)
        return self if settings is self.settings else self._replace(settings=settings)

    def ask(self, dataset: Dataset, events: Sequence[LeasedEvent]) -> Outcome:
        """One request. Steps 3, 4 and 5 of a turn."""
        began = self.steady_clock()

        def note_date(date: float) -> None:
            now = self.steady_clock()
            self.meta_clock.note(date, now, now - began)

        return post(
            self.transport,
            self.settings,
            dataset,
            events,
            self.deadline,
            self.clock,
            note_date=note_date,
        )

    def is_outdated(self, dataset: Dataset) -> bool:
        """Whether the settings changed since this sitting began, so that Meta's word on the token is of an old one."""
        return self.asker_now(dataset.pixel_id) != asker(self.settings, dataset)

    def count_call(self, dataset: str, outcome: Outcome, seconds: float) -> None:
        """For /metrics. Codes are Meta's; one that nobody listed is "other", so that there are never a thousand."""
        kind, said = type(outcome).__name__.lower(), outcome.said
        code, subcode = (
            "" if number is None else str(number) if number in _COUNTED else "other"
            for number in (said.code, said.subcode)
        )
        self.counters.add("relay_send_total", dataset=dataset, outcome=kind, code=code, subcode=subcode)
        self.counters.observe("relay_send_duration_seconds", seconds, outcome=kind)

    def meta_now(self) -> float:
        """Unix seconds of Meta's clock, as far as that is known."""
        return self.meta_clock.now(self.clock(), self.steady_clock())

    def tell_figures(self, dataset: str) -> None:
        """What somebody should look at, once."""
        if self.paces.are_all_refused(dataset) and self.paces.alert(dataset, "all_refused"):
            alert(dataset, "all_refused")
        if self.paces.has_too_many_errors(dataset):
            alert(dataset, "error_share")
        if self.meta_clock.is_news(self.clock(), self.steady_clock()):
            alert(dataset, "clock_skew")
