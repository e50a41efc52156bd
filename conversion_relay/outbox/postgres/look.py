"""What the store shows: the books, and the life of single events. Nothing here writes."""

from collections.abc import Callable
from typing import Any

import msgspec

from conversion_relay.outbox.lanes import HEADS
from conversion_relay.outbox.postgres.keys import digests_of_id
from conversion_relay.outbox.postgres.session import Rows
from conversion_relay.outbox.story import STATES, Attempt, Counts, DeadGroup, Details, Found, Search, Story

Read = Callable[..., Rows]
SCANNED = 50_000
"""Rows that one search looks at where no index helps; whoever wants more goes on from there."""
HELD_KEYS = "SELECT key FROM relay.queue WHERE dataset IN (SELECT id FROM relay.dataset) AND lane = 3"


def counts(read: Read) -> dict[str, Counts]:
    rows = sorted(read(COUNTS))
    names = (*_STATES, "oldest_pending_at", "nearest_expiry_at")
    return {dataset: Counts(**dict(zip(names, figures, strict=True))) for dataset, *figures in rows}


# One statement, so one snapshot: between two the books would not agree. Ages are of the heads of the lanes, a few
# events of each, since they are read for every dataset that has one, of which there may be a thousand.
_STATES = ("accepted", *STATES)
_SUMS = ", ".join(f"coalesce(sum(n) FILTER (WHERE state = '{state}'), 0)::bigint AS {state}" for state in _STATES)
_HEAD = "(SELECT key FROM relay.queue WHERE dataset = t.dataset AND lane = {} ORDER BY rank, key LIMIT 5)"
_HEADS = " UNION ALL ".join(_HEAD.format(lane) for lane in HEADS)
COUNTS = f"""
SELECT d.name, {", ".join(f"t.{state}" for state in _STATES)}, a.oldest, a.nearest
FROM (SELECT dataset, {_SUMS} FROM relay.tally GROUP BY 1) t JOIN relay.dataset d ON d.id = t.dataset
LEFT JOIN LATERAL (SELECT min(accepted_at) AS oldest, min(expires_at) AS nearest FROM relay.event
  WHERE t.pending > 0 AND key = ANY (ARRAY({_HEADS}))) a ON true
"""


def stories(read: Read, where: str, values: Any = None) -> list[Story]:
    """Events by a condition on the view `story` that the caller wrote."""
    rows = read(f"{_STORY} {where}", values)
    told = {int(row[0]): row for row in rows}
    history: dict[int, list[Attempt]] = {}
    keys, answers = list(told), [row[1] for row in told.values()]
    for key, *attempt in read(_HISTORY, (keys, answers)) if told else ():
        history.setdefault(key, []).append(Attempt(*attempt))
    due = _due(read, [key for key, row in told.items() if row[3] == "pending" and row[9] is not None])
    return [_story(row, due.get(row[0]), tuple(history.get(row[0], ()))) for row in told.values()]


def _due(read: Read, keys: list[int]) -> dict[int, float]:
    """Of all together: who is in a later lane can only be searched, and a page shows fifty of a backlog. An event
    without a reason never stood there."""
    return dict(read(_DUE, (keys, keys))) if keys else {}


# `+ 0`: the lanes are read once. By the index over keys PostgreSQL would read them once for each key.
_DUE = """
SELECT key, max(rank) FROM relay.queue
WHERE dataset = ANY (ARRAY (SELECT dataset FROM relay.event WHERE key = ANY (%b::bigint[]))) AND lane IN (2, 3, 4)
  AND key + 0 = ANY (%b::bigint[]) GROUP BY 1
"""


def _story(row: tuple[Any, ...], due_at: float | None, history: tuple[Attempt, ...]) -> Story:
    key, _, *fields = row
    return Story(key=key, due_at=due_at, history=history, **dict(zip(_FIELDS, fields, strict=True)))


_FIELDS = ("dataset", "state", "event_name", "event_id", "event_time", "accepted_at", "expires_at", "reason",
           "attempts", "settled_at")  # fmt: skip
_STORY = """
SELECT s.key, s.answer, d.name, s.state,
  s.event_name, s.event_id, s.event_time, s.accepted_at, s.expires_at, s.reason, s.attempts, s.settled_at
FROM relay.story s JOIN relay.dataset d ON d.id = s.dataset
"""
_HISTORY = f"""
SELECT k.key, {", ".join(f'a."{name}"' for name in Attempt.__struct_fields__)}
FROM unnest(%b::bigint[], %b::bigint[]) AS k (key, answer)
JOIN LATERAL (SELECT answer FROM relay.retried WHERE event = k.key UNION SELECT k.answer) r ON true
JOIN relay.answer a ON a.id = r.answer ORDER BY k.key, a.id
"""
BY_ID = "WHERE s.digest BETWEEN %b AND %b AND s.event_id = %b"
DEAD = """
WHERE s.state = 'dead' AND s.key IN (
  SELECT key FROM relay.event WHERE state = 'dead' ORDER BY settled_at DESC LIMIT %b)
ORDER BY s.settled_at DESC, s.key
"""
HELD_STORIES = f"WHERE s.key IN ({HELD_KEYS} LIMIT %b)"
RECENT = "WHERE s.key IN (SELECT key FROM relay.event ORDER BY key DESC LIMIT %b) ORDER BY s.key DESC"


def find(read: Read, event_id: str) -> list[Story]:
    return stories(read, BY_ID, (*digests_of_id(event_id), event_id))


# -- search ------------------------------------------------------------------------------------------------------------
#
# Whether an event was delivered stands in another table, a thousand keys in a row, and the view `story` looks there for
# each event by itself. Asked of 50,000 events that takes a second, and of dead letters, spread over all parts, it took
# more than the server allows. So keys are found first, among columns of `event` alone; what was delivered, is leased or
# is held is a set that is taken away from them or met with them; and the view is asked for the few that are shown.


def search(read: Read, asked: Search) -> Found:
    """By id where a text is given, by the time of the end for dead letters, else through the newest rows."""
    if asked.text:
        return Found(stories=[story for story in _of_text(read, asked) if asked.fits(story)][: asked.limit])
    if asked.state == "delivered" and asked.reason:
        return Found(stories=[])  # what was in its way is over
    values: dict[str, Any] = {"before": 2**62 if asked.before is None else asked.before, "scanned": SCANNED}
    source = _SOURCES.get(asked.state or "", _NEWEST)
    bottom, n = read(f"SELECT min(key), count(*) FROM ({source}) AS e", values)[0]
    if bottom is None:
        return Found(stories=[])
    conditions = _where(asked, values)
    values |= {"bottom": bottom, "limit": asked.limit}
    sql = f"SELECT key FROM ({source}) AS e WHERE {conditions} {_sets(asked)} ORDER BY key DESC LIMIT %(limit)b"
    keys = [key for (key,) in read(sql, values)]
    is_whole = n < SCANNED or (source == _NEWEST and not _is_more(read, bottom))
    rest = keys[-1] if len(keys) == asked.limit else None if is_whole else bottom
    if rest is not None and asked.since is not None and len(keys) < asked.limit:
        oldest = read("SELECT accepted_at FROM relay.event WHERE key = %b", (bottom,))
        rest = None if oldest and oldest[0][0] < asked.since else rest
    return Found(stories=_of_keys(read, keys), rest=rest)


def _of_keys(read: Read, keys: list[int]) -> list[Story]:
    return stories(read, "WHERE s.key = ANY (%b::bigint[]) ORDER BY s.key DESC", (keys,)) if keys else []


def _is_more(read: Read, bottom: int) -> bool:
    return bool(read("SELECT 1 FROM relay.event WHERE key < %b LIMIT 1", (bottom,)))


_COLUMNS = "key, dataset, event_name, event_id, accepted_at, state, reason"
_NEWEST = f"SELECT {_COLUMNS} FROM relay.event WHERE key < %(before)b ORDER BY key DESC LIMIT %(scanned)b"
_DEAD = _NEWEST.replace("WHERE", "WHERE state = 'dead' AND")
_LEASED_KEYS = "SELECT unnest(keys) FROM relay.lease"
_DELIVERED_KEYS = "SELECT unnest(keys) FROM relay.delivered WHERE hi >= %(bottom)b AND lo < %(before)b"
_SOURCES = {
    "dead": _DEAD,
    # Few among many: they are not looked for among the newest.
    "held": _NEWEST.replace("WHERE", f"WHERE state = 'waiting' AND key = ANY (ARRAY({HELD_KEYS} LIMIT {SCANNED})) AND"),
    "leased": _NEWEST.replace("WHERE", f"WHERE state = 'waiting' AND key = ANY (ARRAY({_LEASED_KEYS})) AND"),
}


def _where(asked: Search, values: dict[str, Any]) -> str:
    """Conditions on the columns of `event`."""
    conditions = ["true"]
    for name in ("event_name", "reason"):
        if value := getattr(asked, name):
            conditions.append(f"{name} = %({name})b")
            values[name] = value
    if asked.dataset:
        conditions.append("dataset = (SELECT id FROM relay.dataset WHERE name = %(dataset)b)")
        values["dataset"] = asked.dataset
    if asked.state is not None:
        state = asked.state if asked.state in ("dead", "expired", "erased") else "waiting"
        conditions.append(f"state = '{state}'")
    if asked.since is not None:
        conditions.append("accepted_at >= %(since)b::float8")
        values["since"] = float(asked.since)
    return " AND ".join(conditions)


def _sets(asked: Search) -> str:
    """What no column of `event` says."""
    if asked.state == "delivered":
        return f"INTERSECT {_DELIVERED_KEYS}"
    if asked.state == "pending":
        return f"EXCEPT {_DELIVERED_KEYS} EXCEPT {_LEASED_KEYS} EXCEPT {HELD_KEYS}"
    if asked.state is None and asked.reason:
        return f"EXCEPT {_DELIVERED_KEYS}"
    return ""


def _of_text(read: Read, asked: Search) -> list[Story]:
    """By the whole id, or the ids that our own doors give to an order of this number; a beginning among the newest."""
    found: dict[int | None, Story] = {}
    for event_id in (asked.text, *(f"{kind}_{asked.text}" for kind in ("purchase", "registration", "order"))):
        found.update({story.key: story for story in find(read, event_id)})
    values: dict[str, Any] = {"before": 2**62, "scanned": SCANNED, "text": asked.text}
    conditions = _where(msgspec.structs.replace(asked, state=None, reason=""), values)
    # State and reason are judged by the story, so more than are shown are looked at.
    values["limit"] = asked.limit if asked.state is None and not asked.reason else 500
    begins = f"SELECT key FROM ({_NEWEST}) AS e WHERE starts_with(event_id, %(text)b) AND {conditions} LIMIT %(limit)b"
    keys = [key for (key,) in read(begins, values) if key not in found]
    found.update({story.key: story for story in _of_keys(read, keys)})
    return sorted(found.values(), key=lambda story: story.key or 0, reverse=True)


def dead_groups(read: Read, now: float) -> list[DeadGroup]:
    groups = read(_DEAD_GROUPS, {"now": now, "scanned": SCANNED})
    newest = stories(read, "WHERE s.key = ANY (%b::bigint[])", ([row[-1] for row in groups],))
    told = {story.key: story for story in newest}
    names = ("dataset", "event_name", "reason", "n", "first_at", "last_at", "sendable", "nearest_expiry_at")
    return [
        DeadGroup(newest=told[key], **dict(zip(names, figures, strict=True))) for *figures, key in groups if key in told
    ]


_DEAD_GROUPS = """
SELECT d.name, e.event_name, coalesce(e.reason, ''), count(*) AS n, min(e.settled_at), max(e.settled_at),
  count(*) FILTER (WHERE e.expires_at > %(now)b::float8),
  min(e.expires_at) FILTER (WHERE e.expires_at > %(now)b::float8), max(e.key)
FROM (SELECT * FROM relay.event WHERE state = 'dead' ORDER BY settled_at DESC LIMIT %(scanned)b) e
JOIN relay.dataset d ON d.id = e.dataset GROUP BY 1, 2, 3 ORDER BY n DESC LIMIT 100
"""


def details(read: Read, key: int) -> Details:
    bodies = read("SELECT body FROM relay.body WHERE key = %b::bigint", (key,))
    return Details(body=bodies[0][0] if bodies else None, pixel_at=next((at for (at,) in read(_TWIN, (key,))), None))


_TWIN = "SELECT at FROM relay.event e JOIN relay.pixel p ON p.digest = e.digest WHERE e.key = %b::bigint"
