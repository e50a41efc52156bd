"""Who delivers: each worker's last sign of life. A worker that was killed leaves its row; its age tells."""

import apsw
import msgspec

from conversion_relay.outbox.sqlite.books import Read
from conversion_relay.outbox.story import SignOfLife

FORGOTTEN_AFTER = 86_400.0


def note(db: apsw.Connection, sign: SignOfLife) -> None:
    db.execute("DELETE FROM worker WHERE seen_at < ?", (sign.at - FORGOTTEN_AFTER,))
    document = msgspec.json.encode(sign)
    db.execute("INSERT OR REPLACE INTO worker VALUES (?, ?, ?)", (sign.worker, sign.at, document))


def forget(db: apsw.Connection, worker: str) -> None:
    db.execute("DELETE FROM worker WHERE name = ?", (worker,))


def signs(read: Read) -> list[SignOfLife]:
    """The latest first."""
    return [_decoder.decode(document) for (document,) in read("SELECT document FROM worker ORDER BY seen_at DESC")]


_decoder = msgspec.json.Decoder(SignOfLife)


NOTICES = "SELECT cause, at FROM notice"


def take_notice(db: apsw.Connection, cause: str, now: float) -> bool:
    """Whether nobody has told of it yet; from now on somebody has, who sees it `now`."""
    db.execute("UPDATE notice SET at = ? WHERE cause = ?", (now, cause))
    if db.changes():
        return False
    db.execute("INSERT INTO notice VALUES (?, ?)", (cause, now))
    return True


def drop_notice(db: apsw.Connection, cause: str) -> bool:
    """Whether it had been told."""
    db.execute("DELETE FROM notice WHERE cause = ?", (cause,))
    return db.changes() > 0
