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

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from conversion_relay.outbox.sqlite.books import Read, read
from conversion_relay.outbox.story import SideCounts

MOST_NAMES = 200
"""Event names of one dataset that a page may bring up; anybody can write a page's report."""
PIXEL_SECONDS = 8 * 86_400
LOOKED_AT = 5_000


def count_stored(db: apsw.Connection, first_key: int) -> None:
    """Events were just stored, whose keys begin with `first_key`."""
    ((found,),) = read(db, _STORED, (first_key,))
    rows = _rows_decoder.decode(found)
    _add(db, [(dataset, name, "server_only", n - met) for dataset, name, n, met in rows])
    _meet(db, [(dataset, name, met) for dataset, name, _, met in rows if met], "browser_only")


_STORED = """
SELECT json_group_array(json_array(dataset, event_name, n, met)) FROM (
  SELECT event.dataset, event.event_name, count(*) AS n, count(pixel.at) AS met
  FROM event LEFT JOIN pixel USING (event_id, dataset, event_name) WHERE event.key >= ? GROUP BY 1, 2)
"""


def note_pixel(db: apsw.Connection, dataset: int, pairs: Sequence[tuple[str, str]], now: float) -> None:
    reports = _encode(_within_names(db, dataset, pairs)).decode()
    ((found,),) = read(db, _NEW_REPORTS, (dataset, reports))
    db.execute(_INSERT_REPORTS, (dataset, reports, now))
    rows = _rows_decoder.decode(found)
    _add(db, [(dataset, name, "browser_only", n - met) for _, name, n, met in rows])
    _meet(db, [(dataset, name, met) for _, name, _, met in rows if met], "server_only")


def _within_names(db: apsw.Connection, dataset: int, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without what would bring up more than MOST_NAMES names."""
    ((found,),) = read(db, _NAMES, (dataset,))
    known_names = set(_names_decoder.decode(found))
    kept = []
    for name, event_id in dict.fromkeys(pairs):
        if name in known_names or len(known_names) < MOST_NAMES:
            known_names.add(name)
            kept.append((name, event_id))
    return kept


_NAMES = "SELECT json_group_array(DISTINCT event_name) FROM meter WHERE dataset = ?"
# A report that is known counts nothing.
_NEW_REPORTS = """
SELECT json_group_array(json_array(?1, name, n, met)) FROM (
  SELECT value ->> 0 AS name, count(*) AS n, count(event.key) AS met
  FROM json_each(?2) LEFT JOIN event ON event_id = value ->> 1 AND dataset = ?1 AND event_name = value ->> 0
  WHERE NOT EXISTS (SELECT 1 FROM pixel WHERE event_id = value ->> 1 AND dataset = ?1 AND event_name = value ->> 0)
  GROUP BY 1)
"""
_INSERT_REPORTS = """
INSERT INTO pixel SELECT value ->> 1, ?1, value ->> 0, ?3 FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING
"""


def _meet(db: apsw.Connection, met: list[tuple[int, str, int]], side: str) -> None:
    """So many of each (dataset, event name) came from `side` alone until now."""
    if met:
        _add(db, [(dataset, name, "both", n) for dataset, name, n in met])
        db.execute(_TAKE, (_encode(met).decode(), side))


def _add(db: apsw.Connection, cells: list[tuple[int, str, str, int]]) -> None:
    db.execute(_ADD, (_encode(cells).decode(),))


_ADD = """
INSERT INTO meter SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE value ->> 3
ON CONFLICT DO UPDATE SET n = n + excluded.n
"""
# Not below zero: a salvaged file may have lost the reports that were counted.
_TAKE = """
UPDATE meter SET n = max(0, n - (met.value ->> 2)) FROM json_each(?1) AS met
WHERE dataset = met.value ->> 0 AND event_name = met.value ->> 1 AND side = ?2
"""


Report = tuple[float, str, int, str]
"""(at, event id, dataset, event name): the order in which old reports are looked at."""
FIRST: Report = (-1e18, "", 0, "")


def over(read_rows: Read, now: float, after: Report) -> tuple[list[Report], Report | None]:
    """Of the next LOOKED_AT reports that are old: those that may go, and the last one, if there may be more. One whose
    event is still in the ledger stays as long as that, or it could be counted again."""
    found = read_rows(_OLD, (now - PIXEL_SECONDS, *after, LOOKED_AT))
    reports = [(at, event_id, dataset, name) for at, event_id, dataset, name, is_known in found if not is_known]
    return reports, None if len(found) < LOOKED_AT else found[-1][:4]


def drop(db: apsw.Connection, reports: Sequence[Report], now: float) -> int:
    """Those of `over`; how many. The event of one may have come meanwhile."""
    db.execute(_DROP, (_encode(reports).decode(), now - PIXEL_SECONDS))
    return db.changes()


_IS_KNOWN = """
EXISTS (SELECT 1 FROM event WHERE event.event_id = pixel.event_id AND event.dataset = pixel.dataset
  AND event.event_name = pixel.event_name)
"""
_OLD = f"""
SELECT at, event_id, dataset, event_name, {_IS_KNOWN} FROM pixel
WHERE at < ? AND (at, event_id, dataset, event_name) > (?, ?, ?, ?) ORDER BY at, event_id, dataset, event_name LIMIT ?
"""
_DROP = f"""
DELETE FROM pixel WHERE (event_id, dataset, event_name) IN (
  SELECT value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)) AND at < ? AND NOT {_IS_KNOWN}
"""


def forget(db: apsw.Connection, keys: Any) -> None:
    """The reports of these events, which leave the ledger."""
    db.execute(_FORGET, (keys,))


_FORGET = """
DELETE FROM pixel WHERE (event_id, dataset, event_name) IN (
  SELECT event_id, dataset, event_name FROM event WHERE key IN carray(?))
"""


def deduplication(read_rows: Read) -> dict[str, dict[str, SideCounts]]:
    found: dict[str, dict[str, dict[str, int]]] = {}
    for dataset, name, side, n in read_rows(_METER):
        found.setdefault(dataset, {}).setdefault(name, {})[side] = n
    return {dataset: {name: SideCounts(**sides) for name, sides in names.items()} for dataset, names in found.items()}


_METER = "SELECT name, event_name, side, n FROM meter JOIN dataset ON id = dataset ORDER BY 1, 2"


NEWEST_EVENTS = """
SELECT name, event_name, count(*), count(pixel.at) FROM (
  SELECT *, row_number() OVER (PARTITION BY dataset, event_name ORDER BY key DESC) AS place
  FROM (SELECT key, dataset, event_name, event_id FROM event ORDER BY key DESC LIMIT ?)) AS newest
LEFT JOIN pixel USING (event_id, dataset, event_name) JOIN dataset ON id = newest.dataset WHERE place <= ? GROUP BY 1, 2
"""
NEWEST_REPORTS = """
SELECT name, event_name, count(*), count(event.key) FROM (
  SELECT *, row_number() OVER (PARTITION BY dataset, event_name ORDER BY at DESC) AS place
  FROM (SELECT at, dataset, event_name, event_id FROM pixel ORDER BY at DESC LIMIT ?)) AS newest
LEFT JOIN event USING (event_id, dataset, event_name) JOIN dataset ON id = newest.dataset WHERE place <= ? GROUP BY 1, 2
"""


_encode = msgspec.json.Encoder().encode
_rows_decoder = msgspec.json.Decoder(list[tuple[int, str, int, int]])
_names_decoder = msgspec.json.Decoder(list[str])
