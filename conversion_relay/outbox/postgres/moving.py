"""Moves what an embedded outbox holds into PostgreSQL: the backlog, dead letters, the ledger, the figures.

What could go wrong. The move is stopped half-way, or the service goes on with the old file meanwhile; then an event is
lost, or sent from both.

The rules.
1. The service uses PostgreSQL first: new events go there while the old ones are moved, so nobody waits. A file that a
   living process still holds is not moved.
2. A step moves a thousand events in one transaction, together with the key that it came to (`moved`). Whoever starts
   again goes on behind it, if this file has the very same event under that key. The file's path tells nothing: a fleet
   has one under the same path on each machine, and a service that was started with the old address once more begins
   another one there. Its events were taken for moved, and were lost.
3. An event that PostgreSQL has already, since its copy came to the new place, is passed over by the unique index.
4. At the end the file is renamed (`cli/migrate.py`), so that a service that is started with the old address begins an
   empty file and sends nothing twice.
5. Who was seen or declined comes first: what is paid meanwhile is told to PostgreSQL, and a refusal that still lay in
   the file would be passed over.
6. Figures are added once: what was added is noted in the same transaction, by its digest. Two that move the same file
   at the same time (`cli/migrate.py` lets one) add neither an event nor a figure twice.

Rejected: claiming from the old store and putting into the new one. Attempts, "Meta may have it", held events, dead
letters and the ledger against copies would be lost.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import msgspec

from conversion_relay.outbox.postgres import visits
from conversion_relay.outbox.postgres.books import Datasets, Moves, write
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.dsn import read_dsn
from conversion_relay.outbox.postgres.keys import digest, first_key, period_of
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.postgres.storing import Storing

STEP = 1_000
Row = tuple[Any, ...]


class Moved(msgspec.Struct):
    events: int = 0
    """That are in PostgreSQL now and were not before."""
    known: int = 0
    """That came to PostgreSQL by themselves, or in an earlier run of this step."""
    visitors: int = 0


class Mover:
    """`step` until it returns False. The tables in PostgreSQL are there already."""

    def __init__(self, path: Path, url: str) -> None:
        self._old = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self._database = Database(read_dsn(url))
        self._datasets = Datasets(self._database)
        self._storing = Storing(self._database, self._datasets)
        self._names: dict[int, str] = dict(self._read("SELECT id, name FROM dataset"))
        self.done = Moved()
        self._noted, self._after = self._came_to()
        after = ""
        while visitors := self._read(_VISITORS, (after, STEP)):
            self.done.visitors += self._database.transact(partial(_write_visitors, visitors=visitors))
            after = visitors[-1][0]

    def _read(self, sql: str, values: Row = ()) -> list[Row]:
        return self._old.execute(sql, values).fetchall()

    def total(self) -> int:
        return int(self._read("SELECT count(*) FROM event")[0][0])

    def step(self) -> bool:
        """Whether there was something to move."""
        events = self._read(_EVENTS, (self._after, STEP))
        if not events:
            return False
        keys = self._keys(events)
        last = int(events[-1][0])
        mark = self._mark(last) or ""
        moved = self._database.transact(lambda session: self._write(session, events, keys, mark))
        self._noted, self._after = mark, last
        self.done.events += moved
        self.done.known += len(events) - moved
        return True

    def _came_to(self) -> tuple[str, int]:
        """How far an earlier run over this very file came."""
        noted = self._database.read("SELECT source, key FROM relay.moved ORDER BY key DESC")
        return next(((source, key) for source, key in noted if source == self._mark(key)), ("", 0))

    def _mark(self, key: int) -> str | None:
        """Of the event that this file has under the key: keys only grow, so a file with the same one has the same
        ones before it."""
        found = self._read("SELECT dataset, event_name, event_id, accepted_at FROM event WHERE key = ?", (key,))
        return _named("event", [(self._names[row[0]], *row[1:]) for row in found]) if found else None

    def _keys(self, events: Sequence[Row]) -> list[int]:
        for period in {period_of(row[6]) for row in events}:
            self._storing.parts.make(period)
        for dataset in {row[1] for row in events}:  # here, not in the transaction, which has a connection already
            self._datasets.make(self._names[dataset])
        numbers = self._storing.numbers(len(events))
        return [first_key(period_of(row[6])) | number for row, number in zip(events, numbers, strict=True)]

    def _write(self, session: Session, events: Sequence[Row], keys: Sequence[int], mark: str) -> int:
        answers = self._answers(session, events)
        rows = []
        for row, key in zip(events, keys, strict=True):
            _, dataset, name, event_id, at, expires_at, accepted_at, state, attempts, sent_at, *end = row
            settled_at, reason, answer, consent = end
            kept = "waiting" if state == "delivered" else state
            number, named = self._datasets.make(self._names[dataset]), digest(self._names[dataset], name, event_id)
            delivered_once = 1 if state == "delivered" else 0
            rows.append(
                (key, named, number, name, event_id, at, expires_at, float(accepted_at), kept,
                 attempts - delivered_once, sent_at, settled_at, reason, answers.get(answer), consent)
            )  # fmt: skip
        columns = [list(column) for column in zip(*rows, strict=True)]
        fresh = {key for (key,) in session.read(_INSERT, columns)}
        old_keys = {row[0]: key for row, key in zip(events, keys, strict=True) if key in fresh}
        self._beside(session, old_keys, answers)
        self._settled(session, [row for row in events if row[0] in old_keys], old_keys, answers)
        moves: Moves = Counter()
        for row in events:
            if row[0] in old_keys:
                number = self._datasets.make(self._names[row[1]])
                moves[number, "accepted"] += 1
                moves[number, "pending" if row[7] == "waiting" else row[7]] += 1
        write(session, moves)
        session.run("DELETE FROM relay.moved WHERE source = %b", (self._noted,))
        session.run(_NOTE, (mark, events[-1][0]))
        return len(fresh)

    def _answers(self, session: Session, events: Sequence[Row]) -> dict[int, int]:
        """The new ids of what Meta said to these events."""
        first, last = events[0][0], events[-1][0]
        found: dict[int, int] = {}
        for old, *attempt in self._read(_ANSWERS, (first, last, first, last)):
            found[old] = session.read(_INSERT_ANSWER, attempt)[0][0]
        return found

    def _beside(self, session: Session, keys: dict[int, int], answers: dict[int, int]) -> None:
        if not keys:
            return
        first, last = min(keys), max(keys)
        bodies = [row for row in self._read(_BODIES, (first, last)) if row[0] in keys]
        session.run(
            _INSERT_BODIES, ([keys[k] for k, _, _ in bodies], [c for _, c, _ in bodies], [b for _, _, b in bodies])
        )
        self._read(_SORT_TURNS)
        turns = [row for row in self._read(_TURNS, (first, last)) if row[3] in keys]
        numbers = [self._datasets.make(self._names[dataset]) for dataset, _, _, _ in turns]
        told = (
            [lane for _, lane, _, _ in turns],
            [float(rank) for _, _, rank, _ in turns],
            [keys[k] for *_, k in turns],
        )
        session.run(_INSERT_TURNS, (numbers, *told))
        retried = [(keys[e], answers[a]) for e, a in self._read(_RETRIED, (first, last)) if e in keys and a in answers]
        session.run(_INSERT_RETRIED, ([e for e, _ in retried], [a for _, a in retried]))

    def _settled(self, session: Session, events: Sequence[Row], keys: dict[int, int], answers: dict[int, int]) -> None:
        """Delivered events, as `leases.settle` would have written them down."""
        batches: dict[tuple[float, int | None], list[int]] = {}
        for row in events:
            if row[7] == "delivered":
                batches.setdefault((float(row[10] or row[6]), answers.get(row[12])), []).append(keys[row[0]])
        for (at, answer), of_batch in batches.items():
            session.run(_INSERT_DELIVERED, (at, answer, min(of_batch), max(of_batch), of_batch))

    def the_rest(self) -> None:
        """The pixel's reports, meter and figures; once, at the end."""
        self._database.transact(self._write_rest)

    def _write_rest(self, session: Session) -> None:
        meter = self._read("SELECT dataset, event_name, side, n FROM meter")
        figures = self._read("SELECT * FROM figure")
        mark = _named("figures", [(self._noted,), *sorted(map(repr, meter)), *sorted(map(repr, figures))])
        if not session.run(_NOTE, (mark, 0)):
            return
        names = {old: self._datasets.make(name) for old, name in self._names.items()}
        for event_id, dataset, name, at in self._old.execute("SELECT event_id, dataset, event_name, at FROM pixel"):
            named = digest(self._names[dataset], name, event_id)
            session.run(_INSERT_REPORT, (named, names[dataset], name, event_id, float(at)))
        for dataset, name, side, n in meter:
            session.run(_INSERT_METER, (names[dataset], name, side, session.slots.one(), n))
        for dataset, name, hour, what, n in figures:
            session.run(_INSERT_FIGURE, (names[dataset], name, hour, what, session.slots.one(), float(n)))

    def close(self) -> None:
        self._old.close()
        self._database.close()


def _write_visitors(session: Session, visitors: Sequence[Row]) -> int:
    """How many were not known. Once: who is forgotten in PostgreSQL since must not come back when a move goes on."""
    if not session.run(_NOTE, (_named("visitors", visitors), 0)):
        return 0
    return sum(
        visits.told_before(session, key, visits.decoder.decode(document), float(seen_at))
        for key, document, seen_at in visitors
    )


_EVENTS = """
SELECT key, dataset, event_name, event_id, event_time, expires_at, accepted_at, state, attempts, sent_at, settled_at,
  reason, answer, consent FROM event WHERE key > ? ORDER BY key LIMIT ?
"""
_ANSWERS = """
SELECT id, at, outcome, why, status, code, subcode, title, fbtrace_id, sentence, field, "index" FROM answer
WHERE id IN (
  SELECT answer FROM event WHERE key BETWEEN ? AND ? UNION SELECT answer FROM retried WHERE event BETWEEN ? AND ?)
ORDER BY id
"""
_VISITORS = "SELECT key, document, seen_at FROM visitor WHERE key > ? ORDER BY key LIMIT ?"
_BODIES = "SELECT key, checksum, body FROM body WHERE key BETWEEN ? AND ?"
# By key, which the queue has last: each step would read all of it. The file itself is only read.
_SORT_TURNS = """
CREATE TEMP TABLE IF NOT EXISTS turn AS
SELECT dataset, lane, rank, key FROM queue WHERE dataset IN (SELECT id FROM dataset);
CREATE INDEX IF NOT EXISTS temp.turn_key ON turn (key)
"""
_TURNS = "SELECT dataset, lane, rank, key FROM turn WHERE key BETWEEN ? AND ?"
_RETRIED = "SELECT event, answer FROM retried WHERE event BETWEEN ? AND ?"
_INSERT = """
INSERT INTO relay.event SELECT * FROM unnest(%b::bigint[], %b::uuid[], %b::int[], %b::text[], %b::text[], %b::bigint[],
  %b::bigint[], %b::float8[], %b::text[], %b::int[], %b::float8[], %b::float8[], %b::text[], %b::bigint[], %b::text[])
  AS g (key, digest, dataset, event_name, event_id, event_time, expires_at, accepted_at, state, attempts, sent_at,
    settled_at, reason, answer, consent)
WHERE (SELECT e.key FROM relay.event e WHERE e.digest = g.digest LIMIT 1) IS NULL ON CONFLICT DO NOTHING RETURNING key
"""
_INSERT_ANSWER = """
INSERT INTO relay.answer (at, outcome, why, status, code, subcode, title, fbtrace_id, sentence, field, "index")
VALUES (%b::float8, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b) RETURNING id
"""
_INSERT_BODIES = "INSERT INTO relay.body SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[])"
_INSERT_TURNS = "INSERT INTO relay.queue SELECT * FROM unnest(%b::int[], %b::int[], %b::float8[], %b::bigint[])"
_INSERT_RETRIED = "INSERT INTO relay.retried SELECT * FROM unnest(%b::bigint[], %b::bigint[]) ON CONFLICT DO NOTHING"
_INSERT_DELIVERED = """
INSERT INTO relay.delivered (at, answer, lo, hi, keys) VALUES (%b::float8, %b, %b::bigint, %b::bigint, %b::bigint[])
"""
_INSERT_REPORT = "INSERT INTO relay.pixel VALUES (%b, %b, %b, %b, %b::float8) ON CONFLICT DO NOTHING"
_INSERT_METER = """
INSERT INTO relay.meter AS m VALUES (%b, %b, %b, %b, %b)
ON CONFLICT (dataset, event_name, side, slot) DO UPDATE SET n = m.n + excluded.n
"""
_INSERT_FIGURE = """
INSERT INTO relay.figure AS f VALUES (%b, %b, %b, %b, %b, %b::float8)
ON CONFLICT (dataset, event_name, hour, what, slot) DO UPDATE SET n = f.n + excluded.n
"""
_NOTE = "INSERT INTO relay.moved VALUES (%b, %b::bigint) ON CONFLICT DO NOTHING"


def _named(what: str, rows: Sequence[object]) -> str:
    return f"{what} {hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest()}"
