"""Who delivers: each worker's last sign of life; and what a person was told, so that one process of all tells it.

What could go wrong. Machines whose clocks are a minute apart take each other for gone: `status` says that nobody
delivers, a pause that Meta asked for holds for one of them alone, each makes all the calls.

The rule. A sign's times stand in the table by the database's clock. They are translated by the machine that writes
them, and by the one that reads them, each of which compares its clock just then.
"""

import msgspec

from conversion_relay.outbox.postgres.clock import NOW, ahead_of
from conversion_relay.outbox.postgres.session import Rows, Session
from conversion_relay.outbox.story import SignOfLife

FORGOTTEN_AFTER = 86_400.0


def note(session: Session, sign: SignOfLife) -> None:
    ahead = ahead_of(session.read(NOW)[0][0])
    sign = msgspec.structs.replace(_later(sign, -ahead), clock_ahead_seconds=round(ahead, 1))
    session.run("DELETE FROM relay.worker WHERE seen_at < %b::float8", (sign.at - FORGOTTEN_AFTER,))
    session.run(_NOTE, (sign.worker, float(sign.at), msgspec.json.encode(sign)))


_NOTE = """
INSERT INTO relay.worker VALUES (%b, %b::float8, %b)
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, document = excluded.document
"""
FORGET = "DELETE FROM relay.worker WHERE name = %b"
SIGNS = "SELECT document, extract(epoch FROM clock_timestamp())::float8 FROM relay.worker ORDER BY seen_at DESC"
SEE_NOTICE = "UPDATE relay.notice SET at = %b::float8 WHERE cause = %b"
TAKE_NOTICE = "INSERT INTO relay.notice VALUES (%b, %b::float8) ON CONFLICT DO NOTHING"
NOTICES = "SELECT cause, at FROM relay.notice"
DROP_NOTICE = "DELETE FROM relay.notice WHERE cause = %b"


def signs(rows: Rows) -> list[SignOfLife]:
    """Of SIGNS' rows."""
    return [_later(_decoder.decode(document), ahead_of(database_now)) for document, database_now in rows]


def _later(sign: SignOfLife, seconds: float) -> SignOfLife:
    if not seconds:
        return sign
    datasets = {
        name: msgspec.structs.replace(
            state,
            parked_until=state.parked_until and state.parked_until + seconds,
            asked_until=state.asked_until and state.asked_until + seconds,
        )
        for name, state in sign.datasets.items()
    }
    return msgspec.structs.replace(sign, at=sign.at + seconds, datasets=datasets)


_decoder = msgspec.json.Decoder(SignOfLife)
