"""What is settled without a call to Meta, although it was accepted once.

An event may wait for days, and the world changes meanwhile: its bytes were damaged, it grew too old, the operator now
asks for consent, its visitor took it back, or Meta may have had it for longer than it remembers. So each event is
looked at once more before it is sent. One that Meta may count twice is held if it is a Purchase (RELAY_HOLD_LATE), and
else sent and counted.

Two clocks: what Meta judges (too old, in the future) is asked of Meta's clock, as far as it is known (`meta_clock.py`);
what we wrote down ourselves (`sent_at`) is asked of ours. What lies in the future waits and is never given up:
whichever clock is wrong, it will be right one day.
"""

from collections.abc import Sequence

from conversion_relay.outbox import LeasedEvent
from conversion_relay.outbox.verdict import HELD, Dead, Expired, Hold, RetryAt, Verdict, Withhold
from conversion_relay.settings import Settings

DEDUPLICATION_SECONDS = 48 * 3_600 - 600
"""Meta drops a second copy within 48 hours of the first; after that, less a margin, it would be counted twice."""
FUTURE_SECONDS = 300.0
"""Meta documents no tolerance; so far ahead of its clock a time may be by the way that an event took."""
LOOK_AGAIN_SECONDS = 1_500.0


def before_sending(event: LeasedEvent, settings: Settings, now: float, meta_now: float | None = None) -> Verdict | None:
    """None when it may be sent. `now`: Unix seconds of our clock; `meta_now`: of Meta's, where that is known."""
    if not event.intact:
        return Dead("corrupt")
    is_metas = meta_now is not None  # else Meta is asked: it may be our clock that is behind
    meta_now = now if meta_now is None else meta_now
    if event.expires_at <= meta_now:
        return Expired()
    if is_in_the_future(event, meta_now) and is_metas:
        wait = event.event_time - FUTURE_SECONDS - meta_now
        if wait > LOOK_AGAIN_SECONDS:  # a site's clock was ahead, so there are many: one look in a minute serves all
            return RetryAt((now + LOOK_AGAIN_SECONDS) // 60 * 60, "in_the_future")
        return RetryAt(now + wait, "in_the_future")
    if event.consent is None and settings.silence == "withhold":
        return Withhold()
    if event.consent == "withdrawn":
        return Withhold("withdrawn")
    if is_late(event, now) and event.event_name in settings.held_event_names:
        # What is held is looked at when our clock says that it expires. Where Meta's is behind that, it would be looked
        # at again and again until then.
        ends_in = min(event.expires_at - meta_now, LOOK_AGAIN_SECONDS)
        return Hold(HELD) if event.expires_at > now else RetryAt(now + ends_in, HELD)
    return None


def may_all_be_sent(
    events: Sequence[LeasedEvent], settings: Settings, now: float, meta_now: float | None = None
) -> bool:
    """Whether `before_sending` gives None for each of them, and none is late: one look at a thousand events, most of
    which have never been tried. False says nothing."""
    meta_now = now if meta_now is None else meta_now
    latest = meta_now + FUTURE_SECONDS
    agreed = ("granted",) if settings.silence == "withhold" else ("granted", None)
    return not [
        event
        for event in events
        if not (
            event.expires_at > meta_now
            and event.event_time <= latest
            and event.sent_at is None
            and event.consent in agreed
            and event.intact
        )
    ]


def is_doubtful(event: LeasedEvent, now: float) -> bool:
    """Whether it looks as if it had expired. Our clock may have been wrong for as long as we run, so that Meta's tells
    whether it did. What is older than a year was never young."""
    return 0 <= now - event.expires_at < 400 * 86_400


def is_in_the_future(event: LeasedEvent, meta_now: float) -> bool:
    return event.event_time > meta_now + FUTURE_SECONDS


def is_late(event: LeasedEvent, now: float) -> bool:
    """Meta may have it, and would not know a second copy for one."""
    return event.sent_at is not None and now - event.sent_at > DEDUPLICATION_SECONDS
