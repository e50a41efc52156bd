"""A claim: one statement, and leased events of its rows."""

import zlib
from functools import partial
from typing import Any

from conversion_relay.outbox.postgres import lanes
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.floors import Floors, Places
from conversion_relay.outbox.postgres.session import Rows, Session
from conversion_relay.outbox.protocol import LeasedEvent


def claim(database: Database, kept: Floors, dataset: int, limit: int, now: float, lease: dict[str, Any]) -> Rows | None:
    """Of the ordinary lanes. None: the lease was written, and the connection was lost before its events came."""
    places, front = kept.of(dataset), Places()
    rows = _claim_behind(places, database, kept, dataset, limit, now, lease)
    if rows == [] and places[:2] != front[:2] and not kept.is_crowded:
        rows = _claim_behind(front, database, kept, dataset, limit, now, lease)
    if rows is not None:
        kept.took(dataset, places, rows, now, is_full=len(rows) >= limit)
    return rows


def _claim_behind(
    places: Places, database: Database, kept: Floors, dataset: int, limit: int, now: float, lease: dict[str, Any]
) -> Rows | None:
    values = lanes.claim(dataset, limit, places, lease, now, may_shift=True)
    rows = database.at_once(lanes.CLAIM, values, pinned=True)
    if not rows or rows[0][0] != lanes.SHIFT_FIRST:
        return rows

    def shift_and_claim(session: Session) -> Rows:
        moved, behind = lanes.shift_lanes(session, dataset, now, places), places
        if moved.n:
            kept.joined_backlog(dataset, moved.first)
            behind = places._replace(backlog=min(places.backlog, (moved.first, -1)))
        values = lanes.claim(dataset, limit, behind, lease, now, may_shift=False)
        return session.read(lanes.CLAIM, {**values, "mark": None})

    return database.transact(shift_and_claim, pinned=True)


def claim_suspects(
    database: Database, kept: Floors, dataset: int, limit: int, now: float, lease: dict[str, Any]
) -> Rows | None:
    """As `claim`. What is no suspect any more, since the clock was set back, joins the backlog first."""
    moved = database.transact(partial(lanes.shift_lanes, dataset=dataset, now=now), pinned=True)
    if moved.n:
        kept.joined_backlog(dataset, moved.first)
    values = {"dataset": dataset, "limit": limit, "now": now, **lease}
    return database.at_once(lanes.CLAIM_SUSPECTS, values, pinned=True)


def leased_events(rows: Rows) -> tuple[LeasedEvent, ...]:
    """In the order of the lanes; an event without a row or a body comes out as damaged."""
    rows.sort(key=lambda row: row[:3])
    return tuple(
        [
            LeasedEvent(key, name, id_, at, ends_at, tries, sent, zlib.crc32(body) == crc, body, consent, accepted)
            if body is not None and name is not None
            else LeasedEvent(key, name or "", id_ or "", 0, 0, 0, None, False, b"")
            for _, _, key, name, id_, at, ends_at, tries, sent, crc, body, consent, accepted in rows
        ]
    )
