"""The de-duplication meter: which events Meta got from the server, from the page's pixel, or from both.

What could go wrong. Meta counts an event once only if server and pixel send the same id, and nobody notices when they
do not. The report of a page may come before the event, after it, twice, or without one; the event may come twice,
too. Counting in memory loses all that at a restart; counting by a query reads the whole ledger.

The rule: a table of counts (`meter`) moves in the same transactions as the events and the reports. Each event is in
exactly one of three cells:

    event stored, no report known      server_only + 1
    event stored, report known         both + 1, browser_only - 1
    report new, no event known         browser_only + 1
    report new, event known            both + 1, server_only - 1

A report is a row of `pixel`; a second one conflicts and counts nothing, and so does a duplicate event, which is not
stored. So a row of `pixel` whose event is in the ledger was counted as `both`, any other as `browser_only`. The two
are dropped together: a report whose event is still known stays as long as the event, or it could be counted again.

Anybody can write a page's report, so a dataset has at most MOST_NAMES event names here, and no cell goes below zero
after a salvage that lost reports.

Rejected: asking Meta (its figures come a day later, and only for the last 48 hours); a counter without rows (a report
that is repeated would count twice).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from conversion_relay.outbox.protocol import SideCounts
from conversion_relay.outbox.sqlite.look import Read

MOST_NAMES = 200
"""Event names of one dataset that a page may bring up; anybody can write a page's report."""
PIXEL_SECONDS = 8 * 86_400
PRUNED_AT_ONCE = 5_000


def count_stored(db: apsw.Connection, stored: Mapping[tuple[int, str], int], first_key: int) -> None:
    """Events were just stored, so many of each (dataset, event name); their keys begin with `first_key`."""
    both: Counter[tuple[int, str]] = Counter()
    if stored and db.execute("SELECT EXISTS (SELECT 1 FROM pixel)").fetchall() == [(1,)]:
        for dataset, name, n in db.execute(_REPORTED_BEFORE, (first_key,)):
            both[dataset, name] = n
    for (dataset, name), n in stored.items():
        met = both[dataset, name]
        _add(db, dataset, name, both=met, browser_only=-met, server_only=n - met)


_REPORTED_BEFORE = """
SELECT event.dataset, event.event_name, count(*) FROM event JOIN pixel USING (event_id, dataset, event_name)
WHERE event.key >= ? GROUP BY 1, 2
"""


def note_pixel(db: apsw.Connection, dataset: int, pairs: Sequence[tuple[str, str]], now: float) -> None:
    known_names = {name for (name,) in db.execute(_NAMES, (dataset,))}
    for name, event_id in pairs:
        if name not in known_names and len(known_names) >= MOST_NAMES:
            continue
        known_names.add(name)
        db.execute("INSERT INTO pixel VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (event_id, dataset, name, now))
        if db.changes() == 0:
            continue
        if db.execute(_IS_STORED, (event_id, dataset, name)).fetchall():
            _add(db, dataset, name, both=1, server_only=-1)
        else:
            _add(db, dataset, name, browser_only=1)


_NAMES = "SELECT DISTINCT event_name FROM meter WHERE dataset = ?"
_IS_STORED = "SELECT 1 FROM event WHERE event_id = ? AND dataset = ? AND event_name = ?"


def prune(db: apsw.Connection, now: float) -> int:
    """Some of the old reports; how many. One whose event is still in the ledger stays as long as that, or it could be
    counted again."""
    db.execute(_PRUNE, (now - PIXEL_SECONDS, PRUNED_AT_ONCE))
    return db.changes()


_PRUNE = """
DELETE FROM pixel WHERE (event_id, dataset, event_name) IN (
  SELECT event_id, dataset, event_name FROM pixel WHERE at < ? AND NOT EXISTS (
    SELECT 1 FROM event WHERE event.event_id = pixel.event_id AND event.dataset = pixel.dataset
      AND event.event_name = pixel.event_name) LIMIT ?)
"""


def forget(db: apsw.Connection, keys: Any) -> None:
    """The reports of these events, which leave the ledger."""
    db.execute(_FORGET, (keys,))


_FORGET = """
DELETE FROM pixel WHERE (event_id, dataset, event_name) IN (
  SELECT event_id, dataset, event_name FROM event WHERE key IN carray(?))
"""


def deduplication(read: Read) -> dict[str, dict[str, SideCounts]]:
    found: dict[str, dict[str, dict[str, int]]] = {}
    for dataset, name, side, n in read(_METER):
        found.setdefault(dataset, {}).setdefault(name, {})[side] = n
    return {dataset: {name: SideCounts(**sides) for name, sides in names.items()} for dataset, names in found.items()}


_METER = "SELECT name, event_name, side, n FROM meter JOIN dataset ON id = dataset ORDER BY 1, 2"


def _add(db: apsw.Connection, dataset: int, name: str, **moved: int) -> None:
    for side, n in moved.items():
        if n:
            db.execute(_COUNT, (dataset, name, side, n))


# Not below zero: a salvaged file may have lost the reports that were counted.
_COUNT = """
INSERT INTO meter VALUES (?1, ?2, ?3, max(0, ?4)) ON CONFLICT DO UPDATE SET n = max(0, n + ?4)
"""
