"""Delivered batches whose events lie far apart: one row at once, the events' own rows later and together.

What could go wrong. Events lie in the file in the order in which they came. Of a hundred datasets, each batch has its
events on as many pages as it has events, and to settle it rewrote two pages of 8 kB for each of them: a backlog of a
hundred datasets left at 0.4 of the speed of one.

The rule. Where the keys of a delivered batch lie apart, one row of `delivered` says when, by which answer and which,
and books and figures move with it. The events are *written up* each second, or when MOST_NOTED wait for it: all of
them in the order of their keys, so that neighbours of different batches share their pages. Then the row goes.

- Until then the event's own row says `waiting`, and no `queue` or `lease` holds it. Whoever tells of an event
  (`look.py`) reads the batches, too; only a search for what is delivered finds it that second later. Whoever erases
  writes up first.
- Writing up touches only what is `waiting`, and a batch is dropped after all of it. So what a kill interrupted is done
  again, by whichever process comes next, and two may do it at once. Ids are never used twice, or one would drop what
  the other has not seen.
- What was erased while it was leased is not delivered. Its lease stands in `reduced`, and is settled row by row.

Rejected: bodies in places by dataset (each put would write a page for each dataset); a row for each batch for good, as
PostgreSQL has (here each look at an event would search them); to delete bodies later and nothing else (the event's page
remains: 0.6 of the speed of one).
"""

import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import apsw
import msgspec

from conversion_relay.outbox.sqlite.books import Read, read

FEWEST, APART = 32, 4
"""Fewer events, or events nearer to each other than this on average, are settled at once."""
MOST_NOTED = 100_000
"""Events that wait to be written up, of one process."""
STEP = 1_000
"""Events that one transaction writes up."""


class Batch(NamedTuple):
    id: int
    at: float
    answer: int | None
    keys: "array[int]"


def lie_apart(keys: "array[int]") -> bool:
    return len(keys) >= FEWEST and max(keys) - min(keys) >= APART * len(keys)


def note(db: apsw.Connection, keys: "array[int]", answer: int | None, now: float) -> int:
    """Inside the caller's transaction, which moves the books; how many."""
    packed = keys.tobytes()
    sql = "INSERT INTO delivered (at, answer, checksum, keys) VALUES (?, ?, ?, ?)"
    db.execute(sql, (now, answer, zlib.crc32(packed), packed))
    return len(keys)


def batches(read_rows: Read) -> list[Batch]:
    return [Batch(id_, at, answer, array("q", keys)) for id_, at, answer, keys in read_rows(_BATCHES)]


_BATCHES = "SELECT id, at, answer, keys FROM delivered"


def to_write_up(read_rows: Read) -> Iterator[Callable[[apsw.Connection], None]]:
    """What is to be done for all batches: in transactions between which others may write, in this order."""
    noted = batches(read_rows)
    for step in _steps(noted):
        yield partial(_write_up, step=step)
    if noted:
        yield partial(_drop, noted=noted)


def write_up_these(db: apsw.Connection, keys: Iterable[int]) -> None:
    """Of these events, those that are in a batch. Inside the caller's transaction."""
    wanted = set(keys)
    noted = [batch._replace(keys=array("q", wanted.intersection(batch.keys))) for batch in batches(partial(read, db))]
    for step in _steps(noted):
        _write_up(db, step)


Step = Sequence[tuple[int, int]]
"""(key, id of its batch), by key."""


def _steps(noted: Iterable[Batch]) -> Iterator[Step]:
    ordered = sorted((key, batch.id) for batch in noted for key in batch.keys)
    return (ordered[first : first + STEP] for first in range(0, len(ordered), STEP))


def _write_up(db: apsw.Connection, step: Step) -> None:
    db.execute(_WRITE_UP, (msgspec.json.encode(step).decode(),))
    db.execute("DELETE FROM body WHERE key IN carray(?)", (apsw.carray(array("q", [key for key, _ in step])),))


# CROSS: the array leads, in its order.
_WRITE_UP = """
WITH step AS MATERIALIZED (
  SELECT value ->> 0 AS key, at, answer FROM json_each(?) CROSS JOIN delivered ON delivered.id = value ->> 1
)
UPDATE event SET state = 'delivered', reason = NULL, attempts = attempts + 1,
  answer = coalesce(step.answer, event.answer), settled_at = step.at
FROM step WHERE event.key = step.key AND state = 'waiting'
"""


def _drop(db: apsw.Connection, noted: Iterable[Batch]) -> None:
    """After all of their events were written up."""
    db.executemany("DELETE FROM delivered WHERE id = ?", [(batch.id,) for batch in noted])
