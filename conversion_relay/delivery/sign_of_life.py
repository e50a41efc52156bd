"""A worker says every few seconds that it is there, and how each dataset is doing, so that other processes can tell. So
does a collector without a worker: who looks at a fleet sees all of it.

What could go wrong. Somebody starts `serve --no-worker` and forgets `deliver`: events wait, and every page says that
they are being sent. Or a token dies in the worker's process, and the dashboard of another one knows nothing of it.

The rule. The worker writes one row into the outbox every EVERY seconds, and at once when a dataset's state changes.
Whoever looks takes a row older than GONE_AFTER for a worker that is gone. A worker that stops removes its row. Workers
read each other's rows, too: they keep one pace (`fleet_pace.py`).

Rejected: the lock that each process holds on the outbox (a collector holds one too); a port to ask (one more door).
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.delivery.meta_clock import WRONG_SECONDS
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox import Overview, Queue
from conversion_relay.outbox.story import AtWork, SignOfLife

EVERY = 10.0
GONE_AFTER = 45.0


class SignsOfLife:
    """Call it every second; `stop` when the worker ends."""

    def __init__(
        self,
        outbox: Queue,
        paces: Callable[[], Mapping[str, PaceNow]],
        clock: Callable[[], float],
        name: str = "",
        *,
        hear: Callable[[Sequence[SignOfLife]], None] | None = None,
        delivers: bool = True,
        collects: bool = False,
        version: str = "",
    ) -> None:
        """`hear` is given the signs of the other workers that are alive."""
        self._does: dict[str, Any] = {"delivers": delivers, "collects": collects, "version": version}
        self._outbox = outbox if isinstance(outbox, Overview) else None
        self._paces, self._clock, self._hear = paces, clock, hear
        # Containers may share the host's name, and are all process 1: one's sign took the place of the others'.
        self._name = name or f"{_process()}{secrets.token_hex(2)}"
        self._said: tuple[float, object] = (0.0, None)
        self._saying = threading.Lock()
        self._is_over = False

    def __call__(self) -> None:
        if self._outbox is None:
            return
        self._say(self._outbox)
        if self._hear:
            self._hear([sign for sign in alive(self._outbox.workers(), self._clock()) if sign.worker != self._name])

    def _say(self, outbox: Overview) -> None:
        now, paces = self._clock(), self._paces()
        state = {
            name: (
                pace.why,
                pace.troubles,
                abs(pace.clock_skew_seconds) >= WRONG_SECONDS,
                round((now + pace.asked_seconds) / EVERY) * bool(pace.asked_seconds),
            )
            for name, pace in paces.items()
        }
        with self._saying:
            if self._is_over or (state == self._said[1] and 0 <= now - self._said[0] < EVERY):
                return
            sign = SignOfLife(worker=self._name, at=now, datasets=at_work(paces, now), **self._does)
            outbox.note_worker(sign)
            self._said = now, state

    def stop(self) -> None:
        """Nothing is said any more; what was said is taken back."""
        with self._saying:
            self._is_over = True
            if self._outbox is not None:
                try:
                    self._outbox.forget_worker(self._name)
                except OutboxUnavailable:
                    return  # the row grows old by itself


def _process() -> str:
    """What the names of this process's workers begin with."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-"


def known_here(signs: Sequence[SignOfLife], paces: Mapping[str, PaceNow], now: float) -> list[SignOfLife]:
    """`signs` with what this very process knows now in the place of what it said last."""
    begins = _process()
    mine = next((sign for sign in alive(signs, now) if sign.worker.startswith(begins)), None)
    if mine is None:
        return list(signs)
    here = msgspec.structs.replace(mine, at=now, datasets=at_work(paces, now))
    return [here, *(sign for sign in signs if sign is not mine)]


def at_work(paces: Mapping[str, PaceNow], now: float) -> dict[str, AtWork]:
    """As other processes see it; what moves all the time is rounded."""
    return {
        name: AtWork(
            why=pace.why,
            parked_until=now + pace.parked_seconds if pace.parked_seconds else 0.0,
            error_share=round(pace.error_share, 3),
            clock_skew_seconds=round(pace.clock_skew_seconds, 1),
            in_flight=pace.in_flight,
            asked_until=now + pace.asked_seconds if pace.asked_seconds else 0.0,
            troubles=pace.troubles,
        )
        for name, pace in paces.items()
    }


def alive(signs: Sequence[SignOfLife], now: float) -> list[SignOfLife]:
    """Workers that deliver now. A sign from the future was written under a clock that was set back since."""
    return [sign for sign in signs if sign.delivers and abs(now - sign.at) <= GONE_AFTER]


def collecting(signs: Sequence[SignOfLife], now: float) -> list[SignOfLife]:
    """Processes with doors, with or without a worker, that are there now."""
    return [sign for sign in signs if sign.collects and abs(now - sign.at) <= GONE_AFTER]
