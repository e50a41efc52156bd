"""Who delivers: each worker's last sign of life; and what a person was told, so that one process of all tells it."""

import msgspec

from conversion_relay.outbox.postgres.session import Rows, Session
from conversion_relay.outbox.story import SignOfLife

FORGOTTEN_AFTER = 86_400.0


def note(session: Session, sign: SignOfLife) -> None:
    session.run("DELETE FROM relay.worker WHERE seen_at < %b::float8", (sign.at - FORGOTTEN_AFTER,))
    session.run(_NOTE, (sign.worker, float(sign.at), msgspec.json.encode(sign)))


_NOTE = """
INSERT INTO relay.worker VALUES (%b, %b::float8, %b)
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, document = excluded.document
"""
FORGET = "DELETE FROM relay.worker WHERE name = %b"
SIGNS = "SELECT document FROM relay.worker ORDER BY seen_at DESC"
TAKE_NOTICE = "INSERT INTO relay.notice VALUES (%b, %b::float8) ON CONFLICT DO NOTHING"
NOTICES = "SELECT cause, at FROM relay.notice"
DROP_NOTICE = "DELETE FROM relay.notice WHERE cause = %b"


def signs(rows: Rows) -> list[SignOfLife]:
    """Of SIGNS' rows."""
    return [_decoder.decode(document) for (document,) in rows]


_decoder = msgspec.json.Decoder(SignOfLife)
