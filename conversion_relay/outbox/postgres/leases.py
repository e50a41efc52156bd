"""What becomes of claimed events: the SQL and the books of a transaction that the caller began.

The row of `lease` is the fence. Whoever settles, extends, releases or takes back locks it first, so of two only one
finds its keys; and `erase` locks it too, before it says what was leased.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.errors import LeaseLost
from conversion_relay.outbox.lanes import BACKLOG, HELD, LATER, SUSPECTS
from conversion_relay.outbox.postgres.arrays import bigints
from conversion_relay.outbox.postgres.books import Moves, move
from conversion_relay.outbox.postgres.lanes import enqueue
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.story import Attempt, State
from conversion_relay.outbox.verdict import (
    SUSPECT,
    Dead,
    Delivered,
    Expired,
    Hold,
    Park,
    RetryAt,
    Suspect,
    Verdict,
    Withhold,
)

Ended = list[tuple[State, frozenset[int]]]
"""By state, the keys of the events that ended so in a transaction, for the figures."""


class Books(msgspec.Struct):
    """What one transaction has moved; written at its end."""

    moves: Moves
    ended: Ended


def take_back(session: Session, token: str, moves: Moves, *, unsent: bool = False, lost: bool = False) -> None:
    """The events of a lease wait again. Unless its owner says that they are unsent, Meta may have them. `lost`: only if
    it has run out."""
    for dataset, since, keys in session.read(_TAKE_LOST if lost else _TAKE, (token,)):
        if not unsent:
            session.run(_MAY_HAVE_BEEN_SENT, (since, keys))
        gone = _drop_withdrawn(session, keys, since)
        move(moves, dataset, "leased", "erased", len(gone))
        suspects = {key for (key,) in session.read(_SUSPECTS, (keys, SUSPECT))}
        waiting = enqueue(session, SUSPECTS, sorted(suspects), since)
        waiting += enqueue(session, BACKLOG, [key for key in keys if key not in suspects])
        move(moves, dataset, "leased", "pending", waiting)
        session.run("DELETE FROM relay.lease WHERE token = %b", (token,))


_TAKE = "SELECT dataset, since, keys FROM relay.lease WHERE token = %b FOR UPDATE"
_TAKE_LOST = """
SELECT dataset, since, keys FROM relay.lease WHERE token = %b AND until < clock_timestamp() FOR UPDATE SKIP LOCKED
"""
_MAY_HAVE_BEEN_SENT = """
UPDATE relay.event SET sent_at = coalesce(sent_at, %b::float8) WHERE key = ANY (%b::bigint[]) AND state = 'waiting'
"""
_SUSPECTS = "SELECT key FROM relay.event WHERE key = ANY (%b::bigint[]) AND state = 'waiting' AND reason = %b"


def extend(session: Session, token: str, owner: str, seconds: float) -> bool:
    """Whether it was still there, and its owner's: what one that closed let go is everybody's."""
    return session.run(_EXTEND, (float(seconds), token, owner)) > 0


_EXTEND = """
UPDATE relay.lease SET until = clock_timestamp() + make_interval(secs => %b::float8)
WHERE token = %b AND owner = %b
"""
_UNREVOKED = """
FROM relay.event WHERE key = ANY (%b::bigint[]) AND state = 'waiting' AND consent IS DISTINCT FROM 'withdrawn'
"""
COUNT_UNREVOKED, UNREVOKED = f"SELECT count(*) {_UNREVOKED}", f"SELECT key {_UNREVOKED}"


def settle(
    session: Session,
    token: str,
    groups: Sequence[tuple[Verdict, Sequence[int]]],
    attempt: Attempt | None,
    now: float,
) -> Books:
    """`groups`: verdicts, and the keys that each is for."""
    held = session.read(_TAKE, (token,))
    dataset, _, keys = held[0] if held else (0, 0.0, ())
    rest = dict.fromkeys(keys)
    for _, of_group in groups:
        if not rest.keys() >= set(of_group):
            raise LeaseLost("another worker holds these events now; nothing was settled")
        for key in of_group:
            del rest[key]
    books = Books(Moves(), [])
    answer = _keep_answer(session, attempt) if attempt else None
    for verdict, of_group in groups:
        wanted = list(of_group)
        if not isinstance(verdict, Delivered | Expired | Withhold):  # its body would stay
            gone = _drop_withdrawn(session, wanted, now)
            move(books.moves, dataset, "leased", "erased", len(gone))
        state, n = _apply(session, verdict, wanted, answer, now, books.ended)
        move(books.moves, dataset, "leased", state, n)
    if rest:
        session.run("UPDATE relay.lease SET keys = %b::bigint[] WHERE token = %b", (list(rest), token))
    else:
        session.run("DELETE FROM relay.lease WHERE token = %b", (token,))
    return books


def _apply(
    session: Session, verdict: Verdict, keys: list[int], answer: int | None, now: float, ended: Ended
) -> tuple[str, int]:
    match verdict:
        case Delivered():
            return "delivered", _deliver(session, keys, answer, now, ended)
        case Dead(why=why):
            return "dead", end(session, "dead", why, 1, keys, answer, now, ended)
        case Expired():
            return "expired", end(session, "expired", "too_old", 0, keys, answer, now, ended)
        case Withhold(why=why):
            return "erased", end(session, "erased", why, 0, keys, answer, now, ended)
        case RetryAt(at=due_at, why=why, sent=sent):
            return "pending", _again(session, due_at, why, 1, keys, answer, now if sent else None)
        case Park(why=why, sent=sent, aside=aside):
            return "pending", _again(session, aside, why, 0, keys, answer, now if sent else None)
        case Suspect(at=due_at, sent=sent):
            sent_at = now if sent else None
            return "pending", _again(session, due_at, SUSPECT, 0, keys, answer, sent_at, lane=SUSPECTS)
        case Hold(why=why):
            session.run(_HOLD, (why, keys))
            return "pending", enqueue(session, HELD, keys)


_HOLD = "UPDATE relay.event SET reason = %b WHERE key = ANY (%b::bigint[]) AND state = 'waiting'"


def _deliver(session: Session, keys: list[int], answer: int | None, now: float, ended: Ended) -> int:
    """Their rows in `event` stay as they are. Who was erased meanwhile has no body."""
    found = session.read(_DELIVER, {"keys": bigints(keys), "answer": answer, "now": now})
    ended.append(("delivered", frozenset(found[0][0] or ())))
    return len(found[0][0] or ())


_DELIVER = """
WITH gone AS (DELETE FROM relay.body WHERE key = ANY (%(keys)b::bigint[]) RETURNING key),
kept AS (
  INSERT INTO relay.delivered (at, answer, lo, hi, keys)
  SELECT %(now)b::float8, %(answer)b::bigint, min(key), max(key), array_agg(key) FROM gone HAVING count(*) > 0
)
SELECT array_agg(key) FROM gone
"""


def end(
    session: Session,
    state: State,
    why: str | None,
    counted: int,
    keys: Sequence[int],
    answer: int | None,
    now: float,
    ended: Ended,
) -> int:
    """A dead letter keeps its body, so that it can be replayed; everything else that ended loses it."""
    values: Mapping[str, Any] = {
        "state": state,
        "why": why,
        "counted": counted,
        "keys": list(keys),
        "answer": answer,
        "now": now,
    }
    found = frozenset(key for (key,) in session.read(_END, values))
    if state != "dead":
        session.run("DELETE FROM relay.body WHERE key = ANY (%b::bigint[])", (list(found),))
    ended.append((state, found))
    return len(found)


_END = """
UPDATE relay.event SET state = %(state)b, reason = %(why)b, attempts = attempts + %(counted)b::int,
  answer = coalesce(%(answer)b::bigint, answer), settled_at = %(now)b::float8
WHERE key = ANY (%(keys)b::bigint[]) AND state = 'waiting' RETURNING key
"""


def _drop_withdrawn(session: Session, keys: Sequence[int], now: float) -> list[int]:
    """What its visitor took back while it was leased does not wait again."""
    found = [key for (key,) in session.read(_WITHDRAWN, (list(keys),))]
    if found:
        end(session, "erased", "withdrawn", 0, found, None, now, [])
    return found


_WITHDRAWN = """
SELECT key FROM relay.event WHERE key = ANY (%b::bigint[]) AND state = 'waiting' AND consent = 'withdrawn'
"""


def _again(
    session: Session,
    due_at: float | None,
    why: str,
    counted: int,
    keys: list[int],
    answer: int | None,
    sent_at: float | None,
    lane: int | None = None,
) -> int:
    session.run(_AGAIN, {"why": why, "n": counted, "answer": answer, "sent_at": sent_at, "keys": keys})
    if answer is not None:
        session.run(_RETRIED, (answer, keys))
    return enqueue(session, lane or (BACKLOG if due_at is None else LATER), keys, due_at)


_AGAIN = """
UPDATE relay.event SET reason = %(why)b, attempts = attempts + %(n)b::int,
  answer = coalesce(%(answer)b::bigint, answer), sent_at = coalesce(sent_at, %(sent_at)b::float8)
WHERE key = ANY (%(keys)b::bigint[]) AND state = 'waiting'
"""
_RETRIED = (
    "INSERT INTO relay.retried SELECT key, %b::bigint FROM unnest(%b::bigint[]) AS k (key) ON CONFLICT DO NOTHING"
)


def _keep_answer(session: Session, attempt: Attempt) -> int:
    names = Attempt.__struct_fields__
    columns, places = ", ".join(f'"{name}"' for name in names), ", ".join(["%b"] * len(names))
    sql = f"INSERT INTO relay.answer ({columns}) VALUES ({places}) RETURNING id"
    return int(session.read(sql, [getattr(attempt, name) for name in names])[0][0])
