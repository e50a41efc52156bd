"""What became of events, by name and hour (`sqlite/figures.py` tells why and what).

Here the worker counts: it has names and bodies in its hands when it settles, and the time of acceptance from its claim.
So the database's cores, which all workers share, do not read a body for it.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.outbox.postgres.books import slot
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.leases import Ended
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.protocol import LeasedEvent
from conversion_relay.outbox.story import Figures

KEPT_HOURS = 31 * 24
MOST_NAMES = 100
SAMPLE = 16
DELAYS = (1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 86_400, 604_800)
KEYS = frozenset(
    ("em", "ph", "fbc", "fbp", "external_id", "client_ip_address", "client_user_agent", "fn", "ln", "ct", "st", "zp")
) | {"country", "db", "ge", "fb_login_id", "lead_id"}
SALES = frozenset({"Purchase", "Subscribe", "Donate"})
Cells = Counter[tuple[int, str, int, str]]


class Tallier:
    """Counts what ended, within MOST_NAMES names of each dataset."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: dict[int, set[str]] = defaultdict(set)
        self._lock = threading.Lock()

    def cells(
        self, dataset: int, ended: Ended, events: Mapping[int, LeasedEvent], accepted: Mapping[int, float], now: float
    ) -> Cells:
        cells: Cells = Counter()
        hour = int(now // 3_600)
        for state, keys in ended:
            these = [events[key] for key in keys]
            names = {event.event_name: self._name(dataset, event.event_name) for event in these}
            if state in ("dead", "expired"):
                cells.update((dataset, names[event.event_name], hour, state) for event in these)
            elif state == "delivered":
                for event in these:
                    delay = f"delay:{_step(now - accepted.get(event.key, now))}"
                    cells[dataset, names[event.event_name], hour, delay] += 1
                    if event.event_name in SALES:
                        cells.update(_worth(dataset, event, hour))
                for event in these[:SAMPLE]:
                    for what in _sampled(event):
                        cells[dataset, names[event.event_name], hour, what] += 1
        return cells

    def _name(self, dataset: int, name: str) -> str:
        with self._lock:
            names = self._names[dataset]
            if name in names:
                return name
        found = self._database.read("SELECT DISTINCT event_name FROM relay.figure WHERE dataset = %b", (dataset,))
        with self._lock:
            names.update(row[0] for row in found)
            if name not in names and len(names) >= MOST_NAMES:
                return "other"
            names.add(name)
            return name


def _step(delay: float) -> int:
    return next((most for most in DELAYS if delay <= most), DELAYS[-1])


class _Body(msgspec.Struct):
    user_data: Any = None
    custom_data: Any = None


_decode = msgspec.json.Decoder(_Body).decode


def _read(body: bytes) -> _Body:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Body()


def _worth(dataset: int, event: LeasedEvent, hour: int) -> Cells:
    """A value that is no plain amount is not added: it would spoil the sum for good."""
    custom = _read(event.body).custom_data
    value, currency = (custom.get("value"), custom.get("currency")) if isinstance(custom, dict) else (None, None)
    try:
        amount = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except ValueError:
        amount = 0.0
    is_code = isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isalpha()
    cells: Cells = Counter()
    if is_code and 0 < amount < 1e12:
        cells[dataset, event.event_name, hour, f"worth:{currency.upper()}"] = amount  # type: ignore[assignment,union-attr]
    return cells


def _sampled(event: LeasedEvent) -> list[str]:
    user = _read(event.body).user_data
    return ["sampled", *(f"key:{key}" for key in user if key in KEYS)] if isinstance(user, dict) else ["sampled"]


def write(session: Session, cells: Cells) -> None:
    told = sorted((*cell, float(n)) for cell, n in cells.items())
    if told:
        session.run(_WRITE, (slot(), *(list(column) for column in zip(*told, strict=True))))


_WRITE = """
INSERT INTO relay.figure AS f SELECT dataset, event_name, hour, what, %b, n
FROM unnest(%b::int[], %b::text[], %b::int[], %b::text[], %b::float8[]) AS c (dataset, event_name, hour, what, n)
ON CONFLICT (dataset, event_name, hour, what, slot) DO UPDATE SET n = f.n + excluded.n
"""
PRUNE = "DELETE FROM relay.figure WHERE hour < %b::int RETURNING 1"


def figures(rows: Sequence[tuple[Any, ...]]) -> list[Figures]:
    """Of FIGURES' rows: by dataset, name and hour, the hours rising."""
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    for dataset, name, hour, what, n in rows:
        found.setdefault((dataset, name, hour), {})[what] = n
    return [_figures(*place, whats) for place, whats in found.items()]


FIGURES = """
SELECT d.name, event_name, hour, what, sum(n) FROM relay.figure JOIN relay.dataset d ON d.id = dataset
WHERE hour >= %b::int GROUP BY 1, 2, 3, 4 ORDER BY 3, 1, 2
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
