"""When the click behind an event was: what `advise` says of the time in an `fbc`.

An `fbc` is well-formed whatever time it names, so Meta takes it, and it attributes nothing. Two times are wrong: one
after the event, of an `fbc` that was made anew when a late event was sent; and one of a click that is long past.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conversion_relay.meta.click_id import COOKIE_SECONDS, click_of
from conversion_relay.meta.finding import PAGES, Finding
from conversion_relay.meta.validate import CLOCK_SKEW


def on_click(event: Mapping[str, Any]) -> Iterator[Finding]:
    """`event` is Meta's JSON of one event."""
    fbc, moment = event["user_data"].get("fbc"), event.get("event_time")
    if not isinstance(fbc, str) or click_of(fbc) is None or type(moment) is not int:
        return
    seen = fbc.split(".")[2]
    if len(seen) != 13 or not (seen.isascii() and seen.isdecimal()):
        return
    before = moment - int(seen) / 1000
    page = f"{PAGES}/parameters/fbp-and-fbc"
    if before < -CLOCK_SKEW:
        yield Finding(
            "click_after_event",
            "user_data.fbc",
            "warning",
            "the click is dated after the event, so it cannot have led to it",
            "send _fbc as the browser has it; where you make it of an fbclid, its time is when you first saw that",
            page,
        )
    elif before > COOKIE_SECONDS:
        yield Finding(
            "old_click",
            "user_data.fbc",
            "hint",
            "the click was more than 90 days before the event: Meta counts it no more",
            "send the newest _fbc that you know of this visitor, or leave it out",
            page,
        )
