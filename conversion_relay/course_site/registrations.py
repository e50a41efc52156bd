"""Who registered for what, and from where: the port, and the SQLite behind it. DynamoDB is the other one, on AWS.

This is the site's own customer file, so it holds names and addresses; the relay's outbox never does.
"""

import threading
from pathlib import Path
from typing import Literal, Protocol

import msgspec


class Registration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person's place in one course, with the visit it came from: the payment's webhook knows no browser."""

    registration_id: str
    course_id: str
    email: str
    name: str
    phone: str | None = None
    registered_at: float
    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None
    url: str | None = None
    consent: Literal["granted", "denied"] | None = None
    fields: dict[str, str | int | float | bool] = {}
    """What else the form asked."""
    paid_at: int | None = None

    def __repr__(self) -> str:
        return f"Registration({self.registration_id})"


class Registrations(Protocol):
    """One registration per course and e-mail address; every verb is one conditional write or one read."""

    def register(self, registration: Registration) -> Literal["stored", "already_paid"]:
        """Stores it, or replaces an unpaid one of the same course and address."""

    def find(self, registration_id: str) -> Registration | None:
        """By any id given out for this course and address; the registration of now, under the id asked for."""

    def mark_paid(self, registration_id: str, paid_at: int) -> bool:
        """False when it was marked before, or is not there."""


class SqliteRegistrations:
    """One file; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        import sqlite3

        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(
            """
            PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS registration (
              course_id TEXT NOT NULL, email TEXT NOT NULL, paid_at INTEGER, document BLOB NOT NULL,
              PRIMARY KEY (course_id, email));
            -- Every id ever given out: somebody may pay in the checkout that an earlier registration opened.
            CREATE TABLE IF NOT EXISTS registration_id (
              registration_id TEXT PRIMARY KEY, course_id TEXT NOT NULL, email TEXT NOT NULL);
            """
        )

    def register(self, registration: Registration) -> Literal["stored", "already_paid"]:
        key = (registration.course_id, registration.email.strip().lower())
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            cursor = self._db.execute(
                "INSERT INTO registration (course_id, email, document) VALUES (?, ?, ?)"
                " ON CONFLICT (course_id, email) DO UPDATE SET document = excluded.document WHERE paid_at IS NULL",
                (*key, msgspec.json.encode(registration)),
            )
            if cursor.rowcount != 1:
                return "already_paid"
            self._db.execute("INSERT INTO registration_id VALUES (?, ?, ?)", (registration.registration_id, *key))
        return "stored"

    def find(self, registration_id: str) -> Registration | None:
        with self._lock:
            row = self._db.execute(
                "SELECT document, paid_at FROM registration JOIN registration_id USING (course_id, email)"
                " WHERE registration_id = ?",
                (registration_id,),
            ).fetchone()
        if row is None:
            return None
        registration = msgspec.json.decode(row[0], type=Registration)
        return msgspec.structs.replace(registration, registration_id=registration_id, paid_at=row[1])

    def mark_paid(self, registration_id: str, paid_at: int) -> bool:
        with self._lock:
            cursor = self._db.execute(
                "UPDATE registration SET paid_at = ? WHERE paid_at IS NULL AND (course_id, email) ="
                " (SELECT course_id, email FROM registration_id WHERE registration_id = ?)",
                (paid_at, registration_id),
            )
        return cursor.rowcount == 1
