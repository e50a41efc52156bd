"""What became of events, by name and hour: the figures of the overview and of the match keys.

What could go wrong. A page that counts five million rows takes seconds, and takes the disk from whoever accepts events.
A counter in each `put` costs every request. Names are made by whoever sends: a thousand of them would fill the table.
And there is one thread that writes: what it counts, everybody waits for.

The rule. Nothing is counted when an event is put. When events end, they end together (up to a thousand), and whoever
settles them has them in hand: it counts them by name (`told`), and the thread that writes only adds a few rows in the
transaction that ends them (`add`). A delivered event's body is deleted in that transaction, so what the body tells is
noted, too: what a sale was worth, and of a few events of each batch which match keys they carried. Of a trickle nearly
every event is looked at; of a flood a sample, and pages say so.

Should a person have erased one of the events while it was leased, the others are counted again, by their keys.

Rejected: an index over the time of the end (every delivered event would pay for it); to count in SQL (the thread that
writes took 60 % longer); to look into every body (to parse JSON takes a third of the time that a settlement takes).
"""

import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw
import msgspec

from conversion_relay.outbox.protocol import LeasedEvent
from conversion_relay.outbox.sqlite.look import Read
from conversion_relay.outbox.story import Figures
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Verdict

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

Rows = list[tuple[str, str, float]]
"""Event name, what is counted, how much is added."""


class Told(NamedTuple):
    """Events that are settled alike, and what is counted of them."""

    verdict: Verdict
    events: Sequence[LeasedEvent]
    rows: Rows


def told(verdict: Verdict, events: Sequence[LeasedEvent], now: float) -> Told:
    """Counted by whoever settles. Nothing is where the events do not end."""
    return Told(verdict, events, _rows(verdict, events, now))


def _rows(verdict: Verdict, events: Sequence[LeasedEvent], now: float) -> Rows:
    found: Counter[tuple[str, str]] = Counter()
    match verdict:
        case Delivered():
            found.update([(event.event_name, _delay(now - event.accepted_at)) for event in events])
            _note_worth(found, events)
            _note_keys(found, events[: max(SAMPLE, len(events) // ONE_IN)])
        case Dead():
            found.update([(event.event_name, "dead") for event in events])
        case Expired():
            found.update([(event.event_name, "expired") for event in events])
    return [(name, what, n) for (name, what), n in found.items()]


def _delay(seconds: float) -> str:
    return _DELAYS[bisect_left(_STEPS, seconds)]


def _note_worth(found: Counter[tuple[str, str]], events: Sequence[LeasedEvent]) -> None:
    """A value that is no plain amount is not added: it would spoil the sum for good."""
    for event in events:
        if event.event_name in SALES:
            try:
                sale = _sales.decode(event.body).custom_data
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            if _CURRENCY.fullmatch(sale.currency) and 0 < sale.value < 1e12:
                found[event.event_name, f"worth:{sale.currency.upper()}"] += sale.value  # type: ignore[assignment]


def _note_keys(found: Counter[tuple[str, str]], events: Sequence[LeasedEvent]) -> None:
    for event in events:
        try:
            carried = _people.decode(event.body).user_data
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        found.update([(event.event_name, what) for what in ("sampled", *map("key:{}".format, KEYS & carried.keys()))])


def add(db: apsw.Connection, dataset: int, told: Told, keys: "array[int]", ended: int, now: float) -> None:
    """In the transaction that ends these events, after they did. `ended`: how many of them."""
    rows = told.rows
    if rows and ended != len(keys):
        these = {key for (key,) in db.execute(_ENDED, (apsw.carray(keys), now)).fetchall()}
        rows = _rows(told.verdict, [event for event in told.events if event.key in these], now)
    if rows:
        db.execute(_ADD, (dataset, int(now // 3_600), _encode(rows).decode()))


class _Sale(msgspec.Struct, frozen=True):
    value: int | float = 0
    currency: str = ""


class _Sold(msgspec.Struct):
    custom_data: _Sale = _Sale()


class _Known(msgspec.Struct):
    user_data: dict[str, msgspec.Raw] = {}


_sales, _people = msgspec.json.Decoder(_Sold), msgspec.json.Decoder(_Known)
_encode = msgspec.json.Encoder().encode
_CURRENCY = re.compile("[A-Za-z]{3}")
_STEPS = DELAYS[:-1]
_DELAYS = [f"delay:{seconds}" for seconds in DELAYS]
_ENDED = """
SELECT key FROM event WHERE key IN carray(?) AND settled_at = ? AND state IN ('delivered', 'dead', 'expired')
"""
_ADD = f"""
INSERT INTO figure SELECT ?1, iif(EXISTS (SELECT 1 FROM figure WHERE dataset = ?1 AND event_name = name)
  OR (SELECT count(DISTINCT event_name) FROM figure WHERE dataset = ?1) < {MOST_NAMES}, name, 'other'), ?2, what, sum(n)
FROM (SELECT value ->> 0 AS name, value ->> 1 AS what, value ->> 2 AS n FROM json_each(?3))
GROUP BY 1, 2, 3, 4 ON CONFLICT DO UPDATE SET n = n + excluded.n
"""


def prune(db: apsw.Connection, now: float) -> None:
    db.execute("DELETE FROM figure WHERE hour < ?", (int(now // 3_600) - KEPT_HOURS,))


def figures(read: Read, since: float) -> list[Figures]:
    """By dataset, name and hour, the hours rising."""
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    for dataset, name, hour, what, n in read(_FIGURES, (int(since // 3_600),)):
        found.setdefault((dataset, name, hour), {})[what] = n
    return [_figures(*place, whats) for place, whats in found.items()]


def figure_sums(read: Read, since: float, until: float) -> list[Figures]:
    """By dataset and name, all hours of the period in one."""
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    for dataset, name, what, n in read(_SUMS, (_first(since), _first(until))):
        found.setdefault((dataset, name, _first(since)), {})[what] = n
    return [_figures(*place, whats) for place, whats in found.items()]


def delivered_by_hour(read: Read, since: float, until: float) -> list[tuple[str, str, int, int]]:
    rows = read(_DELIVERED_BY_HOUR, (_first(since), _first(until)))
    return [(dataset, name, hour * 3_600, int(n)) for dataset, name, hour, n in rows]


def _first(at: float) -> int:
    """The first hour that begins then or later."""
    return -int(-at // 3_600)


# The rows of a name lie beside each other, by hour: both are one walk through the table, without sorting.
_SUMS = """
SELECT name, event_name, what, n FROM (
  SELECT dataset, event_name, what, sum(n) AS n FROM figure WHERE hour >= ? AND hour < ? GROUP BY 1, 2, 3
) JOIN dataset ON id = dataset
"""
_DELIVERED_BY_HOUR = """
SELECT name, event_name, hour, n FROM (
  SELECT dataset, event_name, hour, sum(n) AS n FROM figure
  WHERE hour >= ? AND hour < ? AND what >= 'delay:' AND what < 'delay;' GROUP BY 1, 2, 3
) JOIN dataset ON id = dataset
"""
_FIGURES = """
SELECT name, event_name, hour, what, n FROM figure JOIN dataset ON id = dataset WHERE hour >= ? ORDER BY 3, 1, 2
"""


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
