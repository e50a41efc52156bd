"""The rows of the page of datasets: how each is doing, who may send to it, and where copies of its events go. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from conversion_relay.delivery.attention import Known, at_work_now, is_delivered
from conversion_relay.meta.remedies import remedy
from conversion_relay.outbox import Counts
from conversion_relay.settings import Settings
from conversion_relay.telemetry import CounterKey

NO_BOOK = Counts()
MANY = 10
"""From so many datasets on the page asks which ones to show."""
STATES = {"held": "does not send", "delivered": "open"}
"""A row's colour, and the word for it."""


class DatasetRows:
    """`counted`: by all processes of this server."""

    def __init__(self, settings: Settings, found: Known, counted: Mapping[CounterKey, float]) -> None:
        self._settings, self._found, self._states = settings, found, at_work_now(found)
        self._used = {
            labels: at for (name, labels), at in counted.items() if name == "relay_api_key_used_timestamp_seconds"
        }
        self._bots = {labels: int(n) for (name, labels), n in counted.items() if name == "relay_bot_events_total"}
        self.has_copies = any(dataset.copies_to for dataset in settings.datasets)

    def fitting(self, names: Iterable[str], text: str) -> list[str]:
        """Those whose id or origins hold `text`."""
        text = text.casefold()
        return [name for name in names if any(text in told for told in (name, *self._origins(name)))]

    def _origins(self, name: str) -> list[str]:
        dataset = self._settings.dataset(name)
        return sorted(dataset.allowed_origins) if dataset else []

    def row(self, name: str) -> dict[str, Any]:
        found, dataset, state = self._found, self._settings.dataset(name), self._states.get(name)
        book, told = found.books.get(name, NO_BOOK), remedy(state.why) if state and state.why else None
        parked = bool(state and state.why)
        word = "not configured" if dataset is None else "waits" if parked else "open"
        if dataset is not None and is_delivered(found) is False:
            word, parked = "nobody delivers", True
        copied_to, copied_from = copies_of(self._settings, name)
        return {
            "name": name,
            "state": word,
            "colour": "held" if parked or dataset is None else "delivered",
            "why": told.what if told else (state.why if state else None),
            "waits": book.pending + book.leased,
            "in_flight": state.in_flight if state else 0,
            "errors": state.error_share if state else 0.0,
            "origins": self._origins(name),
            "copied_to": copied_to,
            "copied_from": copied_from,
            "api_keys": self._uses(name, len(dataset.api_keys)) if dataset else [],
            "parked_until": state.parked_until if state and state.parked_until > found.now else None,
            "test": bool(dataset and dataset.test_event_code),
            "bots": dataset.bots if dataset else "",
            "bot_events": sum(n for labels, n in self._bots.items() if ("dataset", name) in labels),
        }

    def refuses_token(self, name: str) -> bool:
        """Whether Meta refuses its token now."""
        state = self._states.get(name)
        return state is not None and "unauthorized" in (state.why, *state.troubles)

    def _uses(self, dataset: str, n: int) -> list[tuple[int, float | None]]:
        """By the place of each API key: when it was used last. The key itself is shown nowhere."""
        places = range(1, n + 1)
        return [(place, self._used.get((("dataset", dataset), ("key", str(place)))) or None) for place in places]


def copies_of(settings: Settings, name: str) -> tuple[list[str], list[str]]:
    """The datasets that get a copy of each of its events, and those of whose events it gets one."""
    dataset = settings.dataset(name)
    return list(dataset.copies_to) if dataset else [], [d.pixel_id for d in settings.datasets if name in d.copies_to]
