"""The words in which a lease is settled: what becomes of one event."""

from typing import Literal

import msgspec


class Delivered(msgspec.Struct, frozen=True):
    pass


class RetryAt(msgspec.Struct, frozen=True):
    """Send again at `at` (Unix seconds); the attempt counts."""

    at: float
    why: str
    sent: bool = False
    """Meta may have it all the same."""
    alert: bool = False


class Dead(msgspec.Struct, frozen=True):
    why: str


class Expired(msgspec.Struct, frozen=True):
    pass


class Park(msgspec.Struct, frozen=True):
    """Leave the whole dataset alone until `until` (Unix seconds); the attempt does not count. The event waits as if
    nothing had been tried, so that it goes as soon as the dataset does: when a new token came, not a minute later."""

    until: float
    why: str
    alert: bool = False
    """Somebody has to do something: a token, a permission, a wrong id."""
    sent: bool = False
    """Meta may have it all the same."""
    aside: float | None = None
    """Until then (Unix seconds) this event lets others go before it."""


HELD = "ambiguous_late"


class Hold(msgspec.Struct, frozen=True):
    """Not sent again by itself: Meta may have it since so long that it would be counted twice. Waits for a person."""

    why: str


class Withhold(msgspec.Struct, frozen=True):
    """Never sent, and forgotten. `withheld`: its visitor did not agree, which the operator asks for by now
    (RELAY_CONSENT); `withdrawn`: its visitor took it back."""

    why: Literal["withheld", "withdrawn"] = "withheld"


Verdict = Delivered | RetryAt | Dead | Expired | Park | Hold | Withhold
