"""The door by itself, as a program uses it: hash and judge an event by the settings, keep nothing."""

import os
from collections.abc import Callable, Iterator, Sequence
from sys import exception

import msgspec

from conversion_relay import event_id as event_ids
from conversion_relay.errors import InvalidEvent, without_variables
from conversion_relay.event import Event, Rejection, SealedEvent
from conversion_relay.intake.accept import Acceptance, Policy, Sender, Submission, accept
from conversion_relay.intake.built import checked
from conversion_relay.intake.common_event import read_common
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.relay.copies import Answer, Copy
from conversion_relay.relay.tracked import facts_as_read, sealable
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
        facts: RequestFacts | None = NO_FACTS,
        *,
        sender: Sender = "backend",
        dataset: Dataset | None = None,
    ) -> SealedEvent | Rejection:
        """The door of one dataset by itself: hash and judge one event (bytes: its JSON), keep nothing."""
        handled = exception()
        try:
            read = read_common(event) if isinstance(event, bytes) else checked(sealable(event))
            if isinstance(read, Rejection):
                return read
            known = NO_FACTS if facts is NO_FACTS or facts is None else facts_as_read(facts)
            accepted = self.accept(read, known, sender=sender, dataset=dataset)
        except BaseException as error:  # `leaves_no_variables` by hand, in a quarter of its time
            event = read = facts = known = None  # type: ignore[assignment]
            without_variables(error, handled)
            del handled
            raise
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
        handled = exception()
        try:
            policy, now = self._policy(dataset), self._clock()
            entropy = b"" if event.event_id and event_ids.surely_names_one(event.event_id) else self._entropy()
            return accept(Submission(event=event, sender=sender), facts, policy, now=now, entropy=entropy)
        except BaseException as error:  # `leaves_no_variables` by hand, in a quarter of its time
            del event, facts
            without_variables(error, handled)
            del handled
            raise

    def copies_of(
        self, event: Event, facts: RequestFacts, *, sender: Sender, datasets: Sequence[Dataset], own: Answer
    ) -> tuple[Copy, ...]:
        """What the doors of these further datasets say to the same event, under the id and time that it has at its own
        (`own`), or would have had there."""
        if isinstance(own, Acceptance):
            event_id, event_time = own.event.event_id, own.event.event_time
        else:
            now = self._clock()
            event_id = event.event_id or ""
            if not event_id or event_ids.names_no_event(event_id):
                event_id = event_ids.uuid7(now, self._entropy())
            event_time = int(now) if event.event_time is None else event.event_time  # type: ignore[assignment]
        copied = msgspec.structs.replace(event, event_id=event_id, event_time=event_time)
        return tuple(
            Copy(dataset.pixel_id, self.accept(copied, facts, sender=sender, dataset=dataset)) for dataset in datasets
        )

    def datasets_of(self, names: Sequence[str] = (), *, is_test: bool = False) -> tuple[Dataset, ...]:
        """Where an event goes: its own dataset, then those that get a copy. `names`: pixel ids, by default of the first
        dataset. `is_test`: copies go only where they are test events, too (META_TEST_EVENT_CODE).

        Raises InvalidEvent for a name that is no dataset of the settings."""
        settings = self.settings
        names = (names,) if isinstance(names, str) else names
        if not names and not settings.datasets[0].copies_to:
            return settings.datasets[:1]
        found = [settings.dataset(name) for name in names] if names else [settings.datasets[0]]
        known = [dataset for dataset in found if dataset is not None]
        if len(known) < len(found):
            message = "no dataset of the settings has this id; add its [[dataset]] table, or name another one"
            raise InvalidEvent("unknown_dataset", "datasets", message)
        own, *others = settings.with_copies(*known)
        return (own, *(one for one in others if one.test_event_code or not is_test))

    def use(self, settings: Settings) -> None:
        """New settings from now on, but for the outbox, which stays the one that is open."""
        self.settings = msgspec.structs.replace(settings, outbox=self.settings.outbox)

    def _policy(self, dataset: Dataset | None) -> Policy:
        """Made once for each dataset, and again when the settings have changed. The pair is read once: another thread
        may put one of newer settings in its place, and an older policy that is written into it would stay."""
        settings, pixel_id = self.settings, dataset.pixel_id if dataset else None
        made_of, known = self._policies
        if made_of is not settings:
            known = {}
            self._policies = settings, known
        if pixel_id not in known:
            # As it is in the settings of now: the caller may have looked it up before they changed.
            now_is = settings.dataset(pixel_id) if pixel_id else settings.datasets[0]
            known[pixel_id] = settings.policy(now_is or dataset or settings.datasets[0])
        return known[pixel_id]

    def _entropy(self) -> bytes:
        """10 random bytes. Drawn in blocks: at each call into the kernel another thread takes the interpreter."""
        if (piece := next(self._drawn, None)) is None:
            block = os.urandom(1_000)
            piece, *others = [block[i : i + 10] for i in range(0, 1_000, 10)]
            self._drawn = iter(others)
        return piece
