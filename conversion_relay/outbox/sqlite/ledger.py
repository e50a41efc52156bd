"""What is kept of events that ended, and for how long: as a ledger against late duplicates, and as dead letters."""

from array import array

import apsw

from conversion_relay.outbox.sqlite import figures, sides, visits
from conversion_relay.outbox.sqlite.books import Read

DEAD_SECONDS = 90 * 86_400
CHUNK = 5_000


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


def prune(db: apsw.Connection, keys: "array[int]", now: float) -> int:
    """Drop these ledger rows, old visits and reports; how many. Dead letters lose what cannot be sent any more."""
    if keys:
        sides.forget(db, apsw.carray(keys))
    for table, column in (("retried", "event"), ("body", "key"), ("event", "key")) if keys else ():
        db.execute(f"DELETE FROM {table} WHERE {column} IN carray(?)", (apsw.carray(keys),))
    db.execute("DELETE FROM body WHERE key IN (SELECT key FROM event WHERE state = 'dead' AND expires_at < ?)", (now,))
    db.execute("DELETE FROM answer WHERE at < ?", (now - DEAD_SECONDS,))
    db.execute("DELETE FROM reduced WHERE token NOT IN (SELECT token FROM lease)")
    figures.prune(db, now)
    return len(keys) + sides.prune(db, now) + visits.prune(db, now)
