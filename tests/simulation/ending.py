"""How a world ended."""

import hashlib

import msgspec


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """`why`: what did not hold; None where everything did. `history`: its lines, in virtual time. `marks`: what was
    reached, and how often."""

    seed: int
    why: str | None
    virtual_hours: float
    history: list[str]
    digest: str = ""
    """Of the history."""
    marks: dict[str, int]
    events: int = 0
    calls: int = 0
    core_seconds: float = 0.0
    """What this world took of a processor."""

    def describe(self) -> str:
        return (
            f"seed {self.seed}: {self.virtual_hours:.1f} h, {self.events} events, {self.calls} calls, {self.digest}:"
            f" {self.why or 'holds'}"
        )


def digest(history: list[str]) -> str:
    """The same history has the same digest on every machine.

    >>> digest(["1.000 begin"]) == digest(["1.000 begin"]) != digest([])
    True
    """
    return hashlib.sha256("\n".join(history).encode()).hexdigest()[:16]
