"""The door by itself, as a program uses it: hash and judge an event by the settings, keep nothing."""

import os
from collections.abc import Callable, Iterator

from conversion_relay.event import Event, Rejection, SealedEvent
from conversion_relay.intake.accept import Acceptance, Policy, Sender, Submission, accept
from conversion_relay.intake.members import checked
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.settings import Dataset, Settings


class Judge:
    """`intake.accept` with the settings, the clock and the chance of this process."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        self._policies: tuple[Settings, dict[str | None, Policy]] = settings, {}
        self._drawn: Iterator[bytes] = iter(())

    def seal(
        self,
        event: Event | bytes,
        facts: RequestFacts = NO_FACTS,
        *,
        sender: Sender = "backend",
        dataset: Dataset | None = None,
    ) -> SealedEvent | Rejection:
        """The door by itself: hash and judge one event (bytes: its JSON), keep nothing."""
        read = read_event(event) if isinstance(event, bytes) else checked(event)
        if isinstance(read, Rejection):
            return read
        accepted = self.accept(read, facts, sender=sender, dataset=dataset)
        return accepted if isinstance(accepted, Rejection) else accepted.event

    def accept(
        self,
        event: Event,
        facts: RequestFacts = NO_FACTS,
        *,
        sender: Sender = "backend",
        dataset: Dataset | None = None,
    ) -> Acceptance | Rejection:
        """`seal`, with what was left out on the way; for a door that tells its caller so."""
        submission, policy = Submission(event=event, sender=sender), self._policy(dataset)
        entropy = self._entropy() if event.event_id is None else b""
        return accept(submission, facts, policy, now=self._clock(), entropy=entropy)

    def _policy(self, dataset: Dataset | None) -> Policy:
        """Made once for each dataset, and again when the settings have changed."""
        settings, pixel_id = self.settings, dataset.pixel_id if dataset else None
        if self._policies[0] is not settings:
            self._policies = settings, {}
        known = self._policies[1]
        if pixel_id not in known:
            known[pixel_id] = settings.policy(dataset or settings.datasets[0])
        return known[pixel_id]

    def _entropy(self) -> bytes:
        """10 random bytes. Drawn in blocks: at each call into the kernel another thread takes the interpreter."""
        if (piece := next(self._drawn, None)) is None:
            block = os.urandom(1_000)
            piece, *others = [block[i : i + 10] for i in range(0, 1_000, 10)]
            self._drawn = iter(others)
        return piece
