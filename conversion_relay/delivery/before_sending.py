"""What is settled without a call to Meta, although it was accepted once.

An event may wait for days, and the world changes meanwhile: its bytes were damaged, it grew too old, the operator now
asks for consent, its visitor took it back, or Meta may have had it for longer than it remembers. So each event is
looked at once more before it is sent. One that Meta may count twice is held if it is a Purchase (RELAY_HOLD_LATE), and
else sent and counted.
"""

from conversion_relay.outbox import LeasedEvent
from conversion_relay.outbox.verdict import HELD, Dead, Expired, Hold, Verdict, Withhold
from conversion_relay.settings import Settings

DEDUPLICATION_SECONDS = 48 * 3_600 - 600
"""Meta drops a second copy within 48 hours of the first; after that, less a margin, it would be counted twice."""


def before_sending(event: LeasedEvent, settings: Settings, now: float) -> Verdict | None:
    """None when it may be sent."""
    if not event.intact:
        return Dead("corrupt")
    if event.expires_at <= now:
        return Expired()
    if event.consent is None and settings.silence == "withhold":
        return Withhold()
    if event.consent == "withdrawn":
        return Withhold("withdrawn")
    if is_late(event, now) and event.event_name in settings.held_event_names:
        return Hold(HELD)
    return None


def is_late(event: LeasedEvent, now: float) -> bool:
    """Meta may have it, and would not know a second copy for one."""
    return event.sent_at is not None and now - event.sent_at > DEDUPLICATION_SECONDS
