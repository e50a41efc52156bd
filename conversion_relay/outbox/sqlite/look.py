"""What the SQLite outbox shows: the books, whose turn it is, and the life of single events. Nothing here writes."""

from array import array
from collections.abc import Callable
from typing import Any

from conversion_relay.outbox.protocol import Attempt, Counts, State, Story

Rows = list[tuple[Any, ...]]
Read = Callable[..., Rows]
"""`read(sql, values)` on a connection that sees committed rows."""


def waiting(rows: Rows) -> dict[str, float]:
    """Of WAITING's rows."""
    return {dataset: 0.0 if ready else due_at for dataset, ready, due_at in rows if ready or due_at is not None}


WAITING = """
SELECT name, EXISTS (SELECT 1 FROM queue WHERE dataset = id AND lane < 2),
  (SELECT min(rank) FROM (
    SELECT * FROM (SELECT rank FROM queue WHERE dataset = id AND lane = 2 ORDER BY rank LIMIT 1)
    UNION ALL SELECT * FROM (SELECT rank FROM queue WHERE dataset = id AND lane = 3 ORDER BY rank LIMIT 1)))
FROM tally JOIN dataset ON id = dataset WHERE state = 'pending' AND n > 0
"""


def suspects(rows: Rows) -> dict[str, float]:
    """Of SUSPECTS' rows."""
    return {dataset: due_at for dataset, due_at in rows if due_at is not None}


SUSPECTS = """
SELECT name, (SELECT rank FROM queue WHERE dataset = id AND lane = 4 ORDER BY rank LIMIT 1)
FROM tally JOIN dataset ON id = dataset WHERE state = 'pending' AND n > 0
"""


def counts(read: Read) -> dict[str, Counts]:
    books: dict[str, dict[str, Any]] = {}
    for dataset, state, n in read("SELECT name, state, n FROM tally JOIN dataset ON id = dataset"):
        books.setdefault(dataset, {})[state] = n
    for dataset, accepted_at, expires_at in read(_AGES):
        books[dataset] |= {"oldest_pending_at": accepted_at, "nearest_expiry_at": expires_at}
    return {dataset: Counts(**book) for dataset, book in sorted(books.items())}


# Of the heads of the lanes: the oldest stand there, and reading them costs the same however many stand behind.
_HEAD = "SELECT key FROM (SELECT key FROM queue WHERE dataset = id AND lane = {} ORDER BY rank LIMIT 100)"
_AGES = f"""
SELECT name, min(accepted_at), min(expires_at) FROM dataset JOIN event ON key IN (
  {" UNION ALL ".join(_HEAD.format(lane) for lane in range(5))})
GROUP BY name
"""


def stories(read: Read, where: str, values: tuple[Any, ...]) -> list[Story]:
    """Events by a condition on `event` that the caller wrote."""
    leased: set[int] = set()
    for (keys,) in read("SELECT keys FROM lease"):
        leased.update(array("q", keys))
    return [_story(row, read, leased) for row in read(f"{_STORY} {where}", values)]


def _story(row: tuple[Any, ...], read: Read, leased: set[int]) -> Story:
    key, answer, dataset, kept_state, due_at, *fields = row
    state: State = kept_state if kept_state != "waiting" else "leased" if key in leased else "pending"
    history = tuple(Attempt(*answer) for answer in read(_HISTORY, (key, answer)))
    names = ("event_name", "event_id", "event_time", "accepted_at", "expires_at", "reason", "attempts", "settled_at")
    return Story(
        dataset=dataset,
        state=state,
        due_at=due_at if state == "pending" else None,
        history=history,
        **dict(zip(names, fields, strict=True)),
    )


_STORY = """
SELECT event.key, answer, name, state,
  (SELECT max(rank) FROM queue
    WHERE dataset = id AND lane IN (2, 3, 4) AND state = 'waiting' AND queue.key = event.key),
  event_name, event_id, event_time, accepted_at, expires_at, reason, attempts, settled_at
FROM event JOIN dataset ON id = dataset
"""
_HISTORY = f"""
SELECT {", ".join(Attempt.__struct_fields__)} FROM answer
WHERE id IN (SELECT answer FROM retried WHERE event = ?) OR id = ? ORDER BY id
"""
