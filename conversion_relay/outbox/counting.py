"""What is counted of events that end together, and how counted rows become figures. Each store keeps the rows its way.

In come events as they were leased and the state in which they ended, out come how many of what by event name: how long
they took, what they were worth, and of a few of them which match keys they carried. Nothing here reads or writes.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from conversion_relay.outbox.protocol import LeasedEvent
from conversion_relay.outbox.story import Figures, State

KEPT_HOURS = 31 * 24
MOST_NAMES = 100
"""Of one dataset; what has another name is counted as "other"."""
SAMPLE, ONE_IN = 4, 64
"""Events of each batch whose match keys are noted: so many, or this share of a large one."""
DELAYS = (1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 86_400, 604_800)
"""Seconds from accepted to delivered, in steps; the last one stands for everything slower too."""
KEYS = frozenset(
    {
        *("em", "ph", "fbc", "fbp", "external_id", "client_ip_address", "client_user_agent", "fn", "ln", "ct", "st"),
        *("zp", "country", "db", "ge", "fb_login_id", "lead_id"),
    }
)
SALES = frozenset({"Purchase", "Subscribe", "Donate"})
"""What a person calls turnover."""

Counted = Counter[tuple[str, str]]
"""(event name, what) -> how much; what: delay:SECONDS, dead, expired, worth:EUR, sampled, key:em."""


def counted(state: State, events: Sequence[LeasedEvent], now: float) -> Counted:
    """Of events that ended so at `now` (Unix seconds); nothing for a state that no figure is about."""
    found: Counted = Counter()
    if state == "delivered":
        # What was put together was accepted at one moment: a batch has few.
        for (name, accepted_at), n in Counter(map(_name_and_moment, events)).items():
            found[name, _delay(now - accepted_at)] += n
        _note_worth(found, events)
        _note_keys(found, events[: max(SAMPLE, len(events) // ONE_IN)])
    elif state in ("dead", "expired"):
        found.update([(event.event_name, state) for event in events])
    return found


def _delay(seconds: float) -> str:
    return _DELAYS[bisect_left(_STEPS, seconds)]


def _note_worth(found: Counted, events: Sequence[LeasedEvent]) -> None:
    """A value that is no plain amount is not added: it would spoil the sum for good."""
    for event in [event for event in events if event.event_name in SALES]:
        try:
            sale = _sales.decode(event.body).custom_data
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        amount, code = _amount(sale.value), sale.currency
        if 0 < amount < 1e12 and isinstance(code, str) and len(code) == 3 and code.isascii() and code.isalpha():
            found[event.event_name, f"worth:{code.upper()}"] += amount  # type: ignore[assignment]


def _amount(value: object) -> float:
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _note_keys(found: Counted, events: Sequence[LeasedEvent]) -> None:
    for event in events:
        try:
            carried = _people.decode(event.body).user_data
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        found.update([(event.event_name, what) for what in ("sampled", *map("key:{}".format, KEYS & carried.keys()))])


class _Sale(msgspec.Struct, frozen=True):
    value: Any = None
    currency: Any = None


class _Sold(msgspec.Struct):
    custom_data: _Sale = _Sale()


class _Known(msgspec.Struct):
    user_data: dict[str, msgspec.Raw] = {}


_name_and_moment = attrgetter("event_name", "accepted_at")
_sales, _people = msgspec.json.Decoder(_Sold), msgspec.json.Decoder(_Known)
_STEPS = DELAYS[:-1]
_DELAYS = [f"delay:{seconds}" for seconds in DELAYS]


# -- and back ----------------------------------------------------------------------------------------------------------


def hour_of(at: float) -> int:
    """The hour in which this moment lies, counted from 1970."""
    return int(at // 3_600)


def first_hour(at: float) -> int:
    """The first hour that begins at this moment or later."""
    return -int(-at // 3_600)


def as_figures(rows: Iterable[tuple[Any, ...]]) -> list[Figures]:
    """Of (dataset, event name, hour, what, n): one for each of the first three, in the order of the rows."""
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    for dataset, name, hour, what, n in rows:
        found.setdefault((dataset, name, hour), {})[what] = n
    return [_figures(*place, whats) for place, whats in found.items()]


def _figures(dataset: str, name: str, hour: int, whats: dict[str, float]) -> Figures:
    parted: dict[str, dict[str, Any]] = {"delay": {}, "worth": {}, "key": {}}
    for what, n in whats.items():
        kind, _, of = what.partition(":")
        if kind in parted:
            parted[kind][of] = n if kind == "worth" else int(n)
    return Figures(
        dataset=dataset,
        event_name=name,
        hour=hour * 3_600,
        delays={int(most): n for most, n in parted["delay"].items()},
        dead=int(whats.get("dead", 0)),
        expired=int(whats.get("expired", 0)),
        worth=parted["worth"],
        sampled=int(whats.get("sampled", 0)),
        keys=parted["key"],
    )
