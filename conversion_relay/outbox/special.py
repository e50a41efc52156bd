"""What one kind of store has and others cannot: parts beside those of `protocol.py`, asked for in the same way."""

from typing import Protocol, runtime_checkable

from conversion_relay.outbox.story import Figures, ServerFact


@runtime_checkable
class Sums(Protocol):
    """Figures of whole hours, added up by the store: a week of thirty datasets is half a million of them."""

    def figure_sums(self, since: float, until: float) -> list[Figures]:
        """One for each dataset and name, of the hours that begin from `since` on and before `until`."""

    def delivered_by_hour(self, since: float, until: float) -> list[tuple[str, str, int, int]]:
        """(dataset, name, the hour's begin, how many)."""


@runtime_checkable
class Served(Protocol):
    """A store in a server that can be asked how it is."""

    def server(self) -> list[ServerFact]:
        """Version, settings that durability rests on, what keeps old rows, clock."""


@runtime_checkable
class SetsAside(Protocol):
    """A store that keeps files beside the outbox which hold events."""

    def set_aside(self) -> list[str]:
        """Names of the files that `erase` cannot reach: damaged ones, and copies of deleted ones."""
