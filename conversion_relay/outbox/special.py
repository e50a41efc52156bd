"""What one kind of store has and others cannot: parts beside those of `protocol.py`, asked for in the same way."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from conversion_relay.event import SealedEvent
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


@runtime_checkable
class Shared(Protocol):
    """A store that others can write into."""

    def of_others(self) -> int:
        """How many of the dead letters that `dead` saw last are no relay's; they are none of its stories."""


@runtime_checkable
class Joins(Protocol):
    """A store in a database that its callers may use too: an order and its Purchase in one transaction."""

    def put_within(self, connection: Any, events: Sequence[SealedEvent], now: float) -> None:
        """Kept when the transaction of this connection commits. What the database says against it is the caller's."""


@runtime_checkable
class JoinsAsync(Protocol):
    """The same of its asynchronous callers."""

    async def put_within_async(self, connection: Any, events: Sequence[SealedEvent], now: float) -> None:
        """`Joins.put_within` by an asynchronous connection."""
