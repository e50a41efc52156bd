"""One event for several datasets: each has a door of its own, an event of its own in the outbox, and its own fate.

What could go wrong. A copy that is made by who delivers would be sent under the first dataset's policy, or be lost with
it: a dead token, a refusal, a full rate limit of one dataset would be the other's. A copy that is made in a second step
is lost when the process dies in between, though the caller was told that all is well.

The rules.
1. *Copied at the door, before it is sealed.* Each dataset's own policy decides (consent, Limited Data Use, Global
   Privacy Control, public names, bounds for money), so one may refuse what another takes, and a copy may be more
   limited than its twin. What nobody's policy can change (a broken field) all of them refuse alike.
2. *The same id and time.* The first door gives both, so that each dataset's pixel can have the same event, and what is
   submitted again is a duplicate at each dataset by itself.
3. *One commit.* What the doors took goes into the outbox in one put: all of it is durable before anybody is told, or
   none is promised. From there on the copies are events like any others, and share nothing.
4. *Each dataset is told of.* The first one's answer is the event's own; the others stand beside it (`Tracked.copies`).

Rejected: a list of datasets in the outbox's row (each verdict, lease and figure would be one of a pair); a copy made by
delivery (see above); an error for the whole event when one dataset refuses (its caller would send it again, to all).
"""

from collections.abc import Iterator
from typing import NamedTuple

from conversion_relay.event import Receipt, Rejection, SealedEvent
from conversion_relay.intake.accept import WITHHELD, Acceptance
from conversion_relay.relay.tracked import Copied, Fate, Tracked

Answer = Acceptance | Rejection


class Copy(NamedTuple):
    """What the door of a further dataset said."""

    dataset: str
    answer: Answer


class Judged(NamedTuple):
    """What the doors said to one event: that of the dataset it is for, and those of the datasets that get a copy."""

    own: Answer
    copies: tuple[Copy, ...] = ()

    @property
    def events(self) -> list[SealedEvent]:
        """What is to be kept, in one put: the event's own first."""
        if not self.copies:
            return [self.own.event] if isinstance(self.own, Acceptance) else []
        answers = [self.own, *(copy.answer for copy in self.copies)]
        return [answer.event for answer in answers if isinstance(answer, Acceptance)]

    def told(self, receipts: Iterator[Receipt] | None) -> Tracked:
        """The caller's answer. `receipts`: those of `events`, in their order; None while a transaction is open."""
        if not self.copies and receipts is not None and isinstance(self.own, Acceptance):  # as most are
            receipt = next(receipts)
            return Tracked(receipt.event_id, "duplicate" if receipt.duplicate else "accepted", self.own.dropped)
        own = _fate(self.own, receipts)
        return Tracked(*own, tuple(Copied(copy.dataset, *_fate(copy.answer, receipts)) for copy in self.copies))


def _fate(answer: Answer, receipts: Iterator[Receipt] | None) -> tuple[str | None, Fate, tuple[str, ...], str | None]:
    if isinstance(answer, Rejection):
        return None, "withheld" if answer.reason in WITHHELD else "refused", (), f"{answer.field}: {answer.message}"
    if receipts is None:
        return answer.event.event_id, "pending", answer.dropped, None
    receipt = next(receipts)
    return receipt.event_id, "duplicate" if receipt.duplicate else "accepted", answer.dropped, None
