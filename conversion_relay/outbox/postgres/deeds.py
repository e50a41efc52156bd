"""The verbs by which an operator, a page or a worker changes something beside the way of the events."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.postgres import inbox, operator, workers
from conversion_relay.outbox.postgres.books import Moves, write
from conversion_relay.outbox.postgres.looks import Looks
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.story import SignOfLife

if TYPE_CHECKING:
    from conversion_relay.outbox.postgres.books import Datasets
    from conversion_relay.outbox.postgres.crowd import Crowd
    from conversion_relay.outbox.postgres.floors import Floors
    from conversion_relay.outbox.postgres.signal import Signals
    from conversion_relay.outbox.postgres.storing import Storing

SCAN_PATIENCE = 3_600.0
INBOX_PATIENCE = 30.0
"""Seconds: longer than any transaction of ours may stand still."""
NOT_TAKEN_IN = "another process takes in what programs put by their own connections, and does not come to an end"
STEP = 500
"""Events of one transaction."""
Result = TypeVar("Result")


class Deeds(Looks):
    """A part of `PostgresOutbox`, which opens the database."""

    _crowd: "Crowd"
    _datasets: "Datasets"
    _floors: "Floors"
    _signals: "Signals"
    _storing: "Storing"
    _wakers: list[Callable[[], None]]

    def _do(
        self, work: Callable[[Session, Moves], Result], *, strict: bool = False, patience: float | None = None
    ) -> Result:
        """In one transaction with the books that it moves."""

        def whole(session: Session) -> Result:
            moves = Moves()
            result = work(session, moves)
            write(session, moves)
            return result

        return self._database.transact(whole, strict=strict, patience=patience)

    def withdraw(self, dataset: str, event_ids: Sequence[str], now: float) -> int:
        ids = list(dict.fromkeys(event_ids))
        self._take_in()
        return self._do(lambda session, moves: operator.withdraw(session, dataset, ids, now, moves))

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        if event_ids is None:
            found = self._database.read(operator.DEAD_OR_HELD, (now,))
        else:
            found = self._database.read(operator.OF_IDS, operator.ranges(list(dict.fromkeys(event_ids))))
        return self.replay_chosen([key for (key,) in found], now)

    def replay_chosen(self, keys: Sequence[int], now: float) -> int:
        replayed = sum(
            self._do(lambda session, moves, step=step: operator.replay(session, now, step, moves))  # type: ignore[misc]
            for step in _steps(keys)
        )
        self._floors.forget()
        if replayed:
            self._wake()
            self._signals.say()
        return replayed

    def erase(self, digests: Sequence[str], now: float) -> int:
        """A whole scan: it happens rarely, and an index over digests would be a list of persons."""
        self._take_in()
        keys: dict[int, None] = {}
        for digest in digests:
            values = (digest.encode(), digest)
            keys |= dict.fromkeys(key for (key,) in self._scan(values))
        erased = self._erase(list(keys), digests, now)
        self._do(lambda session, _: operator.forget_names(session, digests))
        return erased

    def _take_in(self) -> None:
        """What programs have committed to the inbox until now stands in the tables that are looked through: left there,
        it would be sent after it was erased. Rows that a worker takes over just now are in neither, for us, until it
        commits; so it is waited for."""
        ((last,),) = self._database.read(inbox.LAST)
        ends_at = time.monotonic() + INBOX_PATIENCE
        while last is not None and self._database.read(inbox.UP_TO, (last,)):
            if time.monotonic() > ends_at:
                raise OutboxUnavailable(NOT_TAKEN_IN)
            if (earliest := self._storing.take_in()) < float("inf"):
                self._floors.was_put(earliest)
            else:
                time.sleep(0.02)

    def _scan(self, values: tuple[bytes, str]) -> Any:
        def work(session: Session, _: Moves) -> Any:
            session.run("SET LOCAL statement_timeout = 0")
            return session.read(operator.HOLDS_DIGEST, values)

        return self._do(work, patience=SCAN_PATIENCE)

    def erase_chosen(self, keys: Sequence[int], now: float) -> int:
        return self._erase(keys, (), now)

    def _erase(self, keys: Sequence[int], digests: Sequence[str], now: float) -> int:
        return sum(
            self._do(lambda s, moves, step=step: operator.erase(s, step, digests, now, moves))  # type: ignore[misc]
            for step in _steps(keys)
        )

    def note_worker(self, sign: SignOfLife) -> None:
        self._do(lambda session, _: workers.note(session, sign))
        self._crowd.look()  # a collector keeps no house

    def forget_worker(self, worker: str) -> None:
        self._do(lambda session, _: session.run(workers.FORGET, (worker,)))

    def take_notice(self, cause: str, now: float) -> bool:
        def take(session: Session, _: object) -> bool:
            if session.run(workers.SEE_NOTICE, (now, cause)):
                return False
            return session.run(workers.TAKE_NOTICE, (cause, now)) > 0

        return self._do(take)

    def drop_notice(self, cause: str) -> bool:
        return self._do(lambda session, _: session.run(workers.DROP_NOTICE, (cause,))) > 0

    def _wake(self) -> None:
        for wake in self._wakers:
            wake()


def _steps(keys: Sequence[int]) -> list[Sequence[int]]:
    return [keys[first : first + STEP] for first in range(0, len(keys), STEP)]
