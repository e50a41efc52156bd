"""Transactions on a few connections, and what is done when one of them is lost.

Nearly all are one statement each (`at_once`): one round trip instead of three, and rows are locked for no longer than
the server needs. In a process of many threads each round trip waits for its turn in the interpreter, up to 5 ms beside
a thread that computes. Where a decision lies between two statements, it is `transact`.

What could go wrong. A server restarts, a standby is promoted, a network is cut, an administrator ends a session. Most
of it only loses a connection. Two cases lose more than that:

1. *The connection is lost while the commit is under way.* Whether it was committed is not known. Who guesses "no" and
   does it again, settles a batch a second time; who guesses "yes", loses it.
2. *The old primary goes on as a read-only server.* A live connection to it answers, but can never commit again.

The rules.
1. *In doubt, the database is asked.* Each transaction inserts a random id into `mark`: one of several statements as
   its first, one of a single statement within it. After a loss in the commit, or in the single statement, a new
   connection inserts the same id, as a question (`asked`), and looks whose row is there. The transaction's: it was
   committed, the result stands. The question's: it was not, and never will be, so it is done again. While the server
   still works on it, the unique index makes the question wait, so nothing is answered too early. A question may itself
   be lost and asked again; without the column it was taken for the transaction's, and 20 fail-overs lost 80 events.
   Without an answer in DOUBT_SECONDS the caller is refused.
2. *Whatever fails before the commit is sent is rolled back*, so it is done once more on a new connection. Works are
   repeatable: they change nothing but the database. But the server may not have noticed yet that the connection is
   lost, and what it holds is stepped over by SKIP LOCKED: a claim then found nothing. So the question of rule 1 is
   asked here too; its answer is known, but it comes only when the lost transaction is over. A connection that the
   server left while it was idle is not used, so that what is sent on it is not in doubt. Deadlocks and lock
   time-outs are tried three times.
3. *After SQLSTATE 25006, 57P01 to 57P05 or a lost connection all idle connections are closed*: the next one is made
   anew, by the DSN's list of hosts, to a server that can write.
4. *A commit that was not replicated although it should be is no commit for `put`* (`strict`). No statement of ours is
   ever cancelled: that is what makes the server report such a commit as done.
5. *No call waits for ever.* A server that stands still, with its kernel alive, keeps a connection that never answers.
   Whoever has a session for longer than PATIENCE has its socket shut (`watchdog.py`), and is then in rule 1 or 2.
6. *A worker's threads share MOST_PINNED connections* and wait for one. Each of 64 once opened its own and closed it
   again, as no more than that are kept: a process of the server for each turn, which knew no plan and no table yet. Who
   has a session already gets another one at once, since those that wait may wait for it. Puts and pages are few at a
   time and wait for nobody.
7. *No error text of the driver leaves this module*: it may quote the DSN or a row (`refusals.py`).

Rejected: `pg_xact_status` of the transaction's id, which costs no write. A server that crashes gives the ids of
transactions that left nothing in its log a second time; a stranger's commit was taken for ours, and a test that kills
the server lost 20 acknowledged events. psycopg_pool, whose waits between two attempts to reconnect grow to minutes, so
that a server that is back stands idle.
"""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import psycopg

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.postgres.dsn import Dsn
from conversion_relay.outbox.postgres.refusals import is_lost, may_be_repeated, told
from conversion_relay.outbox.postgres.session import Rows, Session, Values
from conversion_relay.outbox.postgres.slots import Slots
from conversion_relay.outbox.postgres.watchdog import Watchdog

Result = TypeVar("Result")
Work = Callable[[Session], Result]
DOUBT_SECONDS = 8.0
ASK_EVERY = 0.1
PATIENCE = 20.0
"""Seconds for one transaction, longer than the server's own limit for a statement (`session.LIMITS`)."""
MOST_IDLE, MOST_PINNED = 8, 16
"""With fewer, a disk that takes 50 ms to flush would allow too few commits: each flush takes those that wait."""
LONGEST_LIFE = 600.0
"""Seconds; a connection older than this is made anew, so that after a fail-over no one stays with the old server."""
ATTEMPTS = 3
REFUSED = (psycopg.errors.DivisionByZero, psycopg.errors.CheckViolation)
"""How a statement of ours takes itself back: by the zero that it divides by, or since `event` lacks a part."""
CLOSED = "the outbox is closed"
BUSY = "PostgreSQL answers so slowly that no connection became free in time"


class Database:
    """Lends sessions to threads; safe to use from all of them, and in the child of a fork.

    Over 150 lines: a transaction, its doubt and the sessions that it may lose share one lock and one set of rules."""

    def __init__(self, dsn: Dsn) -> None:
        self.dsn, self.slots = dsn, Slots()
        self._idle: dict[bool, list[tuple[float, Session]]] = {False: [], True: []}
        self._lock, self._watchdog = threading.Lock(), Watchdog()
        self._places, self._has_one = threading.BoundedSemaphore(MOST_PINNED), threading.local()
        self._process = os.getpid()
        self.is_closed = False

    def transact(
        self,
        work: Work[Result],
        *,
        pinned: bool = False,
        strict: bool = False,
        patience: float | None = None,
        marked: bool = True,
    ) -> Result:
        """All of it or nothing. Raises OutboxUnavailable; what `work` raises comes out as it is. `marked`: False while
        there are no tables yet."""
        how = {"pinned": pinned, "strict": strict, "marked": marked}
        return _repeated(lambda: self._attempt(work, patience=patience or PATIENCE, **how))

    def at_once(
        self, sql: str, values: Mapping[str, Any], *, pinned: bool = False, strict: bool = False
    ) -> Rows | None:
        """A transaction of one statement. It inserts `%(mark)b` into `mark`, unless that is NULL, if it changes
        anything; one that finds at its end that it must not be done divides by zero, and gives no rows. None: it was
        committed, and the connection was lost before its rows came. Raises OutboxUnavailable."""
        if self.dsn.pooler:  # settings must be made in the transaction
            work = partial(_read_unless_refused, sql=sql, values={**values, "mark": None})
            return self.transact(work, pinned=pinned, strict=strict)
        return _repeated(lambda: self._attempt_at_once(sql, values, pinned=pinned, strict=strict))

    def _attempt_at_once(self, sql: str, values: Mapping[str, Any], *, pinned: bool, strict: bool) -> Rows | None:
        with self._lent(pinned=pinned) as session:
            mark, rows = uuid.uuid4(), None
            session.is_replicated = True
            try:
                rows = _read_unless_refused(session, sql, {**values, "mark": mark})
            except psycopg.Error as error:
                if not is_lost(error):
                    raise
                self._drop_idle()
                if not self.was_committed(mark):
                    raise
            if strict:
                _refuse_unreplicated(session)
            return rows

    def _attempt(self, work: Work[Result], *, pinned: bool, strict: bool, patience: float, marked: bool) -> Result:
        with self._lent(pinned=pinned, patience=patience) as session:
            mark = uuid.uuid4() if marked else None
            session.begin(mark)
            try:
                result = work(session)
            except BaseException as error:
                with contextlib.suppress(psycopg.Error):
                    session.rollback()
                if mark and isinstance(error, psycopg.Error) and is_lost(error):
                    self._drop_idle()
                    with contextlib.suppress(psycopg.Error, OutboxUnavailable):
                        self._ask(mark)
                raise
            try:
                session.commit()
            except psycopg.OperationalError as error:
                if not is_lost(error):
                    raise
                self._drop_idle()
                if mark is None or not self.was_committed(mark):
                    raise
            if strict:
                _refuse_unreplicated(session)
            return result

    def was_committed(self, mark: uuid.UUID) -> bool:
        """Raises OutboxUnavailable when nobody answers in time."""
        ends_at = time.monotonic() + DOUBT_SECONDS
        while time.monotonic() < ends_at:
            with contextlib.suppress(psycopg.Error, OutboxUnavailable):
                return self._ask(mark)
            time.sleep(ASK_EVERY)
        raise OutboxUnavailable("PostgreSQL was lost in a commit and does not say what became of it; send it again")

    def _ask(self, mark: uuid.UUID) -> bool:
        """Whether this transaction was committed. Waits until it is over, if the server still works on it."""
        with self._lent(pinned=False) as session:
            session.run("INSERT INTO relay.mark (id, asked) VALUES (%b, true) ON CONFLICT DO NOTHING", (mark,))
            return session.read("SELECT 1 FROM relay.mark WHERE id = %b AND asked", (mark,)) == []

    def read(self, sql: str, values: Values = None, *, pinned: bool = False) -> Rows:
        """One statement that changes nothing, or that may be done twice."""
        for attempt in (1, 2):
            try:
                with self._lent(pinned=pinned) as session:
                    return session.read(sql, values)
            except psycopg.Error as error:
                if attempt == 2 or not (is_lost(error) and may_be_repeated(error)):
                    raise told(error) from None
        raise AssertionError("the second attempt returns or raises")

    def alone(self, sql: str) -> None:
        """One statement that a transaction may not hold, and that may be left undone. Raises OutboxUnavailable."""
        try:
            with self._lent(pinned=False) as session:
                session.run(sql)
        except psycopg.Error as error:
            raise told(error) from None

    @contextlib.contextmanager
    def _lent(self, *, pinned: bool, patience: float | None = None) -> Iterator[Session]:
        with self._place(pinned=pinned):
            session = self._take(pinned=pinned)
            try:
                with self._watchdog.watching(session.connection.fileno(), patience or PATIENCE):
                    yield session
            except psycopg.Error as error:
                if is_lost(error):
                    session.close()
                    self._drop_idle()
                raise
            finally:
                self._give_back(session, pinned=pinned)

    @contextlib.contextmanager
    def _place(self, *, pinned: bool) -> Iterator[None]:
        if not pinned or getattr(self._has_one, "now", False):
            yield
            return
        if not self._places.acquire(timeout=PATIENCE):
            raise OutboxUnavailable(BUSY)
        self._has_one.now = True
        try:
            yield
        finally:
            self._has_one.now = False
            self._places.release()

    def _take(self, *, pinned: bool) -> Session:
        with self._lock:
            if self._process != os.getpid():  # the parent's; psycopg does not close what another process opened
                self._idle, self._process = {False: [], True: []}, os.getpid()
            if self.is_closed:
                raise OutboxUnavailable(CLOSED)
            while self._idle[pinned]:
                since, session = self._idle[pinned].pop()
                if time.monotonic() - since < LONGEST_LIFE and session.is_usable and not session.was_left():
                    return session
                session.close()
        return Session(self.dsn, self.slots, pinned=pinned)

    def _give_back(self, session: Session, *, pinned: bool) -> None:
        is_idle = session.is_usable and session.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._lock:
            if is_idle and not self.is_closed and len(self._idle[pinned]) < (MOST_PINNED if pinned else MOST_IDLE):
                self._idle[pinned].append((session.opened_at, session))
                return
        session.close()

    def _drop_idle(self) -> None:
        with self._lock:
            dropped = [session for kept in self._idle.values() for _, session in kept]
            self._idle = {False: [], True: []}
        for session in dropped:
            session.close()

    def close(self) -> None:
        with self._lock:
            self.is_closed = True
        self._drop_idle()

    def after_fork(self) -> None:
        """In the child: another thread of the parent may have held the lock."""
        self._lock, self._watchdog = threading.Lock(), Watchdog()
        self._places, self._has_one = threading.BoundedSemaphore(MOST_PINNED), threading.local()


def _repeated(attempt: Callable[[], Result]) -> Result:
    for number in range(1, ATTEMPTS + 1):
        try:
            return attempt()
        except psycopg.Error as error:
            if number == ATTEMPTS or not may_be_repeated(error):
                raise told(error) from None
    raise AssertionError("the last attempt returns or raises")


def _read_unless_refused(session: Session, sql: str, values: Mapping[str, Any]) -> Rows:
    try:
        return session.read(sql, values)
    except REFUSED:
        return []


def _refuse_unreplicated(session: Session) -> None:
    if not session.is_replicated:
        raise OutboxUnavailable("PostgreSQL did not replicate the commit; send it again")
