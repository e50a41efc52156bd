"""What needs a person now, in words: for the banner of each page, `status`, `doctor` and the notifier.

Pure: what is known comes in, a list comes out, the worst first. `urgent` means that events are being lost or that
nobody delivers; the rest waits, and nothing is lost yet. One cause gives one line, whoever noticed it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from conversion_relay.delivery.meta_clock import WRONG_SECONDS
from conversion_relay.delivery.refusals import TOO_MANY
from conversion_relay.delivery.sign_of_life import alive, collecting
from conversion_relay.meta.remedies import Remedy, remedy
from conversion_relay.meta.versions import version_finding
from conversion_relay.outbox import Counts, SideCounts
from conversion_relay.outbox.story import AtWork, SignOfLife, Story
from conversion_relay.outbox.verdict import HELD

WAITS_TOO_LONG = 60.0
"""Seconds that an event may wait while nobody delivers, before somebody is told: a restart takes some."""
EXPIRY_NEAR = 86_400.0
LEAST_DISK = 256 * 1_048_576
ENOUGH_ALONE = 5
"""Events of each side without a twin, before it is more than a report that is on its way."""
OUTAGE_TOLD = 900.0
"""Seconds that an event may wait for Meta to be reached, before somebody is told: most outages are over by then."""
MOST_LINES = 3
_UNSERVED = "unserved_version"
_PERSONS = frozenset(
    {"unauthorized", "misconfigured", "all_refused", "unknown_error", "too_large", "foreign_answer", "tls"}
    | {"proxy_address", "proxy_login", "accounting_mismatch", _UNSERVED}
)
_BY_ITSELF = frozenset({"throttled", "near_limit"})
"""Pauses that Meta asks for; nobody can do anything about them."""
_DELIVER = "start `conversion-relay deliver`"
_ADD_DATASET = "add the dataset to the settings, or erase its events"
TEST_CODE = "META_TEST_EVENT_CODE is set, so every event of %s is a test event, too"
NO_TEST_CODE = "leave it out when the test is over"


class Need(msgspec.Struct, frozen=True, kw_only=True):
    cause: str
    """A stable word for programs, with its dataset if it has one: `unauthorized:42`."""
    urgent: bool
    what: str
    fix: str
    dataset: str | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What can be known of an installation from one of its processes."""

    now: float
    books: Mapping[str, Counts]
    signs: Sequence[SignOfLife] | None
    """None where the store keeps none: then nothing is said about who delivers."""
    configured: frozenset[str]
    version: str
    free_bytes: int | None = None
    sides: Mapping[str, Mapping[str, SideCounts]] = {}
    """By dataset and event name: what of the newest came from both sides, or from one alone."""


def needs(known: Known) -> list[Need]:
    found = [*_delivery(known), *_datasets(known), *_sides(known), *_machine(known)]
    return sorted(found, key=lambda need: not need.urgent)


def remedy_of(story: Story) -> Remedy | None:
    """What its last attempt tells of an event that has not arrived."""
    if story.state == "delivered":
        return None
    if not story.history:
        return remedy(story.reason)
    last = story.history[-1]
    return remedy(story.reason, last.subcode, last.field)


def is_waiting(story: Story) -> bool:
    """To be sent, and not for a person's word."""
    return story.state == "pending" and story.reason != HELD


def remedies_of(story: Story, known: Known | None) -> list[Remedy]:
    """The same, and of a story that waits what it waits for. `known` is needed for such alone."""
    own = remedy_of(story)
    if known is not None and is_waiting(story):
        return advice(known, story.dataset, own)
    return [own] if own else []


def advice(known: Known, dataset: str, own: Remedy | None) -> list[Remedy]:
    """What is to be done about an event that waits. `own`: what its last attempt tells. Of one whose dataset is gone
    from the settings, or that nobody delivers, that attempt tells nothing of why it is not tried again; an event that
    came after the token's death has none."""
    waits_for = _waits_for(known, dataset)
    if waits_for is None or waits_for == own:
        return [own] if own else []
    return [waits_for, own] if own and not own.fix.startswith("nothing to do") else [waits_for]


def _waits_for(known: Known, dataset: str) -> Remedy | None:
    """Why nothing of this dataset is sent now."""
    if _is_stranded(dataset, known):
        return Remedy("its dataset is not configured, so nobody sends it", _ADD_DATASET)
    if is_delivered(known) is False:
        return Remedy("nobody delivers", _DELIVER)
    state = at_work_now(known).get(dataset)
    return remedy(state.why) if state else None


def together(found: Sequence[Need]) -> list[Need]:
    """For a page: where more than MOST_LINES datasets have the same need, it is one line."""
    kinds: dict[str, list[Need]] = {}
    for need in found:
        kinds.setdefault(need.cause.partition(":")[0], []).append(need)
    lines: list[Need] = []
    for kind, alike in kinds.items():
        if len(alike) <= MOST_LINES:
            lines += alike
            continue
        names = ", ".join(need.dataset or "" for need in alike[:MOST_LINES])
        what = f"{len(alike)} datasets ({names} ...): {alike[0].what.partition(': ')[2]}"
        lines.append(Need(cause=kind, urgent=alike[0].urgent, what=what, fix=alike[0].fix))
    return lines


def at_work_now(known: Known) -> dict[str, AtWork]:
    """How each dataset is doing: as the worker says that needs a person for it, if one does, else by the latest sign of
    life that names it. What one machine of a fleet says alone would come and go with each sign of the others."""
    found: dict[str, AtWork] = {}
    for sign in reversed(_workers(known)):
        needing = {name for name, state in found.items() if _persons(state)}
        found |= {name: state for name, state in sign.datasets.items() if name not in needing or _persons(state)}
    return found


def _persons(state: AtWork) -> list[str]:
    """What of it needs a person: why nothing is sent, and what is met again and again while others are sent."""
    return [why for why in dict.fromkeys((state.why, *state.troubles)) if why is not None and why in _PERSONS]


def _said_alone(known: Known, name: str, why: str) -> str:
    """Of a fleet: which workers say so, where others send."""
    states = {sign.worker: sign.datasets[name] for sign in _workers(known) if name in sign.datasets}
    say_so = sorted(worker for worker, state in states.items() if why in _persons(state))
    if not any(state.why is None for worker, state in states.items() if worker not in say_so):
        return ""
    return (
        f"; so says {say_so[0]} alone, the other workers send" if len(say_so) == 1 else f"; so say {', '.join(say_so)}"
    )


def _workers(known: Known) -> list[SignOfLife]:
    return alive(known.signs or (), known.now)


def stopped(known: Known, names: Collection[str]) -> str | None:
    """How many events of these datasets wait since nothing is sent now, and why; None while they are sent, and for the
    first minute of what hardly ever lasts."""
    n, reasons = 0, dict[str, None]()
    for name, state in at_work_now(known).items():
        book = known.books.get(name, Counts())
        told = remedy(state.why) if name in names and book.pending + book.leased else None
        since = known.now if book.oldest_pending_at is None else book.oldest_pending_at
        if told and (state.why in _PERSONS or known.now - since >= WAITS_TOO_LONG):
            n += book.pending + book.leased
            reasons[told.what.partition(": ")[0]] = None  # the whole of it stands in the banner
    return f"{counted_waiting(n)}: {'; '.join(list(reasons)[:2])}" if n else None


def is_delivered(known: Known) -> bool | None:
    """Whether somebody delivers; None where it cannot be known."""
    return None if known.signs is None else bool(_workers(known))


def _delivery(known: Known) -> Iterator[Need]:
    if is_delivered(known) is not False:
        return
    waiting = sum(book.pending + book.leased for book in known.books.values())
    oldest = min((b.oldest_pending_at for b in known.books.values() if b.oldest_pending_at is not None), default=None)
    if waiting and oldest is not None and known.now - oldest >= WAITS_TOO_LONG:
        what = f"nobody delivers; {counted_waiting(waiting)}"
        yield Need(cause="nobody_delivers", urgent=True, what=what, fix=_DELIVER)


def _datasets(known: Known) -> Iterator[Need]:
    for name, state in at_work_now(known).items():
        persons = _persons(state)
        for why in persons:
            if told := remedy(why):
                yield _of(name, why, f"{told.what}{_said_alone(known, name, why)}", told.fix, urgent=False)
        if state.error_share > TOO_MANY and not persons:
            what = f"Meta answered {state.error_share:.0%} of the last 500 requests with an error; its limit is 15 %"
            is_refused = known.books.get(name, Counts()).dead
            fix = (
                "look at the dead letters"
                if is_refused
                else "the log names the errors; pauses of Meta's end by themselves"
            )
            yield _of(name, "error_share", what, fix, urgent=False)
        if _lasts(state.why, known.books.get(name, Counts()), known.now) and (told := remedy(state.why)):
            yield _of(
                name,
                "outage",
                f"events wait for over {int(OUTAGE_TOLD // 60)} minutes: {told.what}",
                told.fix,
                urgent=False,
            )
    for name, book in known.books.items():
        if book.imbalance:
            what = f"the books do not balance: {book.imbalance:+d}"
            yield _of(
                name, "imbalance", what, "report it with the output of `conversion-relay status --json`", urgent=True
            )
        left = None if book.nearest_expiry_at is None else book.nearest_expiry_at - known.now
        if book.pending and left is not None and left < EXPIRY_NEAR:
            what = "waiting events are lost, since Meta takes none older than 7 days"
            if left > 0:
                what = f"the oldest event can be sent for {int(left // 3_600)} more hours, then it is lost"
            yield _of(name, "expiry", what, "look why it waits: `conversion-relay explain`", urgent=True)
        if book.pending and _is_stranded(name, known):
            what = f"{counted_waiting(book.pending)} for a dataset that is not configured"
            yield _of(name, "stranded", what, _ADD_DATASET, urgent=False)


def counted_waiting(n: int) -> str:
    """
    >>> counted_waiting(1), counted_waiting(2_000)
    ('1 event waits', '2,000 events wait')
    """
    return f"{n:,} {'event waits' if n == 1 else 'events wait'}"


def _lasts(why: str | None, book: Counts, now: float) -> bool:
    """An outage that nobody was told of yet, since most end by themselves."""
    waits = book.pending and book.oldest_pending_at is not None and now - book.oldest_pending_at >= OUTAGE_TOLD
    return bool(waits) and why is not None and why not in _PERSONS | _BY_ITSELF


def _sides(known: Known) -> Iterator[Need]:
    """Both sides send an event, and hardly ever under one id: Meta counts each conversion twice."""
    for dataset, names in known.sides.items():
        alone = [name for name, n in names.items() if _differs(n)]
        if alone:
            what = f"pixel and server send different ids for {', '.join(sorted(alone)[:5])}, so Meta counts both"
            fix = "send it with MetaTracking.track alone, or give the pixel the server's id as {eventID: ...}"
            yield _of(dataset, "different_ids", what, fix, urgent=False)


def _differs(n: SideCounts) -> bool:
    fewer = min(n.server_only, n.browser_only)
    return fewer >= ENOUGH_ALONE and n.both < 0.1 * fewer


def _is_stranded(name: str, known: Known) -> bool:
    if name == "all":
        return False
    return name.startswith("unknown-") or (known.configured != {"0"} and name not in known.configured)


def _machine(known: Known) -> Iterator[Need]:
    skews = [(state.clock_skew_seconds, sign.worker) for sign in _workers(known) for state in sign.datasets.values()]
    skew, worker = max(skews, key=lambda found: abs(found[0]), default=(0.0, ""))
    if abs(skew) >= WRONG_SECONDS:
        way = "ahead of" if skew > 0 else "behind"
        whose = "this machine" if len(_workers(known)) == 1 else worker
        what = f"the clock of {whose} is {abs(skew):.0f} s {way} Meta's, which judges the age of events"
        yield Need(cause="clock", urgent=False, what=what, fix="set the clock (NTP)")
    yield from _clocks([*_workers(known), *collecting(known.signs or (), known.now)])
    if known.free_bytes is not None and known.free_bytes < LEAST_DISK:
        what = f"the outbox's disk has {known.free_bytes // 1_048_576} MB left; below its reserve nothing is accepted"
        yield Need(cause="disk", urgent=True, what=what, fix="free some space")
    is_told = any(_UNSERVED in _persons(state) for state in at_work_now(known).values())
    if not is_told and (finding := version_finding(known.version, known.now)) is not None:
        yield Need(cause="version", urgent=finding.severity == "error", what=finding.message, fix=finding.fix)


def _clocks(signs: Sequence[SignOfLife]) -> Iterator[Need]:
    """Of a fleet; a collector never hears Meta's, and refuses events as lying in the future when its own is behind."""
    wrong = {sign.worker: sign.clock_ahead_seconds for sign in signs if abs(sign.clock_ahead_seconds) >= WRONG_SECONDS}
    if wrong:
        told = [f"{name} ({ahead:+.0f} s)" for name, ahead in sorted(wrong.items())]
        names = ", ".join(told[:3]) + (" ..." if len(told) > 3 else "")
        what = f"clocks differ from the database's: {names}; events get wrong times there, or are refused"
        yield Need(cause="clocks", urgent=False, what=what, fix="set these machines' clocks (NTP)")


def _of(dataset: str, cause: str, what: str, fix: str, *, urgent: bool) -> Need:
    return Need(cause=f"{cause}:{dataset}", urgent=urgent, what=f"dataset {dataset}: {what}", fix=fix, dataset=dataset)
