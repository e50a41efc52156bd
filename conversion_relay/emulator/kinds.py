"""What Meta asks of one kind of event alone: of apps, of messages, of what is said later about a sent event.

Nothing of the last kind was ever seen in a published answer: those refusals are guesses from the guides.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from conversion_relay.emulator import graph_errors as answers
from conversion_relay.emulator.graph_errors import GraphError
from conversion_relay.emulator.names import MESSAGING_EVENTS

DAY = 86_400
ATTRIBUTION_WITHIN = 48 * 3_600
"""Seconds from the original event. Limited beta."""
VALUE_WITHIN = 7 * DAY
"""Seconds from the original event: the guide to predicted lifetime value, 2026-07-09."""


def errors(index: int, event: Mapping[str, Any], now: float) -> Iterator[GraphError]:
    """`event` has Meta's names and types; `now` in Unix seconds."""
    match event.get("action_source"):
        case "app":
            yield from _app(index, event)
        case "business_messaging":
            if not event.get("messaging_channel"):
                yield answers.NO_CHANNEL
            if event["event_name"] not in MESSAGING_EVENTS:
                yield answers.BAD_MESSAGING_EVENT
    match event["event_name"]:
        case "AppendValue":
            yield from _later_value(index, event, now)
        case "AppendAttribution":
            yield from _later_attribution(index, event, now)


# https://developers.facebook.com/docs/marketing-api/conversions-api/app-events
def _app(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    app_data = event.get("app_data")
    if not isinstance(app_data, dict):
        yield answers.wrong(index, "app_data", must="be given")
        return
    if not _is_extinfo(app_data.get("extinfo")):
        yield answers.BAD_EXTINFO
    flag = app_data.get("advertiser_tracking_enabled")
    if flag is None or flag == "":
        yield answers.NO_TRACKING_FLAG
    # True and False equal 1 and 0 here as they do at Meta, which takes them and says later that they are out of range:
    # https://github.com/RevenueCat/purchases-flutter/issues/1530
    elif flag not in (0, 1, "0", "1"):
        yield answers.wrong(index, "app_data", "advertiser_tracking_enabled", must="be 0 or 1")


def _later_value(index: int, event: Mapping[str, Any], now: float) -> Iterator[GraphError]:
    original = event.get("original_event_data") or {}
    if not original.get("event_id") and not original.get("order_id"):
        yield answers.wrong(index, "original_event_data", must="hold event_id or order_id")
    if "event_time" in original:
        yield from _original_time(index, original, now, VALUE_WITHIN)
    custom = event.get("custom_data") or {}
    for key in ("predicted_ltv", "currency"):
        if custom.get(key) in (None, ""):
            yield answers.wrong(index, "custom_data", key, must="be given")


def _later_attribution(index: int, event: Mapping[str, Any], now: float) -> Iterator[GraphError]:
    if not event.get("attribution_data"):
        yield answers.wrong(index, "attribution_data", must="be given")
    yield from _original_time(index, event.get("original_event_data") or {}, now, ATTRIBUTION_WITHIN)


def _original_time(index: int, original: Mapping[str, Any], now: float, within: int) -> Iterator[GraphError]:
    given: Any = original.get("event_time")
    if not is_time(given):
        yield answers.wrong(index, "original_event_data", "event_time", must="be an integer")
    elif int(given) < now - within:
        must = f"lie within {within // 3_600} hours"
        yield answers.wrong(index, "original_event_data", "event_time", must=must)


def is_time(value: object) -> bool:
    """Unix seconds, also as text."""
    if isinstance(value, str):
        return re.fullmatch(r"\d{1,12}", value, re.ASCII) is not None
    return type(value) is int and 0 < value < 10**12


def is_number(value: object) -> bool:
    """A finite number, or text of one as JSON writes it: neither digits in groups nor spaces."""
    if isinstance(value, str):
        return len(value) < 400 and _NUMBER.fullmatch(value) is not None and math.isfinite(float(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_extinfo(value: object) -> bool:
    """The first (version) and the fifth (of the operating system) of 16 must say something."""
    return isinstance(value, list) and len(value) == 16 and bool(value[0]) and bool(value[4])


_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
