"""What is settled without a call: damaged, too old, not agreed to, taken back, at Meta for longer than it remembers."""

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
