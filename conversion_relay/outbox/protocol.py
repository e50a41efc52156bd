"""What a store of accepted events promises, parted by who needs which part of it.

    Queue         whoever accepts events: put, put_soon, on_put, probe, close. Every store has this part.
    Leases        delivery: claim, claim_suspects, extend, release, revoked, settle, waiting, suspects
    DeadLetters   an operator of any queue: counts, dead, replay
    Overview      pages: figures by name and hour, and a search that does not read everything
    Operator      DeadLetters, and what needs an index over the events: find, recent, held, erase, withdraw
    Visits        doors that meet a visitor first and the visitor's order later
    Meter         the de-duplication meter
    Housekeeping  a worker that has time: tidy, prune

A store says what it can do by having the verbs; it has no verb that only raises. Whoever needs more than a Queue asks
`isinstance(outbox, Operator)` once, at start. One suite (`tests/outbox/suite/`) and one stateful model hold every store
to these promises. Not promised, so never assumed: one process, one clock, ids in the order of time, first in first out,
a message being one event, any size of a message.

Theory of leases
----------------
A worker must not lose an event when it dies, so taking an event does not delete it: the worker gets a *lease* of some
events for some seconds. Then two things can go wrong.

1. *The worker sleeps past its lease* (a paused container, a full disk, a slow call) and wakes up. By then the events
   may be another worker's, who may have sent them. If the sleeper could still settle, it would overwrite the other's
   verdict: an event that Meta took would be sent again, or one that nobody sent would count as delivered. So each claim
   makes a random *token*, the fencing token, and `settle` and `extend` look at the token that the store holds now, in
   the same transaction that writes. A token that no longer covers every event of the call is refused whole with
   LeaseLost: some of its settlements may rest on the same answer of Meta's, and half of an answer is none. What the
   sleeper has *sent* cannot be taken back by any token. That is why an event of a lost lease comes back with `sent_at`:
   Meta may have it, and `delivery/before_sending.py` decides whether it may go again.
2. *A clock is set.* If the end of a lease were a time of the wall's clock, setting that clock by an hour would end
   every lease at once (each event sent twice), or would make the leases of a dead worker last for an hour. So a store
   measures leases on a clock that nobody sets: the seconds since boot, or the database's own time. The `now` of these
   verbs is the wall's; it is for deadlines that Meta sets and for times that people read. A retry that is due later
   than LONGEST_WAIT from now was written under a clock that has been set back since, and is due at once.

Rejected: deleting on claim (a crash loses events), a flag `in_progress` without a token (the sleeper above), leases
that a worker's own clock measures (two machines, two clocks), a lease for each event (a thousand rows to write for one
request to Meta).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.story import (
    Attempt,
    Counts,
    DeadGroup,
    Details,
    Figures,
    Found,
    Search,
    SideCounts,
    SignOfLife,
    Story,
)
from conversion_relay.outbox.verdict import Verdict

if TYPE_CHECKING:
    from concurrent.futures import Future

LONGEST_WAIT = 1_800.0
"""Seconds; longer than any retry or pause. What is due later than this from now is due at once."""


class LeasedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event in a worker's hands. Not seen by the collector: it refers to nothing that could refer to it, and
    thousands of them would be looked through again and again."""

    key: int
    """The store's own; it stands for this event as long as the lease lasts."""
    event_name: str
    event_id: str
    event_time: int
    expires_at: int
    attempts: int
    sent_at: float | None
    """Unix seconds; since then Meta may have it, though it never said so."""
    intact: bool
    """False where the stored bytes no longer match their checksum; such bytes are never sent."""
    body: bytes
    consent: Literal["granted", "withdrawn"] | None = None
    """What the visitor said; whether that is enough is asked again before it is sent."""
    accepted_at: float = 0.0
    """Unix seconds."""

    def __repr__(self) -> str:
        """Without the body, as of `SealedEvent`."""
        return f"LeasedEvent({self.key}, {self.event_name}, {self.event_id})"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to settle these events; the token is the proof. How long it lasts only the store knows."""

    token: str
    dataset: str
    events: tuple[LeasedEvent, ...]


Settlement = tuple[Verdict, Sequence[LeasedEvent]]
"""What becomes of these events. They share it, since a batch has one answer."""


@runtime_checkable
class Queue(Protocol):
    """Takes events in. This and every verb below raises OutboxUnavailable when nothing could be committed."""

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        """Durable when it returns; a receipt for each event, in their order. All of them or none are promised.

        A store that keeps a ledger does not store a known (dataset, event name, event id) again: such a receipt says
        `duplicate`. A store that is only a queue cannot know (`sqs://`): there its reader collapses copies."""

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        """The same for a caller that must not block: the future is done after the commit."""

    def on_put(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each commit of this outbox that made something due. It comes from any thread and must be
        quick. A store whose readers are not in this process need not call it."""

    def probe(self) -> None:
        """Returns when a put would be durable now; raises OutboxUnavailable when it would not."""

    def close(self) -> None:
        """Commit what was promised, let others have what this outbox leased, let go of files and connections."""


Outbox: TypeAlias = Queue
"""What `open_outbox` gives: some store, of which only the first part is certain."""


@runtime_checkable
class Leases(Protocol):
    """Gives events to workers. Several workers, processes and machines may call at once."""

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        """Up to `limit` due events of one dataset, given to nobody else until the lease runs out; None for none.

        Events of the last half minute come first. Where older ones wait too, half of the places are theirs: those that
        Meta may have first, then by their deadline."""

    def claim_suspects(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        """The same of the lane of suspects, by the time from which they may be tried. `claim` never gives them out, and
        what a lost or released lease held goes back into its lane."""

    def suspects(self, now: float) -> dict[str, float]:
        """Datasets with suspects, and from when on the first of them may be tried (Unix seconds)."""

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        """The lease lasts that long from now. LeaseLost when it is over, nothing of it is left, or it is another's."""

    def release(self, lease: Lease) -> None:
        """What is left of the lease was not sent and waits again, for anybody; no attempt is counted."""

    def revoked(self, events: Sequence[LeasedEvent]) -> frozenset[int]:
        """The keys of those that were erased or withdrawn since they were claimed, and of those that the store has
        dropped since: they are not to be sent."""

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        """Some or all of the lease's events get their verdict, each with this `attempt` in its story. LeaseLost and no
        change when one of them is no longer this lease's. An event that was erased meanwhile stays erased; one that
        was withdrawn meanwhile does not wait again."""

    def waiting(self, now: float) -> dict[str, float]:
        """Datasets with something to send, suspects aside, and when the first of it is due (Unix seconds; 0 when it is
        due now). Leases that ran out, or whose owner is gone, are taken back first."""


@runtime_checkable
class DeadLetters(Protocol):
    """What an operator can ask of any queue."""

    def counts(self) -> dict[str, Counts]:
        """The books by dataset. A store that only knows figures of the whole queue calls them "all"."""

    def dead(self, limit: int = 100) -> list[Story]:
        """Dead letters, newest first where the store has an order."""

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        """Dead letters and held events, these or all, that Meta still takes at `now` are sent again; how many. Nothing
        that was tried before is held against them, and their history stays."""


@runtime_checkable
class Operator(DeadLetters, Protocol):
    """What a store with an index over its events can show and undo."""

    def find(self, event_id: str) -> list[Story]:
        """Every event of that id (one per dataset and name)."""

    def recent(self, limit: int = 50) -> list[Story]:
        """The newest events, newest first."""

    def held(self, limit: int = 100) -> list[Story]:
        """Pending events that are not sent again by themselves, since Meta may have them already."""

    def erase(self, digests: Sequence[str], now: float) -> int:
        """Forget a person: every event that holds one of these SHA-256 digests in its body or id, and who was
        remembered under them; how many events. Their ids stay in the ledger, unless an id holds the digest."""

    def withdraw(self, dataset: str, event_ids: Sequence[str], now: float) -> int:
        """A visitor takes back what their browser sent: events with public names that are pending or dead end as
        erased; how many. So do those that are leased, unless Meta gets them first; they are not in the number."""


@runtime_checkable
class Overview(Protocol):
    """What pages ask again and again, of stores that keep books for it. Bounded however many events there are."""

    def figures(self, since: float) -> list[Figures]:
        """What ended since that hour, by dataset, event name and hour."""

    def search(self, search: Search) -> Found:
        """Events that fit, the newest first."""

    def details(self, key: int) -> Details:
        """Of the event of that `Story.key`."""

    def dead_groups(self, now: float) -> list[DeadGroup]:
        """Dead letters by dataset, name and reason; the largest group first. Of the latest 50,000."""

    def replay_chosen(self, keys: Sequence[int], now: float) -> int:
        """`DeadLetters.replay` of these alone (`Story.key`); how many."""

    def erase_chosen(self, keys: Sequence[int], now: float) -> int:
        """Forget these events; how many."""

    def note_worker(self, sign: SignOfLife) -> None:
        """A worker is there; takes the place of what it said before."""

    def forget_worker(self, worker: str) -> None:
        """It has stopped."""

    def take_notice(self, cause: str, now: float) -> bool:
        """Whether nobody was told of it; from now on somebody was, and it was seen `now`."""

    def drop_notice(self, cause: str) -> bool:
        """It is over, or could not be told; whether somebody was told."""

    def notices(self) -> list[tuple[str, float]]:
        """The causes that somebody was told of, and when each was seen last."""

    def workers(self) -> list[SignOfLife]:
        """The last sign of each, the latest first; also of those that are gone."""


@runtime_checkable
class Visits(Protocol):
    """Remembers who stands behind an order."""

    def remember_visitor(self, key: str, visit: Visit, now: float) -> None:
        """Durable when it returns, for 7 days, or 90 (`Visit.for_long`). What was remembered under this key first
        stays; only what was missing is filled in (`Visit.filled_from`)."""

    def visitor(self, key: str, now: float) -> Visit | None:
        """Whoever was remembered under this key, not too long ago."""

    def has_visitors(self) -> bool:
        """Whether `visitor` may know anybody; costs nothing, so that nobody is looked up in vain for every event. One
        whom another process remembered first of all is known a second later."""


@runtime_checkable
class Meter(Protocol):
    """Counts which events both the server and the page's pixel sent."""

    def note_pixel(self, dataset: str, pairs: Sequence[tuple[str, str]], now: float) -> "Future[None]":
        """The page's pixel got these (event name, event id); counted when the future is done. Said again, a pair
        changes nothing. At most 200 names of a dataset come from pages: anybody can write a page's report."""

    def deduplication(self) -> dict[str, dict[str, SideCounts]]:
        """Of all time, by dataset and event name."""

    def recent_sides(self, now: float) -> dict[str, dict[str, SideCounts]]:
        """The same of the newest 10,000 events and reports, and of these the newest 100 of each name: what is wrong
        since today does not stand out from a year, nor does what was mended. At most ten seconds old."""


@runtime_checkable
class Housekeeping(Protocol):
    """Work that can wait until a worker has time."""

    def tidy(self, now: float) -> int:
        """Put some of what waits in its place, so that claims need not; how many."""

    def prune(self, now: float) -> int:
        """Drop some of what is too old, so that nobody waits; how many, 0 when nothing was left to drop. Too old are
        ended events 8 days after their end (dead letters 90), though the newest event may stay; visits in time;
        reports of the pixel after 8, once their event is gone; bodies of dead letters that Meta takes no more."""
