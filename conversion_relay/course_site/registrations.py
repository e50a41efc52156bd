"""Who registered for what, in SQLite. `dynamodb.py` is the other store, on AWS.

This is the site's own customer file, so it holds names and addresses; the relay's outbox never does.
"""

import threading
from pathlib import Path
from typing import Any

import msgspec

from conversion_relay.course_site.shop import Registration, registration_decoder


class SqliteRegistrations:
    """One file; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        import apsw

        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        self._lock = threading.Lock()
        self._db = apsw.Connection(str(path))
        self._db.set_busy_timeout(5_000)
        self._db.transaction_mode = "IMMEDIATE"
        self._db.execute(
            """
            PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;
            CREATE TABLE IF NOT EXISTS registration (
              course_id TEXT NOT NULL, email TEXT NOT NULL, paid_at INTEGER, document BLOB NOT NULL,
              PRIMARY KEY (course_id, email));
            -- Every id ever given out: somebody may pay in the checkout that an earlier registration opened.
            CREATE TABLE IF NOT EXISTS registration_id (
              registration_id TEXT PRIMARY KEY, course_id TEXT NOT NULL, email TEXT NOT NULL);
            """
        ).fetchall()

    def register(self, registration: Registration) -> str | None:
        key = (registration.course_id, registration.email.strip().lower())
        with self._lock, self._db:
            known: list[Any] = self._db.execute(
                "SELECT document, paid_at FROM registration WHERE course_id = ? AND email = ?", key
            ).fetchall()
            if known and known[0][1] is not None:
                return None
            if known:
                kept = registration_decoder.decode(known[0][0]).registration_id
                registration = msgspec.structs.replace(registration, registration_id=kept)
            document = msgspec.json.encode(registration)
            self._db.execute(
                "REPLACE INTO registration (course_id, email, document) VALUES (?, ?, ?)", (*key, document)
            )
            self._db.execute("REPLACE INTO registration_id VALUES (?, ?, ?)", (registration.registration_id, *key))
        return registration.registration_id

    def find(self, registration_id: str) -> Registration | None:
        with self._lock:
            rows: list[Any] = self._db.execute(
                "SELECT document, paid_at FROM registration JOIN registration_id USING (course_id, email)"
                " WHERE registration_id = ?",
                (registration_id,),
            ).fetchall()
        if not rows:
            return None
        ((document, paid_at),) = rows
        registration = registration_decoder.decode(document)
        return msgspec.structs.replace(registration, registration_id=registration_id, paid_at=paid_at)

    def mark_paid(self, registration_id: str, paid_at: int) -> bool:
        with self._lock:
            self._db.execute(
                "UPDATE registration SET paid_at = ? WHERE paid_at IS NULL AND (course_id, email) ="
                " (SELECT course_id, email FROM registration_id WHERE registration_id = ?)",
                (paid_at, registration_id),
            )
            return self._db.changes() == 1
