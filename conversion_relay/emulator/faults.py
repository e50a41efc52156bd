"""How the stand-in misbehaves, and for how long: what POST /_emulator/misbehave asks for.

Three kinds of faults:
- One with `times` is queued and used up, in the order asked for.
- One without `times` stands for its dataset (or for all) until another replaces it.
- "poison" refuses every batch that holds one of some events, without saying which, as Meta does for some errors. It
  stands until the faults are cleared with mode "none".
"""

import random
from collections.abc import Sequence
from typing import Any

import msgspec

MODES = (
    "down",
    "hang",
    "drip",
    "reset",
    "http_500",
    "html_503",
    "throttle",
    "token_expired",
    "unknown_dataset",
    "lost_answer",
    "short_count",
    "malformed",
)
ENDS = (None, "none", "ok", "normal")


class Misbehave(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /_emulator/misbehave."""

    mode: str | None = None
    modes: list[str] | None = None
    """One of these at random for each request."""
    times: int | None = None
    dataset: str | None = None
    latency_ms: int | None = None
    probability: float = 1.0
    seed: int | None = None
    regain_minutes: int = 0
    retry_after: str | int | None = None
    event_ids: list[str] | None = None
    """With mode "poison": a batch that holds one of these is refused, without saying which event it was."""
    event_id_contains: str | None = None

    def problem(self) -> tuple[str, str] | None:
        """(field, rule) where the request makes no sense."""
        for mode in [self.mode, *(self.modes or [])]:
            if mode not in (*ENDS, *MODES, "poison"):
                return "mode", f"one of {', '.join(MODES)}, poison, none"
        if "poison" in (self.modes or []):
            return "modes", "poison is asked for by itself, as mode"
        if self.mode == "poison" and not (self.event_ids or self.event_id_contains):
            return "event_ids", "poison needs event_ids or event_id_contains"
        if self.times is not None and self.times < 1:
            return "times", "at least 1"
        if self.mode == "poison" and self.times is not None:
            return "times", 'poison stands until it is cleared with mode "none"; leave times out'
        if not 0 <= self.probability <= 1:
            return "probability", "between 0 and 1"
        if self.latency_ms is not None and not 0 <= self.latency_ms <= 600_000:
            return "latency_ms", "between 0 and 600000"
        after = str(self.retry_after or "")
        if not (after.isascii() and after.isprintable()):
            return "retry_after", "seconds, or a date as HTTP writes it"
        return None


class Fault(msgspec.Struct):
    """What happens to one request."""

    mode: str
    regain_minutes: int = 0
    retry_after: str | None = None


class Faults:
    """The faults asked for, and which of them the next request meets."""

    def __init__(self, latency_ms: int = 0) -> None:
        self._first_latency = latency_ms
        self.reset()

    def reset(self) -> None:
        self.latency_ms = self._first_latency
        self._queue: list[Misbehave] = []
        self._standing: dict[str | None, Misbehave] = {}
        self._poison: list[Misbehave] = []
        self._random = random.Random()

    def ask(self, asked: Misbehave) -> None:
        if asked.seed is not None:
            self._random.seed(asked.seed)
        if asked.latency_ms is not None:
            self.latency_ms = asked.latency_ms
            if asked.mode is None and not asked.modes:
                return
        if asked.mode in ENDS and not asked.modes:
            self._queue, self._standing, self._poison = [], {}, []
        elif asked.mode == "poison":
            self._poison.append(asked)
        elif asked.times is not None:
            self._queue.append(asked)
        else:
            self._standing[asked.dataset] = asked

    def next(self, dataset: str) -> Fault | None:
        """The fault of this request; counts it down."""
        asked = next((a for a in self._queue if a.dataset in (None, dataset)), None)
        if asked is not None and asked.times is not None:
            asked.times -= 1
            if asked.times == 0:
                self._queue.remove(asked)
        else:
            asked = self._standing.get(dataset) or self._standing.get(None)
        if asked is None or self._random.random() >= asked.probability:
            return None
        mode = self._random.choice(asked.modes) if asked.modes else asked.mode
        after = None if asked.retry_after is None else str(asked.retry_after)
        return Fault(mode or "down", asked.regain_minutes, after)

    def poisons(self, dataset: str, events: Sequence[Any]) -> bool:
        mine = [poison for poison in self._poison if poison.dataset in (None, dataset)]
        return any(_is_hit(poison, event) for poison in mine for event in events)

    def active(self) -> list[dict[str, Any]]:
        asked = [*self._queue, *self._standing.values(), *self._poison]
        return [{k: v for k, v in msgspec.structs.asdict(a).items() if v is not None} for a in asked]


def _is_hit(poison: Misbehave, event: Any) -> bool:
    event_id = event.get("event_id") if isinstance(event, dict) else None
    if not isinstance(event_id, str):
        return False
    return event_id in (poison.event_ids or ()) or bool(
        poison.event_id_contains and poison.event_id_contains in event_id
    )
