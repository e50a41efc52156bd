"""The embedded outbox: one SQLite file, fsynced before anybody is told "accepted".

WAL with synchronous=FULL: in simulated power cuts NORMAL lost every acknowledged event, FULL none. What makes FULL
quick is group commit: one thread owns the writing connection and puts everything that waits for it into one
transaction, so a hundred requests share one fsync. SQLite comes with APSW because releases up to 3.51.2 can corrupt a
WAL written by two connections (https://sqlite.org/wal.html#walresetbug) and Python's own is older.
"""

import os
import queue
import secrets
import threading
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import apsw

from conversion_relay.errors import LeaseLost, OutboxUnavailable, SettingsError
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox import Attempt, Counts, Lease, LeasedEvent, Settlement, Story
from conversion_relay.outbox.owner import Owner
from conversion_relay.retry import Dead, Delivered, Expired, Park, RetryAt

SCHEMA_VERSION = 1
BUSY_MILLISECONDS = 2_000
LEDGER_SECONDS = 8 * 86_400
"""A duplicate is known this long after its twin was settled: longer than Meta's own 48 h and any webhook's retries."""
GROUP = 512
"""Jobs in one transaction at most, so that the first of them is not kept waiting for the last."""
Result = TypeVar("Result")
Work = Callable[[apsw.Connection], Any]


class SqliteOutbox:
    """Safe to use from several threads and several processes of one machine."""

    survives_restart = True
    shared_between_machines = False

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._wakers: list[Callable[[], None]] = []
        self._jobs: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._reading = threading.Lock()
        self._writer = _connect(self._path)
        self._reader = _connect(self._path, writer=False)
        self._owner = Owner(self._path)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True, name="outbox-writer")
        self._thread.start()

    # -- putting ---------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        return self.put_soon(events, now).result()

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        future = self._submit(lambda db: _insert(db, events, now))
        future.add_done_callback(self._tell)
        return future

    def _tell(self, put: "Future[list[Receipt]]") -> None:
        if put.exception() is None and not all(receipt.duplicate for receipt in put.result()):
            for wake in self._wakers:
                wake()

    def on_put(self, wake: Callable[[], None]) -> None:
        self._wakers.append(wake)

    # -- leasing ---------------------------------------------------------------------------------------------------

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        token = secrets.token_hex(8)
        until = now + lease_seconds

        def work(db: apsw.Connection) -> Lease | None:
            _take_back(db, "leased_until <= ?", now)
            rows = _rows(db, _CLAIM, (token, self._owner.name, until, dataset, now, limit))
            _move(db, dataset, "pending", "leased", len(rows))
            events = tuple(map(_leased_event, sorted(rows)))
            return Lease(token=token, dataset=dataset, until=until, events=events) if events else None

        return self._submit(work).result()

    def extend(self, lease: Lease, lease_seconds: float, now: float) -> Lease:
        until = now + lease_seconds

        def work(db: apsw.Connection) -> None:
            db.execute("UPDATE event SET leased_until = ? WHERE lease = ? AND state = 'leased'", (until, lease.token))
            if db.changes() == 0:
                raise LeaseLost(f"the lease of {len(lease.events)} events ran out")

        self._submit(work).result()
        return Lease(token=lease.token, dataset=lease.dataset, until=until, events=lease.events)

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        self._submit(lambda db: _settle(db, lease, settlements, attempt, now)).result()

    def waiting(self, now: float) -> dict[str, float]:
        self._submit(lambda db: self._take_back_from_the_dead(db, now)).result()
        return {dataset: due for dataset, due in self._read(_WAITING) if due is not None}

    def _take_back_from_the_dead(self, db: apsw.Connection, now: float) -> None:
        """A process that is gone freed its lock, so nobody will settle what it leased."""
        _take_back(db, "leased_until <= ?", now)
        for (owner,) in _rows(db, "SELECT DISTINCT owner FROM event WHERE state = 'leased'"):
            if owner != self._owner.name and self._owner.is_gone(owner):
                _take_back(db, "owner = ?", owner)

    # -- looking ---------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, Counts]:
        books: dict[str, dict[str, Any]] = {}
        for dataset, state, n in self._read("SELECT dataset, state, n FROM tally"):
            books.setdefault(dataset, {})[state] = n
        for dataset, accepted_at, expires_at in self._read(_AGES):
            books[dataset] |= {"oldest_pending_at": accepted_at, "nearest_expiry_at": expires_at}
        return {dataset: Counts(**book) for dataset, book in sorted(books.items())}

    def find(self, event_id: str) -> list[Story]:
        return self._stories("WHERE event_id = ?", (event_id,))

    def dead(self, limit: int = 100) -> list[Story]:
        return self._stories("WHERE state = 'dead' ORDER BY settled_at DESC LIMIT ?", (limit,))

    def recent(self, limit: int = 50) -> list[Story]:
        """The newest events, for the dashboard."""
        return self._stories("ORDER BY key DESC LIMIT ?", (limit,))

    def _stories(self, where: str, values: tuple[Any, ...]) -> list[Story]:
        rows = self._read(f"SELECT {_STORY} FROM event {where}", values)
        return [_story(row, self._read(_HISTORY, (row[0], row[-1]))) for row in rows]

    # -- the operator's hand ---------------------------------------------------------------------------------------

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        return self._submit(lambda db: _replay(db, now, event_ids)).result()

    def erase(self, digests: Sequence[str], now: float) -> int:
        return self._submit(lambda db: _erase(db, digests, now)).result()

    def prune(self, now: float) -> int:
        def work(db: apsw.Connection) -> int:
            before = now - LEDGER_SECONDS
            db.execute(_PRUNE, (before,))
            pruned = db.changes()
            db.execute(
                "DELETE FROM answer WHERE at < ? AND id NOT IN (SELECT answer FROM event WHERE answer NOT NULL)",
                (before,),
            )
            db.execute("DELETE FROM retried WHERE answer NOT IN (SELECT id FROM answer)")
            return pruned

        return self._submit(work).result()

    def probe(self) -> None:
        # Rewriting the header is a real write and a real fsync, and changes nothing.
        self._submit(lambda db: db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")).result()

    def close(self) -> None:
        """What was submitted is committed first; leased events are free for others at once."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._jobs.put(None)
        self._thread.join()
        with self._reading:
            self._reader.close()
        self._owner.release()

    # -- one writer ------------------------------------------------------------------------------------------------

    def _submit(self, work: Callable[[apsw.Connection], Result]) -> "Future[Result]":
        future: Future[Result] = Future()
        if self._closed.is_set():
            future.set_exception(OutboxUnavailable("the outbox is closed"))
        else:
            self._jobs.put((work, future))
        return future

    def _write(self) -> None:
        """The writer thread: everything that waits goes into one transaction and one fsync."""
        open_for_work = True
        while open_for_work:
            group = [self._jobs.get()]
            while len(group) < GROUP and not self._jobs.empty():
                group.append(self._jobs.get())
            open_for_work = None not in group
            # From here on a caller cannot take its job back; one that went away before is not carried out.
            jobs = [job for job in group if job is not None and job[1].set_running_or_notify_cancel()]
            if jobs:
                self._commit(jobs)
        while not self._jobs.empty():
            if (job := self._jobs.get()) and job[1].set_running_or_notify_cancel():
                job[1].set_exception(OutboxUnavailable("the outbox is closed"))
        self._writer.close()

    def _commit(self, jobs: list[tuple[Work, "Future[Any]"]]) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            results = [self._attempt(work) for work, _ in jobs]
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            for _, future in jobs:
                future.set_exception(OutboxUnavailable(type(error).__name__))
            return
        for (_, future), (result, failure) in zip(jobs, results, strict=True):
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)

    def _attempt(self, work: Work) -> tuple[Any, Exception | None]:
        """One job inside the shared transaction; its own failure takes back only what it did."""
        self._writer.execute("SAVEPOINT job")
        try:
            result = work(self._writer)
        except apsw.Error:
            raise
        except Exception as error:
            self._writer.execute("ROLLBACK TO job; RELEASE job")
            return None, error
        self._writer.execute("RELEASE job")
        return result, None

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if self._closed.is_set():
            raise OutboxUnavailable("the outbox is closed")
        try:
            with self._reading:
                return self._reader.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise OutboxUnavailable(type(error).__name__) from None


_CLAIM = """
UPDATE event SET state = 'leased', lease = ?, owner = ?, leased_until = ?
WHERE key IN (
  SELECT key FROM event WHERE state = 'pending' AND dataset = ?4 AND due_at <= ?5 ORDER BY due_at, key LIMIT ?6)
RETURNING key, event_name, event_id, event_time, expires_at, attempts, checksum, body
"""
_WAITING = """
SELECT dataset, (SELECT min(due_at) FROM event WHERE state = 'pending' AND event.dataset = tally.dataset)
FROM tally WHERE state = 'pending' AND n > 0
"""
_AGES = """
SELECT dataset,
  (SELECT accepted_at FROM event WHERE state = 'pending' AND event.dataset = tally.dataset ORDER BY key LIMIT 1),
  (SELECT min(expires_at) FROM event WHERE state = 'pending' AND event.dataset = tally.dataset)
FROM tally WHERE state = 'pending' AND n > 0
"""
_STORY = (
    "key, dataset, event_name, event_id, event_time, accepted_at, expires_at, state, reason, attempts, due_at, "
    "settled_at, answer"
)
_HISTORY = """
SELECT at, outcome, why, status, code, subcode, title, fbtrace_id FROM answer
WHERE id IN (SELECT answer FROM retried WHERE event = ?) OR id = ? ORDER BY id
"""
_PRUNE = "DELETE FROM event WHERE state IN ('delivered', 'expired', 'erased') AND settled_at < ?"


_INSERT = """
INSERT INTO event (dataset, event_name, event_id, event_time, expires_at, accepted_at, state, due_at, body, checksum)
VALUES (?, ?, ?, ?, ?, ?6, 'pending', ?6, ?, ?) ON CONFLICT DO NOTHING
"""


def _insert(db: apsw.Connection, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
    receipts = []
    new: dict[str, int] = {}
    for event in events:
        db.execute(
            _INSERT,
            (
                event.dataset,
                event.event_name,
                event.event_id,
                event.event_time,
                event.expires_at,
                now,
                event.body,
                zlib.crc32(event.body),
            ),
        )
        stored = db.changes() == 1
        receipts.append(Receipt(event.event_id, duplicate=not stored))
        if stored:
            new[event.dataset] = new.get(event.dataset, 0) + 1
    for dataset, n in new.items():
        _add(db, dataset, "accepted", n)
        _add(db, dataset, "pending", n)
    return receipts


def _take_back(db: apsw.Connection, which: str, value: object) -> None:
    """Leased events become pending again; `which` is one of two conditions written in this file."""
    where = f"WHERE state = 'leased' AND {which}"
    for dataset, n in _rows(db, f"SELECT dataset, count(*) FROM event {where} GROUP BY dataset", (value,)):
        _move(db, dataset, "leased", "pending", n)
    db.execute(
        f"UPDATE event SET state = 'pending', lease = NULL, owner = NULL, leased_until = NULL {where}",
        (value,),
    )


def _settle(
    db: apsw.Connection, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float
) -> None:
    answer = _keep_answer(db, attempt) if attempt else None
    moved: dict[str, int] = {}
    for event, verdict in settlements:
        match verdict:
            case Delivered():
                state, reason, due_at, counted = "delivered", None, None, 1
            case Dead(why=why):
                state, reason, due_at, counted = "dead", why, None, 1
            case Expired():
                state, reason, due_at, counted = "expired", "too_old", None, 0
            case RetryAt(at=at, why=why):
                state, reason, due_at, counted = "pending", why, at, 1
            case Park(until=until, why=why):
                state, reason, due_at, counted = "pending", why, until, 0
        db.execute(_SETTLE, (state, reason, due_at, counted, answer, now, event.key, lease.token))
        if db.changes() != 1:
            raise LeaseLost("another worker holds these events now; nothing was settled")
        if state == "pending" and answer is not None:
            db.execute("INSERT OR IGNORE INTO retried VALUES (?, ?)", (event.key, answer))
        moved[state] = moved.get(state, 0) + 1
    for state, n in moved.items():
        _move(db, lease.dataset, "leased", state, n)


# A dead letter keeps its body, so that it can be replayed; everything else that ended loses it.
_SETTLE = """
UPDATE event SET state = ?1, reason = ?2, due_at = coalesce(?3, due_at), attempts = attempts + ?4, answer = ?5,
  settled_at = iif(?1 = 'pending', NULL, ?6), body = iif(?1 IN ('pending', 'dead'), body, NULL),
  lease = NULL, owner = NULL, leased_until = NULL
WHERE key = ?7 AND lease = ?8 AND state = 'leased'
"""


def _keep_answer(db: apsw.Connection, attempt: Attempt) -> int:
    db.execute(
        "INSERT INTO answer (at, outcome, why, status, code, subcode, title, fbtrace_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            attempt.at,
            attempt.outcome,
            attempt.why,
            attempt.status,
            attempt.code,
            attempt.subcode,
            attempt.title,
            attempt.fbtrace_id,
        ),
    )
    return db.last_insert_rowid()


def _replay(db: apsw.Connection, now: float, event_ids: Sequence[str] | None) -> int:
    replayed = 0
    rows = _rows(db, "SELECT key, dataset, event_id FROM event WHERE state = 'dead' AND expires_at > ?", (now,))
    for key, dataset, event_id in rows:
        if event_ids is None or event_id in event_ids:
            db.execute(
                "INSERT OR IGNORE INTO retried SELECT key, answer FROM event WHERE key = ? AND answer NOT NULL",
                (key,),
            )
            db.execute(
                "UPDATE event SET state = 'pending', due_at = ?, attempts = 0, settled_at = NULL WHERE key = ?",
                (now, key),
            )
            _move(db, dataset, "dead", "pending", 1)
            replayed += 1
    return replayed


def _erase(db: apsw.Connection, digests: Sequence[str], now: float) -> int:
    """A whole scan: it happens once a person asks, and an index over digests would be a list of persons."""
    erased = 0
    for digest in digests:
        rows = _rows(
            db,
            "SELECT key, dataset, state FROM event"
            " WHERE state != 'erased' AND (instr(body, ?1) OR instr(event_id, ?2))",
            (digest.encode(), digest),
        )
        for key, dataset, state in rows:
            db.execute(_ERASE, (now, f"erased_{secrets.token_hex(8)}", key))
            _move(db, dataset, state, "erased", 1)
        erased += len(rows)
    return erased


_ERASE = """
UPDATE event SET state = 'erased', settled_at = ?, event_id = ?, body = NULL, checksum = NULL, reason = 'erased',
  lease = NULL, owner = NULL, leased_until = NULL WHERE key = ?
"""


def _move(db: apsw.Connection, dataset: str, source: str, target: str, n: int) -> None:
    if n and source != target:
        _add(db, dataset, source, -n)
        _add(db, dataset, target, n)


def _add(db: apsw.Connection, dataset: str, state: str, n: int) -> None:
    db.execute("INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", (dataset, state, n))


def _rows(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    return db.execute(sql, values).fetchall()


def _leased_event(row: tuple[Any, ...]) -> LeasedEvent:
    key, event_name, event_id, event_time, expires_at, attempts, checksum, body = row
    return LeasedEvent(
        key=key,
        event_name=event_name,
        event_id=event_id,
        event_time=event_time,
        expires_at=expires_at,
        attempts=attempts,
        intact=zlib.crc32(body) == checksum,
        body=body,
    )


def _story(row: tuple[Any, ...], history: list[tuple[Any, ...]]) -> Story:
    fields = dict(zip(_STORY.split(", "), row, strict=True))
    del fields["key"], fields["answer"]
    if fields["state"] != "pending":
        fields["due_at"] = None
    names = Attempt.__struct_fields__
    return Story(**fields, history=tuple(Attempt(**dict(zip(names, answer, strict=True))) for answer in history))


def _connect(path: Path, *, writer: bool = True) -> apsw.Connection:
    """Created readable by its owner alone. Raises SettingsError that says what is wrong with the place."""
    try:
        if writer:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        db.set_busy_timeout(BUSY_MILLISECONDS)
        if writer:
            db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON")
            _migrate(db)
        else:
            # Only the writer checkpoints: two connections that do are what the WAL-reset bug needed.
            db.execute("PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0")
    except OSError as error:
        raise SettingsError(f"RELAY_OUTBOX: {path.name} cannot be opened for writing: {error.strerror}") from None
    except apsw.Error as error:
        raise SettingsError(f"RELAY_OUTBOX: {path.name} is not usable as an outbox: {error}") from None
    return db


def _migrate(db: apsw.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]  # type: ignore[index]
        if version == 0:
            schema = resources.files("conversion_relay.outbox").joinpath("schema_sqlite.sql").read_text("utf-8")
            db.execute(f"{schema}; PRAGMA user_version = {SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            raise SettingsError(f"RELAY_OUTBOX: the file is of schema {version}, this version reads {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
