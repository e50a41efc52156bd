"""Replay, erase, withdraw. The rules are those of the embedded outbox (`sqlite/operator.py`): an erased event keeps its
row without a body, and what a worker holds is marked, not taken.

What could go wrong here. A worker may settle an event, or a lease may run out, between two statements of an erasure; so
"it does not wait, hence it is leased" may be wrong a moment later, and the books with it. The rule: first its row in
`event` is locked, then it is looked for where it can be, in the order in which it moves: queue, lease (its row is
locked, so nobody settles meanwhile), delivered. If it was nowhere it moved just then, and is looked for again.
"""

import secrets
from collections.abc import Mapping, Sequence

from conversion_relay.event import PUBLIC_EVENT_NAMES
from conversion_relay.intake.visit import keys_of_sealed
from conversion_relay.outbox.lanes import BACKLOG, BACKLOG_RANK, HELD
from conversion_relay.outbox.postgres import visits
from conversion_relay.outbox.postgres.books import Moves, move
from conversion_relay.outbox.postgres.keys import digest, digests_of_id
from conversion_relay.outbox.postgres.lanes import enqueue
from conversion_relay.outbox.postgres.look import HELD_KEYS
from conversion_relay.outbox.postgres.session import Session

LOOKS = 100


def replay(session: Session, now: float, keys: Sequence[int], moves: Moves) -> int:
    """Those of the keys that are dead or held and that Meta still takes; how many. No more is held against them."""
    again = []
    for key, dataset, state, answer, expires_at in session.read(_REPLAYABLE, (list(keys), now)):
        if state == "waiting" and not session.run(_UNHOLD, (dataset, HELD, float(expires_at), key)):
            continue
        if answer is not None:
            session.run("INSERT INTO relay.retried VALUES (%b, %b) ON CONFLICT DO NOTHING", (key, answer))
        session.run(_REVIVE, (key,))
        move(moves, dataset, "pending" if state == "waiting" else "dead", "pending", 1)
        again.append(key)
    enqueue(session, BACKLOG, again)
    return len(again)


_REPLAYABLE = """
SELECT e.key, e.dataset, e.state, e.answer, e.expires_at FROM relay.event e
WHERE e.key = ANY (%b::bigint[]) AND e.expires_at > %b::float8 AND e.state IN ('dead', 'waiting')
  AND EXISTS (SELECT 1 FROM relay.body b WHERE b.key = e.key) ORDER BY e.key FOR UPDATE
"""
_UNHOLD = "DELETE FROM relay.queue WHERE dataset = %b AND lane = %b AND rank = %b::float8 AND key = %b"
_REVIVE = """
UPDATE relay.event SET state = 'waiting', reason = NULL, attempts = 0, settled_at = NULL, sent_at = NULL WHERE key = %b
"""
DEAD_OR_HELD = f"""
SELECT key FROM relay.event WHERE state = 'dead' AND expires_at > %b::float8 UNION ALL {HELD_KEYS}
"""
OF_IDS = """
SELECT e.key FROM unnest(%b::uuid[], %b::uuid[], %b::text[]) AS i (first, last, event_id)
JOIN LATERAL (SELECT key, event_id, state FROM relay.event WHERE digest BETWEEN i.first AND i.last) e
  ON e.event_id = i.event_id WHERE e.state IN ('dead', 'waiting')
"""


def ranges(event_ids: Sequence[str]) -> tuple[list[object], list[object], list[str]]:
    """For OF_IDS."""
    spans = [digests_of_id(event_id) for event_id in event_ids]
    return [first for first, _ in spans], [last for _, last in spans], list(event_ids)


def erase(session: Session, keys: Sequence[int], digests: Sequence[str], now: float, moves: Moves) -> int:
    """Forget these events; how many. The id stays, so that a late copy is still known, unless it holds a digest."""
    erased = 0
    rows = session.read(_ERASABLE, (list(keys),))
    later = _later_turns(session, [row[0] for row in rows if row[-1] == "waiting"])
    for key, dataset, name, event_id, state in rows:
        was = state if state != "waiting" else _place(session, key, later)
        named = any(part in event_id for part in digests)
        new_id = f"erased_{secrets.token_hex(8)}" if named else event_id
        if named:
            session.run(_FORGET_REPORT, (key,))
            ((dataset_name,),) = session.read("SELECT name FROM relay.dataset WHERE id = %b", (dataset,))
            session.run(_RENAME, (new_id, digest(dataset_name, name, new_id), key))
        session.run(_ERASE, (now, "erased", key))
        bodies = session.read("DELETE FROM relay.body WHERE key = %b RETURNING body", (key,))
        session.run(visits.ERASE, (keys_of_sealed(event_id, bodies[0][0] if bodies else None),))
        move(moves, dataset, was, "erased", 1)
        erased += 1
    return erased


_ERASABLE = """
SELECT key, dataset, event_name, event_id, state FROM relay.event
WHERE key = ANY (%b::bigint[]) AND state <> 'erased' ORDER BY key FOR UPDATE
"""
_ERASE = "UPDATE relay.event SET state = 'erased', settled_at = %b::float8, reason = %b WHERE key = %b"
_RENAME = "UPDATE relay.event SET event_id = %b, digest = %b WHERE key = %b"
_FORGET_REPORT = "DELETE FROM relay.pixel WHERE digest = (SELECT digest FROM relay.event WHERE key = %b)"
HOLDS_DIGEST = """
SELECT key FROM relay.body WHERE position(%b::bytea IN body) > 0
UNION SELECT key FROM relay.event WHERE strpos(event_id, %b) > 0 AND state <> 'erased'
"""


Turn = tuple[int, int, float, int]
"""(dataset, lane, rank, key)"""


def _later_turns(session: Session, keys: Sequence[int]) -> dict[int, Turn]:
    """Of those that stand in lanes 2 and 4, which can only be searched: once for all, and not where an event has no
    reason, which never stood there."""
    return {turn[3]: turn for turn in session.read(_LATER_TURNS, (list(keys), list(keys)))} if keys else {}


# `+ 0`: the lanes are read once, not by the index over keys for each of them.
_LATER_TURNS = """
SELECT dataset, lane, rank, key FROM relay.queue WHERE lane IN (2, 4) AND key + 0 = ANY (%b::bigint[])
  AND dataset = ANY (ARRAY (SELECT dataset FROM relay.event WHERE key = ANY (%b::bigint[]) AND reason IS NOT NULL))
"""


def _place(session: Session, key: int, later: Mapping[int, Turn]) -> str:
    """Where this event waits, which it does not any more; the caller has locked its row. `later`: of `_later_turns`."""
    for _ in range(LOOKS):
        if (key in later and session.run(_UNHOLD, later[key])) or session.run(_UNQUEUE, {"key": key}):
            return "pending"
        if session.read(_LEASED, (key,)):
            return "leased"
        if session.read(_DELIVERED, (key,)):
            return "delivered"
        later = _later_turns(session, [key])  # it moved
    raise RuntimeError("an event stands neither in a lane, nor in a lease, nor among the delivered")


# Earlier versions let what tells of money stand in lane 1 by its deadline, like all others.
_UNQUEUE = f"""
WITH e AS MATERIALIZED (SELECT * FROM relay.event WHERE key = %(key)b)
DELETE FROM relay.queue WHERE (dataset, lane, rank, key) IN (
  SELECT dataset, 0, accepted_at, key FROM e
  UNION ALL SELECT dataset, 1, {BACKLOG_RANK}, key FROM e
  UNION ALL SELECT dataset, 1, coalesce(sent_at, expires_at), key FROM e
  UNION ALL SELECT dataset, 3, expires_at, key FROM e)
"""
_LEASED = "SELECT token FROM relay.lease WHERE %b::bigint = ANY (keys) FOR UPDATE"
_DELIVERED = """
SELECT id FROM (SELECT %b::bigint AS key) k JOIN relay.delivered ON hi >= key AND lo <= key AND key = ANY (keys)
"""


def withdraw(session: Session, dataset: str, event_ids: Sequence[str], now: float, moves: Moves) -> int:
    """Of those that a browser may have sent: the pending and the dead, how many. What is leased gets a mark."""
    names = sorted(PUBLIC_EVENT_NAMES)
    wanted = [digest(dataset, name, event_id) for event_id in event_ids for name in names]
    n, rows = 0, session.read(_WITHDRAWABLE, (wanted,))
    later = _later_turns(session, [row[0] for row in rows if row[-1] == "waiting"])
    for key, number, state in rows:
        was = state if state != "waiting" else _place(session, key, later)
        if was == "delivered":
            continue
        if was == "leased":
            session.run("UPDATE relay.event SET consent = 'withdrawn' WHERE key = %b", (key,))
            continue
        session.run(_ERASE, (now, "withdrawn", key))
        session.run("DELETE FROM relay.body WHERE key = %b", (key,))
        move(moves, number, was, "erased", 1)
        n += 1
    return n


_WITHDRAWABLE = """
SELECT key, dataset, state FROM relay.event
WHERE digest = ANY (%b::uuid[]) AND state IN ('waiting', 'dead') ORDER BY key FOR UPDATE
"""


def forget_names(session: Session, digests: Sequence[str]) -> None:
    """The pixel's reports and the visitors' keys that hold a digest; a whole scan, of two small tables."""
    for part in digests:
        session.run("DELETE FROM relay.pixel WHERE strpos(event_id, %b) > 0", (part,))
        session.run("DELETE FROM relay.visitor WHERE strpos(key, %b) > 0", (part,))
