"""What the SQLite outbox shows: the books, whose turn it is, and the life of single events. Nothing here writes."""

from array import array
from collections.abc import Mapping
from typing import Any

import apsw
import msgspec

from conversion_relay.outbox.lanes import BACKLOG, HEADS, LIVE
from conversion_relay.outbox.sqlite import delivered
from conversion_relay.outbox.sqlite.books import Read, Rows
from conversion_relay.outbox.sqlite.lanes import turns
from conversion_relay.outbox.story import Attempt, Counts, DeadGroup, Details, Found, Search, State, Story


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
        if dataset in books:  # or its first event came between the two reads
            books[dataset] |= {"oldest_pending_at": accepted_at, "nearest_expiry_at": expires_at}
    return {dataset: Counts(**book) for dataset, book in sorted(books.items())}


# Of the heads of the lanes: the oldest stand there, and reading them costs the same however many stand behind.
_HEAD = "SELECT key FROM (SELECT key FROM queue WHERE dataset = id AND lane = {} ORDER BY rank LIMIT 100)"
_AGES = f"""
SELECT name, min(accepted_at), min(expires_at) FROM dataset JOIN event ON key IN (
  {" UNION ALL ".join(_HEAD.format(lane) for lane in HEADS)})
GROUP BY name
"""


def stories(read: Read, where: str, values: tuple[Any, ...]) -> list[Story]:
    """Events by a condition on `event` that the caller wrote."""
    leased, noted = set(_leased_keys(read)), delivered.batches(read)  # before the rows, which say it later
    rows = _written_up(read(f"{_STORY} {where}", values), noted)
    history = _histories(read, {row[0]: row[1] for row in rows})
    due = _due(read, [row[0] for row in rows if row[3] == "waiting" and row[0] not in leased])
    return [_story(row, leased, due.get(row[0]), history.get(row[0], ())) for row in rows]


def _due(read: Read, keys: list[int]) -> dict[int, float]:
    """Of all together: who is in a later lane can only be searched, and a page shows fifty of a backlog."""
    return {key: rank for _, lane, rank, key in turns(read, keys) if lane not in (LIVE, BACKLOG)}


def _written_up(rows: Rows, noted: list[delivered.Batch]) -> Rows:
    """As they will be when their batches are written up."""
    waiting = {row[0] for row in rows if row[3] == "waiting"}
    ended = {key: (batch.at, batch.answer) for batch in noted for key in waiting.intersection(batch.keys)}
    return [_delivered(row, *ended[row[0]]) if row[0] in ended else row for row in rows]


def _delivered(row: tuple[Any, ...], at: float, last: int | None) -> tuple[Any, ...]:
    key, answer, dataset, _, *what, _, attempts, _ = row
    return key, answer if last is None else last, dataset, "delivered", *what, None, attempts + 1, at


NO_KEYS = array("q", [0])
"""SQLite takes no empty array; no event has this key."""


def _leased_keys(read: Read) -> "array[int]":
    found = array("q")
    for (keys,) in read("SELECT keys FROM lease"):
        found.frombytes(keys)
    return found


def _not_pending(read: Read, asked: State) -> "array[int]":
    """What is leased; where pending events are asked for, what is delivered and not written up, too."""
    keys = _leased_keys(read)
    for batch in delivered.batches(read) if asked == "pending" else ():
        keys += batch.keys
    return keys


def _histories(read: Read, last: Mapping[int, int | None]) -> dict[int, tuple[Attempt, ...]]:
    """By key. `last`: by key, the answer that settled it. Two questions, however many events there are: a thousand that
    went together share one answer."""
    told: dict[int, set[int]] = {key: {answer} for key, answer in last.items() if answer is not None}
    for key, answer in read(_RETRIED, (apsw.carray(array("q", last)),)) if last else ():
        told.setdefault(key, set()).add(answer)
    wanted = array("q", {answer for several in told.values() for answer in several})
    known = {row[0]: Attempt(*row[1:]) for row in (read(_ANSWERS, (apsw.carray(wanted),)) if wanted else ())}
    return {key: tuple(known[answer] for answer in sorted(several) if answer in known) for key, several in told.items()}


def _story(row: tuple[Any, ...], leased: set[int], due_at: float | None, history: tuple[Attempt, ...]) -> Story:
    key, _, dataset, kept_state, *fields = row
    state: State = kept_state if kept_state != "waiting" else "leased" if key in leased else "pending"
    names = ("event_name", "event_id", "event_time", "accepted_at", "expires_at", "reason", "attempts", "settled_at")
    return Story(
        dataset=dataset,
        state=state,
        key=key,
        due_at=due_at if state == "pending" else None,
        history=history,
        **dict(zip(names, fields, strict=True)),
    )


_STORY = """
SELECT event.key, answer, name, state,
  event_name, event_id, event_time, accepted_at, expires_at, reason, attempts, settled_at
FROM event JOIN dataset ON id = dataset
"""
_RETRIED = "SELECT event, answer FROM retried WHERE event IN carray(?)"
_ANSWERS = f"""
SELECT id, {", ".join(f'"{name}"' for name in Attempt.__struct_fields__)} FROM answer WHERE id IN carray(?)
"""


# -- search ------------------------------------------------------------------------------------------------------------

SCANNED = 50_000
"""Rows that one search looks at where no index helps; whoever wants more goes on from there."""


def search(read: Read, asked: Search) -> Found:
    """By id where a text is given, by the time of the end for dead letters, else through the newest rows."""
    if asked.text:
        is_alone = asked == Search(text=asked.text, limit=asked.limit)
        most = asked.limit if is_alone else 1_000
        stories_found = stories(read, _BY_ID, (asked.text, asked.text + "\U0010ffff", _orders(asked.text), most))
        return Found(stories=[story for story in stories_found if asked.fits(story)][: asked.limit])
    ((newest,),) = read("SELECT coalesce(max(key), 0) + 1 FROM event")
    top = min(newest, asked.before or newest)
    # Dead letters have an index of their own, and stay for 90 days among millions of others. Held and leased are few.
    source = _SOURCES.get(asked.state or "", "event")
    bottom = 0 if asked.state in _SOURCES else max(0, top - SCANNED)
    leased = (apsw.carray(_not_pending(read, asked.state) or NO_KEYS),) if asked.state in ("leased", "pending") else ()
    where, values = _where(asked, "event.key < ? AND event.key >= ?", (top, bottom))
    values = (*leased, *values) if asked.state == "leased" else (*values, *leased)
    found = read(f"{_KEYS} {source} {_NAMED} {where} ORDER BY event.key DESC LIMIT ?", (*values, asked.limit))
    keys = [key for (key,) in found]
    rest = keys[-1] if len(keys) == asked.limit else bottom or None
    if rest is not None and asked.since is not None and len(keys) < asked.limit:
        oldest = read("SELECT accepted_at FROM event WHERE key >= ? ORDER BY key LIMIT 1", (bottom,))
        rest = None if oldest and oldest[0][0] < asked.since else rest
    if not keys:
        return Found(stories=[], rest=rest)
    listed = ", ".join(str(int(key)) for key in keys)
    return Found(stories=stories(read, f"WHERE event.key IN ({listed}) ORDER BY event.key DESC", ()), rest=rest)


_KEYS, _NAMED = "SELECT event.key FROM", "JOIN dataset ON id = dataset"
_DEAD = f"(SELECT * FROM event WHERE state = 'dead' ORDER BY settled_at DESC LIMIT {SCANNED}) AS event"
# Each is a range of the index over ids; the beginning of an id may be that of every one.
_BY_ID = f"""
WHERE event.key IN (
  SELECT key FROM (SELECT key FROM event WHERE event_id >= ? AND event_id < ? LIMIT {SCANNED})
  UNION SELECT key FROM event WHERE event_id IN (SELECT value FROM json_each(?)) LIMIT ?)
ORDER BY event.key DESC
"""
HELD_KEYS = "SELECT key FROM queue WHERE dataset IN (SELECT id FROM dataset) AND lane = 3"
# CROSS JOIN keeps SQLite to that order.
_SOURCES = {
    "dead": _DEAD,
    "held": f"({HELD_KEYS} LIMIT {SCANNED}) AS held CROSS JOIN event ON event.key = held.key",
    "leased": "carray(?) AS leased CROSS JOIN event ON event.key = leased.value",
}
_CONDITIONS = {
    "held": "state = 'waiting'",
    "leased": "state = 'waiting'",
    "pending": f"state = 'waiting' AND event.key NOT IN ({HELD_KEYS} UNION ALL SELECT value FROM carray(?))",
}


def _orders(text: str) -> str:
    """The ids that our own doors give to what has this number."""
    return msgspec.json.encode([f"{kind}_{text}" for kind in ("purchase", "registration", "order")]).decode()


def _where(asked: Search, first: str, values: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    conditions = [first]
    for column, value in (("event_name", asked.event_name), ("reason", asked.reason), ("name", asked.dataset)):
        if value:
            conditions.append(f"{column} = ?")
            values += (value,)
    if asked.since is not None:
        conditions.append("accepted_at >= ?")
        values += (asked.since,)
    if asked.state is not None:  # the last, as one of them has a value that the caller adds
        conditions.append(_CONDITIONS.get(asked.state, f"state = '{asked.state}'"))
    return f"WHERE {' AND '.join(conditions)}", values


def dead_groups(read: Read, now: float) -> list[DeadGroup]:
    groups = read(_DEAD_GROUPS, (now, now))
    newest = ", ".join(str(int(row[-1])) for row in groups)
    told = {story.key: story for story in stories(read, f"WHERE event.key IN ({newest})", ())} if groups else {}
    names = ("dataset", "event_name", "reason", "n", "first_at", "last_at", "sendable", "nearest_expiry_at")
    return [
        DeadGroup(newest=told[key], **dict(zip(names, figures, strict=True))) for *figures, key in groups if key in told
    ]


_DEAD_GROUPS = f"""
SELECT name, event_name, coalesce(reason, ''), count(*) AS n, min(settled_at), max(settled_at), sum(expires_at > ?),
  min(expires_at) FILTER (WHERE expires_at > ?), max(event.key)
FROM {_DEAD} JOIN dataset ON id = dataset GROUP BY 1, 2, 3 ORDER BY n DESC LIMIT 100
"""


def details(read: Read, key: int) -> Details:
    bodies = read("SELECT body FROM body WHERE key = ?", (key,))
    return Details(body=bodies[0][0] if bodies else None, pixel_at=next((at for (at,) in read(_TWIN, (key,))), None))


_TWIN = """
SELECT at FROM event JOIN pixel USING (event_id, dataset, event_name) WHERE event.key = ?
"""
