"""What a store that lives in a server can tell about it, for `doctor`."""

from typing import Protocol, runtime_checkable

import msgspec


class ServerFact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about the server."""

    name: str
    what: str
    fix: str | None = None
    is_error: bool = False


@runtime_checkable
class Served(Protocol):
    """A store in a server that can be asked how it is."""

    def server(self) -> list[ServerFact]:
        """Version, settings that durability rests on, what keeps old rows, clock."""
