"""The words in which a lease is settled: what becomes of one event.

`delivery/` decides which one, an outbox writes it down. Whatever names a time means Unix seconds; `why` is a short
reason for operators, without anything of a person's.
"""

from typing import Literal

import msgspec


class Delivered(msgspec.Struct, frozen=True):
    """Meta has it. Its body is dropped."""


class RetryAt(msgspec.Struct, frozen=True):
    """Send again at `at` (Unix seconds); the attempt counts."""

    at: float
    why: str
    sent: bool = False
    """Meta may have it all the same."""
    alert: bool = False


class Dead(msgspec.Struct, frozen=True):
    """Meta refused this very event for good. Its body is kept, so that a person can replay it."""

    why: str


class Expired(msgspec.Struct, frozen=True):
    """It grew too old for Meta while it waited."""


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
"""The reason of a held event."""


class Hold(msgspec.Struct, frozen=True):
    """Not sent again by itself: Meta may have had it for 48 hours, and would count it twice. A person decides."""

    why: str


class Withhold(msgspec.Struct, frozen=True):
    """Never sent, and forgotten. `withheld`: its visitor did not agree, and the operator asks for that (RELAY_CONSENT).
    `withdrawn`: its visitor took it back."""

    why: Literal["withheld", "withdrawn"] = "withheld"


SUSPECT = "suspect"
"""The reason of an event in the lane of suspects."""


class Suspect(msgspec.Struct, frozen=True):
    """Meta refused it together with others, and did not say which of them it meant. It waits in a lane of its own, so
    that good events do not wait for it; the attempt does not count."""

    at: float
    """Unix seconds from which it may be tried, apart from others."""
    sent: bool = False
    """Meta may have it all the same."""


Verdict = Delivered | RetryAt | Dead | Expired | Park | Hold | Withhold | Suspect
