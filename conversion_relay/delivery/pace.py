"""How fast each dataset may be sent to: a few calls at once, more while Meta answers well, one at a time when not.

What could go wrong, and the rule that prevents it:

- *Some datasets hang, and their calls take every thread.* Who was served longest ago is admitted next, none gets more
  turns than its own limit, and the more it has, the more threads it must leave free (`dataset_pace.has_room`).
- *Too few calls: a backlog never drains. Too many: Meta throttles, or answers slower and slower.* Nobody tells us the
  right number, so it is found as TCP finds its window: the limit doubles with each round of answers until the first
  trouble, then grows by one for each round, and is halved by a throttle, a failure or a slow answer. What was in
  flight together counts as one failure.
- *An outage leaves a thousand events in doubt after every try.* Silence after a request means that Meta may have the
  events. After three failures in a row one event asks whether Meta is back. Requests then grow fourfold as they are
  taken, so that an event which makes Meta fail is soon alone.
- *A call waits for the disk.* A claim takes milliseconds of the one thread that writes, and so does a settlement. For
  every call in flight, up to four, one more turn may claim ahead and wait in `begin`, or settle (`slot.py`); after ten
  seconds what was claimed goes back, since a lease is no place to wait in.
- *A trickle of events becomes one call for each.* Between two claims of a dataset that had less than a full batch there
  is a tenth of a second.
- *Refused events hold up good ones.* Suspects have turns of their own (`shares.py`); what becomes of a dataset that
  takes nothing at all is decided in `refusals.py`.
- *A dead token is hammered.* `park` pauses the dataset; `unpark` ends the pause when a new token comes, but none that
  Meta asked for.

Rejected: one limit for all datasets (the slowest decides for all); a token bucket with a rate from the settings (Meta's
limits depend on the dataset and change); a circuit breaker that is open or closed (it cannot say "one event"). The
state is in memory: after a restart it is right to look again. Times are seconds on a clock that nobody sets, so that a
changed wall clock parks nobody.
"""

import threading
from collections.abc import Callable, Iterable

from conversion_relay.delivery.dataset_pace import (
    FIRST_CALLS,
    MOST_EVENTS,
    DatasetPace,
    PaceNow,
    has_room,
    most_calls,
    now_of,
    opens_at,
)
from conversion_relay.delivery.refusals import PROBE_EVERY
from conversion_relay.delivery.retry import LONGEST_DELAY, OUTAGE_FAILURES, is_no_answer
from conversion_relay.meta.graph import Accepted, Misconfigured, Outcome, Throttled, Unauthorized, Unlisted, Unreachable

__all__ = ["FIRST_CALLS", "MOST_EVENTS", "PaceNow", "Paces"]
DATASET_OUTCOMES = (Throttled, Unauthorized, Misconfigured, Unlisted, Unreachable)
"""What is said of the dataset, not of the events in the request."""
SLOW_SECONDS = 2.0
"""Meta answers most requests within 0.6 s; from here on more calls would only wait in its queue."""
PROBE_EVENTS = 1
"""Events in the request that asks whether Meta is back, so that an outage leaves few of them in doubt."""
GROWTH = 4
"""Requests grow by this factor as they are taken again: should it be one event that Meta stumbles over, it is soon
alone."""
AHEAD_SECONDS = 10.0
"""How long a turn that claimed ahead waits for its call; then its events go back."""
TAKEN_LATELY = 2 * LONGEST_DELAY  # what waits for another try has had it
LINGER_SECONDS = 0.1
"""Between two claims of a dataset that has less than a full batch, so that a trickle is not a call an event."""


class Paces:
    """Every dataset's pace. Safe to use from several threads.

    Over 150 lines with its comments: all that reads or changes a pace stands under its one lock."""

    def __init__(self, clock: Callable[[], float], most_calls: int) -> None:
        """At most `most_calls` in flight for one dataset: 8 with 1,000 events and 0.6 s each are 13,000 events/s."""
        self._clock, self._most_calls = clock, most_calls
        self._paces: dict[str, DatasetPace] = {}
        self._turns = 0
        self._lock = threading.Condition()
        self._is_stopping = False

    def in_order(self, due: Iterable[str]) -> list[str]:
        """Who waits longest for a turn comes first."""
        with self._lock:
            return [name for _, name in sorted((self._pace(name).served_at, name) for name in due)]

    def admit(self, due: Iterable[str]) -> tuple[str, int] | None:
        """The dataset that waits longest for a turn and may have one, and how many events; `done` must follow."""
        now = self._clock()
        with self._lock:
            paces = [(self._pace(name), name) for name in due]
            open_now = [
                (pace.served_at, name, pace) for pace, name in paces if opens_at(pace) <= now and self._has_room(pace)
            ]
            if not open_now:
                return None
            _, name, pace = min(open_now, key=lambda row: row[:2])
            pace.turns += 1
            self._turns += 1
            pace.served_at = now
            return name, min(pace.events, pace.size.events)

    def admit_suspects(self, due: Iterable[str], *, owed: bool = False) -> tuple[str, int] | None:
        """The same for suspects. `owed`: only a dataset whose fresh events had their three calls of four."""
        now = self._clock()
        with self._lock:
            for name in due:
                pace = self._pace(name)
                waits, refusals = max(pace.parked_until, pace.refusals.rest_until), pace.refusals
                if waits > now or not self._has_room(pace) or not pace.shares.has_room(most_calls(pace)):
                    continue
                if (owed and not pace.shares.fresh_waits) or not pace.shares.may_call():
                    continue
                if refusals.are_all:
                    refusals.rest_until = now + PROBE_EVERY
                pace.turns += 1
                self._turns += 1
                pace.shares.in_flight += 1
                return name, pace.events
            return None

    def look(self, names: Iterable[str], due: Iterable[str]) -> None:
        """Which datasets have something fresh to send."""
        now, due = self._clock(), frozenset(due)
        with self._lock:
            for name in {*names, *due}:
                pace = self._pace(name)
                pace.shares.fresh_waits = name in due and opens_at(pace) <= now

    def is_parked(self, name: str) -> bool:
        """Another turn may have been told to pause."""
        with self._lock:
            return self._pace(name).parked_until > self._clock()

    def may_call_suspects(self, name: str) -> bool:
        """Whether a sitting with suspects may make its next call; False: it gives back what it holds."""
        with self._lock:
            pace = self._pace(name)
            if pace.parked_until > self._clock() or not pace.shares.may_call():
                return False
            pace.shares.spend()
            return True

    def done(self, name: str, *, suspects: bool = False) -> None:
        with self._lock:
            pace = self._pace(name)
            pace.turns -= 1
            self._turns -= 1
            pace.shares.in_flight -= suspects

    def begin(self, name: str, events: int) -> bool:
        """Returns as soon as a turn's calls with so many events may begin; it counts as in flight until `end`. False
        when the dataset ran into trouble meanwhile, when it took too long, or after `stop`: what was claimed ahead goes
        back."""
        with self._lock:
            pace, ends_at = self._pace(name), self._clock() + AHEAD_SECONDS
            while pace.parked_until <= (now := self._clock()) < ends_at and events <= pace.events:
                if self._is_stopping:
                    break
                if pace.in_flight < most_calls(pace):
                    pace.in_flight += 1
                    return True
                if pace.failures:
                    break
                self._lock.wait(ends_at - now)
            return False

    def end(self, name: str) -> None:
        """A call is over: another one may begin."""
        with self._lock:
            self._pace(name).in_flight -= 1
            self._lock.notify_all()

    def take(self, name: str) -> None:
        """It counts as in flight again."""
        with self._lock:
            self._pace(name).in_flight += 1

    def stop(self) -> None:
        """Nothing begins any more."""
        with self._lock:
            self._is_stopping = True
            self._lock.notify_all()

    def claimed(self, name: str, events: int, of: int, size: int = 0) -> None:
        """Fewer than asked for: no more are waiting. `size`: bytes of them all."""
        with self._lock:
            pace = self._pace(name)
            pace.size.claimed(events, size)
            if events < of:
                pace.linger_until = self._clock() + LINGER_SECONDS

    def most_bytes(self, name: str) -> int:
        """In one request."""
        with self._lock:
            return self._pace(name).size.most

    def opens_in(self, *names: str) -> float:
        """Seconds until one of these is allowed a turn; infinity while all have theirs, since their end is a signal."""
        with self._lock:
            now, paces = self._clock(), map(self._pace, names)
            return min((max(0.0, opens_at(pace) - now) for pace in paces if self._has_room(pace)), default=float("inf"))

    def suspects_open_in(self, name: str) -> float:
        """The same for its suspects. While fresh events have all calls, their end is the signal."""
        with self._lock:
            pace = self._pace(name)
            may_begin = self._has_room(pace) and pace.shares.has_room(most_calls(pace)) and pace.shares.may_call()
            at = max(pace.parked_until, pace.refusals.rest_until)
            return max(0.0, at - self._clock()) if may_begin else float("inf")

    def note(self, name: str, outcome: Outcome, started: float, *, suspects: bool = False, size: int = 0) -> int:
        """Learn from an answer; how often in a row the dataset failed. What was in flight together fails once.
        `size`: bytes of the request, if it held several events."""
        now = self._clock()
        with self._lock:
            pace = self._pace(name)
            pace.refusals.note(outcome, now, suspects=suspects)
            if size:
                pace.size.note(outcome, size)
            if not suspects:
                pace.shares.note_fresh_call()
            if isinstance(outcome, DATASET_OUTCOMES) or is_no_answer(outcome):
                if started >= pace.changed_at or not pace.failures:
                    pace.failures += 1
                if pace.failures >= OUTAGE_FAILURES or pace.events < MOST_EVENTS:
                    pace.events = PROBE_EVENTS
                self._slow_down(pace, started, now)
            else:
                pace.recoveries += pace.failures >= OUTAGE_FAILURES
                pace.failures = 0
                pace.events = min(MOST_EVENTS, pace.events * GROWTH)
                pace.answers_again(started)
                if isinstance(outcome, Accepted):
                    pace.taken_at = now
                    self._speed_up(pace, outcome, started, now)
            return max(1, pace.failures)

    def is_taking(self, name: str) -> bool:
        """Whether Meta took events of it lately."""
        with self._lock:
            return self._clock() - self._pace(name).taken_at < TAKEN_LATELY

    def _slow_down(self, pace: DatasetPace, started: float, now: float) -> None:
        if started >= pace.changed_at:
            pace.limit, pace.is_warming_up, pace.changed_at = max(1.0, pace.limit / 2), False, now

    def _speed_up(self, pace: DatasetPace, accepted: Accepted, started: float, now: float) -> None:
        if accepted.pause and pace.why is None:
            pace.park(now + accepted.pause, "near_limit", now)
        if now - started > SLOW_SECONDS or accepted.pause:
            self._slow_down(pace, started, now)
        else:
            pace.limit = min(float(self._most_calls), pace.limit + (1.0 if pace.is_warming_up else 1.0 / pace.limit))

    def outages(self, name: str) -> int:
        """Which outage this is, counted from 1 for each dataset; 0 when Meta answers."""
        with self._lock:
            pace = self._pace(name)
            return pace.recoveries + 1 if pace.failures >= OUTAGE_FAILURES else 0

    def recovered(self, name: str) -> bool:
        """Meta took events: whether an alert stood until now, once."""
        with self._lock:
            return self._pace(name).troubles.end()

    def are_all_refused(self, name: str) -> bool:
        """Nothing at all is accepted, and has not been for some time."""
        with self._lock:
            return self._pace(name).refusals.are_all

    def has_too_many_errors(self, name: str) -> bool:
        """Whether Meta's 15 % were passed and nobody was told."""
        with self._lock:
            return self._pace(name).refusals.is_news()

    def park(self, name: str, seconds: float, why: str) -> None:
        with self._lock:
            now = self._clock()
            self._pace(name).park(now + seconds, why, now)

    def alert(self, name: str, why: str, *, of_an_event: bool = False) -> bool:
        """Whether it is news (`troubles.py`). `of_an_event`: others are sent meanwhile."""
        with self._lock:
            return self._pace(name).troubles.meet(why, self._clock(), of_an_event=of_an_event)

    def unpark(self, name: str) -> None:
        """A new token came: look again at once, unless Meta asked for a pause."""
        with self._lock:
            self._pace(name).look_again(self._clock())

    def now(self) -> dict[str, PaceNow]:
        """For dashboard and metrics."""
        now = self._clock()
        with self._lock:
            return {name: now_of(pace, now) for name, pace in self._paces.items()}

    def _has_room(self, pace: DatasetPace) -> bool:
        return has_room(pace, self._turns, self._most_calls)

    def _pace(self, name: str) -> DatasetPace:
        pace = self._paces.get(name)
        if pace is None:
            pace = self._paces[name] = DatasetPace(limit=min(FIRST_CALLS, float(self._most_calls)))
        return pace
