"""What is kept of events that ended, and for how long: as a ledger against late duplicates, and as dead letters.

What could go wrong. Among what may go lies what may not: dead letters of 90 days, and reports whose events are still
known. To step over a million of them takes a second, and the thread that writes did so at each step of a day's rows,
while everybody's puts waited.

The rule: what may go is looked for where rows are read, CHUNK rows at a time, and each look goes on where the last one
found something. The thread that writes only deletes what was found, and makes sure of each.
"""

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import apsw

from conversion_relay.outbox.sqlite import figures, sides, visits
from conversion_relay.outbox.sqlite.books import Read

DEAD_SECONDS = 90 * 86_400
CHUNK = 5_000


class Over(NamedTuple):
    """What may go."""

    keys: "array[int]" = array("q")
    """Of whole events."""
    bodies: "array[int]" = array("q")
    """Of dead letters that Meta takes no more."""
    reports: Sequence[sides.Report] = ()


Look = Callable[[Any], tuple[Any, Any]]
"""From a place on: what is over there, and up to which place it looked; None where nothing is behind it."""


class Looking:
    """Where the looks for what is over have come to. They may begin anew at any time, so a process keeps this."""

    def __init__(self) -> None:
        self._came_to: dict[str, Any] = {}
        self._ended: set[str] = set()
        """Kinds that are not looked for again while there is something of the others."""

    def look(self, read_rows: Read, now: float, ledger_seconds: float) -> Over:
        """Some of what is over; nothing only where there is none."""
        looks: dict[str, tuple[Look, Any]] = {
            "keys": (partial(over, read_rows, now, ledger_seconds), 0),
            "bodies": (partial(bodies_over, read_rows, now), (-1e18, 0)),
            "reports": (partial(sides.over, read_rows, now), sides.FIRST),
        }
        found = {kind: self._of(kind, *how) for kind, how in looks.items() if kind not in self._ended}
        if any(found.values()):
            self._ended.update(kind for kind, those in found.items() if not those)
            return Over(**{kind: those for kind, those in found.items() if those})
        was_whole, self._ended = not self._ended, set()
        return Over() if was_whole else self.look(read_rows, now, ledger_seconds)

    def _of(self, kind: str, look: Look, first: Any) -> Any:
        began = after = self._came_to.pop(kind, first)
        while True:
            found, last = look(after)
            if found:
                if last is not None:
                    self._came_to[kind] = last
                return found
            if last is None:  # once more, since what was passed over earlier may be over by now
                return None if began == first else self._of(kind, look, first)
            after = last


def over(read_rows: Read, now: float, ledger_seconds: float, after: int) -> tuple["array[int]", int | None]:
    """Of the next CHUNK rows in the order of their keys: those that no duplicate can come for, and the last row's key.
    None instead of that where newer rows begin, which cannot have ended so long ago.

    An index over the time they ended would cost every delivered event more than this costs a day."""
    found = read_rows(_LEDGER, (after, CHUNK))
    keys = array("q")
    for key, state, _, settled_at in found:
        keeps = DEAD_SECONDS if state == "dead" else ledger_seconds
        if state not in ("waiting", None) and settled_at is not None and settled_at < now - keeps:
            keys.append(key)
    # A time after `now` was read from a clock that was wrong: no row's age follows from it.
    is_new = all(now - ledger_seconds <= accepted_at <= now for _, _, accepted_at, _ in found)
    return keys, None if is_new or len(found) < CHUNK else found[-1][0]


# Never the newest row: the next key is one more than its, and no key may come again while a lease could still name it.
_LEDGER = """
SELECT key, state, accepted_at, settled_at FROM event
WHERE key > ? AND key < (SELECT max(key) FROM event) ORDER BY key LIMIT ?
"""


def bodies_over(read_rows: Read, now: float, after: tuple[float, int]) -> tuple["array[int]", Any]:
    """The same of dead letters that Meta takes no more, in the order of their ends: keys whose body is still there."""
    found = read_rows(_DEAD_LETTERS, (now, *after, CHUNK))
    keys = array("q", (key for _, key, is_over in found if is_over))
    return keys, None if len(found) < CHUNK else found[-1][:2]


_DEAD_LETTERS = """
SELECT settled_at, key, expires_at < ? AND EXISTS (SELECT 1 FROM body WHERE body.key = event.key)
FROM event WHERE state = 'dead' AND (settled_at, key) > (?, ?) ORDER BY settled_at, key LIMIT ?
"""


def prune(db: apsw.Connection, found: Over, now: float) -> tuple[int, int]:
    """Drop what is over, old visits and figures; how many rows, and how many bodies and figures. Dead letters lose what
    cannot be sent any more."""
    keys = found.keys
    if keys:
        sides.forget(db, apsw.carray(keys))
    for table, column in (("retried", "event"), ("body", "key"), ("event", "key")) if keys else ():
        db.execute(f"DELETE FROM {table} WHERE {column} IN carray(?)", (apsw.carray(keys),))
    if found.bodies:
        db.execute(_DROP_BODIES, (apsw.carray(found.bodies), now))
    db.execute("DELETE FROM answer WHERE at < ?", (now - DEAD_SECONDS,))
    db.execute("DELETE FROM reduced WHERE token NOT IN (SELECT token FROM lease)")
    dropped = sides.drop(db, found.reports, now) if found.reports else 0
    return len(keys) + dropped + visits.prune(db, now), len(found.bodies) + figures.prune(db, now)


# One may have been replayed meanwhile.
_DROP_BODIES = """
DELETE FROM body WHERE key IN (SELECT key FROM event WHERE key IN carray(?) AND state = 'dead' AND expires_at < ?)
"""
