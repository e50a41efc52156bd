"""A sitting with suspects: events that Meta refused together, tried apart until each is delivered or known to be bad.

It is the same sitting, with other answers to four questions:
- *May I call?* Asked before each call: while fresh events wait, three calls of four are theirs (`shares.py`). When the
  answer is no, everything goes back into the lane and the turn ends, so that it holds no call that others could make.
- *Which first, and how many at once?* First those of whose shape little is known, since most of them are good. As many
  as `isolation.py` says of their shape. Where many are bad, a sitting keeps few of its events and gives back the
  others, so that several workers find them side by side. While everything is refused, a few are tried from the newest
  to the oldest: the good one whose acceptance ends that may have come after hundreds of bad ones.
- *What if they are refused together?* They are parted here, and their parts are sent by this very sitting. Where each
  of them has an offence for which Meta refused one before, the refusal is about each of them.
- *Where do they wait?* In their own lane, whatever the reason for waiting: after an outage they would else meet the
  good ones in one batch, and be refused together once more.
"""

from conversion_relay.delivery.exchange import named_by
from conversion_relay.delivery.isolation import Batch, without
from conversion_relay.delivery.refusals import PROBE_CALLS
from conversion_relay.delivery.sitting import Sitting
from conversion_relay.meta.graph import Refused
from conversion_relay.outbox.protocol import LeasedEvent, Settlement
from conversion_relay.outbox.verdict import Park, Suspect, Verdict

CROWD = 16
"""Calls for which a sitting keeps events when many suspects are bad: few, so that all workers end together."""


class SuspectSitting(Sitting):
    suspects = True
    _has_sample = False

    def _pack(self) -> None:
        super()._pack()
        name, now = self._dataset.pixel_id, self._context.clock()
        self._batches = self._context.isolation.apart(name, self._batches, now)

    def _is_better_tried_apart(self, event: LeasedEvent, now: float) -> bool:
        return False

    def _next_batch(self) -> Batch | None:
        context, name = self._context, self._dataset.pixel_id
        if context.paces.are_all_refused(name) and not self._has_sample:
            self._has_sample = True
            self._keep_a_sample()
        while self._batches:
            if context.stopping.is_set():
                context.outbox.release(self._lease)
                return None
            self._batches.sort(key=lambda batch: context.isolation.is_clean(name, batch.events, context.clock()))
            self._give_back_a_crowd()
            batch = self._batches.pop()
            if batch.is_guilty and len(batch.events) > 1:
                self._batches += context.isolation.part(batch.events, None, context.clock())
                continue
            most = context.isolation.most_together(name, batch.events, context.clock())
            if most < len(batch.events):
                self._batches.append(Batch(batch.events[most:]))
                batch = Batch(batch.events[:most])
            self._look_for_fresh_events(name)
            self._extend_lease()
            batch.events = self._without_revoked(batch.events)
            if not batch.events:
                continue
            has_had_its_look = context.paces.are_all_refused(name) and self._report.calls >= PROBE_CALLS
            if has_had_its_look or not context.paces.may_call_suspects(name):
                self._batches.append(batch)
                self._give_back(self._rest())
                return None
            return batch
        return None

    def _keep_a_sample(self) -> None:
        """Single events, as many as a look may try, at equal distances from the newest to the oldest."""
        events = sorted(self._rest(), key=lambda event: event.key)
        step = max(1.0, (len(events) - 1) / (PROBE_CALLS - 1))
        places = {round(n * step) for n in range(min(PROBE_CALLS, len(events)))}
        self._batches = [Batch([event]) for place, event in enumerate(events) if place in places]
        self._give_back([event for place, event in enumerate(events) if place not in places])

    def _look_for_fresh_events(self, name: str) -> None:
        """The dispatcher looks, too, unless it waits for this very sitting, as on Lambda."""
        now = self._context.clock()
        waiting = self._slot.surely(lambda: self._context.outbox.waiting(now), "The outbox cannot be read")
        self._context.paces.look([name], [name] if waiting.get(name, now + 1) <= now else [])

    def _give_back_a_crowd(self) -> None:
        """All but the first ones, where many are bad."""
        if not self._context.isolation.is_crowded(self._dataset.pixel_id):
            return
        kept: list[Batch] = []
        events = 0
        while self._batches and events < CROWD:
            batch = self._batches.pop()
            if len(batch.events) > CROWD - events and not self._is_one_call(batch):
                self._batches.append(Batch(batch.events[CROWD - events :]))
                batch = Batch(batch.events[: CROWD - events])
            events += 1 if self._is_one_call(batch) else len(batch.events)
            kept.append(batch)
        self._give_back(self._rest())
        self._batches = kept[::-1]

    def _is_one_call(self, batch: Batch) -> bool:
        """Nothing is known against it, so it is sent as it is."""
        most = self._context.isolation.most_together(self._dataset.pixel_id, batch.events, self._context.clock())
        return most == len(batch.events)

    def _give_back(self, events: list[LeasedEvent]) -> None:
        self._settle([(Suspect(self._context.clock()), events)], None)

    def _translated(self, verdict: Verdict) -> Verdict:
        if isinstance(verdict, Park):
            return Suspect(max(verdict.until, verdict.aside or 0.0), sent=verdict.sent)
        return verdict

    def _refused_together(self, events: list[LeasedEvent], outcome: Refused) -> list[Settlement]:
        isolation, now = self._context.isolation, self._context.clock()
        if isolation.is_proven(self._dataset.pixel_id, events, outcome.said.subcode, outcome.path, now):
            meant = events
        else:
            meant = named_by(outcome, events, self._context.meta_now())
        others = without(events, meant)
        if meant:
            self._batches += [Batch(others)] if others else []
        else:
            self._batches += self._part(others, outcome)
        return self._verdicts(meant, outcome)
