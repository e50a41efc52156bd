"""Meta's judgement of a request's events: all are taken, or the first bad one refuses them all.

"If any event you send in a batch is invalid, we reject the entire batch":
https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api

These rules look like those of `conversion_relay/meta/validate.py`, and that is meant: they are written a second time,
from the same pages, so that each side can find the other's mistakes. Do not import one from the other. Where they may
differ: the relay may refuse more than Meta (a currency that no country uses), never less. With `strict` the stand-in
also enforces what the pages call required and the API lets pass.

Titles and messages are as recorded from Meta; where no answer was recorded the error is marked `inferred`.
Pure: the time is an argument.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

DAY = 86_400
MOST_EVENTS = 1_000
HASHED = frozenset({"em", "ph", "fn", "ln", "db", "ge", "ct", "st", "zp", "country"})
ACTION_SOURCES = frozenset(
    [
        "email",
        "website",
        "app",
        "phone_call",
        "chat",
        "physical_store",
        "system_generated",
        "business_messaging",
        "other",
    ]
)
MESSAGING_EVENTS = frozenset({"Purchase", "LeadSubmitted", "AddToCart", "InitiateCheckout", "ViewContent"})

# https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
BROAD = (
    {"ct", "country", "st", "zp", "ge", "client_user_agent"},
    {"db", "client_user_agent"},
    {"fn", "ge"},
    {"ln", "ge"},
)


class GraphError(msgspec.Struct, frozen=True):
    """An error as Meta words it; `body` is the JSON that it is answered with."""

    code: int
    subcode: int | None = None
    title: str | None = None
    text: str | None = None
    message: str = "Invalid parameter"
    type: str = "OAuthException"
    status: int = 400
    transient: bool = False
    inferred: bool = False

    def body(self, trace: str) -> dict[str, Any]:
        """https://developers.facebook.com/docs/graph-api/guides/error-handling"""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if self.subcode is not None:
            error |= {"error_subcode": self.subcode, "is_transient": self.transient}
        elif self.transient:
            error["is_transient"] = True
        if self.title:
            error |= {"error_user_title": self.title, "error_user_msg": self.text or ""}
        return {"error": error | {"fbtrace_id": trace}}


NO_DATA = GraphError(100, message="(#100) param data must be non-empty.")
TOO_OLD = GraphError(
    100,
    2804003,
    "Event Timestamp Too Old",
    "The timestamp for this event is too far in the past. Events need to be sent from your server within 7 days of "
    "when they occurred. Enter a timestamp that has occurred within the last 7 days.",
)
NO_VALUE = GraphError(
    100,
    2804009,
    "Missing Value for Purchase Event",
    "Your purchase event doesn’t include a value parameter. Enter a value. For example: 1.99",
)
NO_CURRENCY = GraphError(
    100,
    2804010,
    "Missing Currency for Purchase Event",
    "Your purchase event doesn’t include a currency parameter. Enter a currency parameter. For example: USD",
)
TOO_BROAD = GraphError(
    100,
    2804050,
    "You haven't added sufficient customer information parameter data for this event",
    "This event has no customer information parameters, or it has a combination of customer information parameters "
    "that is so broad that it is unlikely to be effective for matching.",
)
BAD_LEAD = GraphError(100, 2804036, "Invalid Lead ID", "One or more lead ids are invalid or deleted.")
BAD_EXTINFO = GraphError(100, 2804043, "Invalid extended device info parameter", "extinfo is an array of 16 values.")
NO_CHANNEL = GraphError(100, 2804063, "Missing messaging channel parameter", "messaging_channel is required.")
BAD_MESSAGING_EVENT = GraphError(
    100,
    2804066,
    "Messaging Event Invalid Event Type",
    "This event name is not supported for business messaging.",
)


def parameter_error(index: int, field: str, what: str = "is required", *, inferred: bool = False) -> GraphError:
    """The generic schema error; the only one that tells which event it is about."""
    path = "".join(f"[{part}]" if part.isdigit() else f"['{part}']" for part in ["data", str(index), *field.split(".")])
    return GraphError(
        100, 2804019, "Server Side Api Parameter Error", f"The parameter ${path} {what}", inferred=inferred
    )


def judge(events: Sequence[Any], now: float, *, strict: bool = False) -> GraphError | None:
    """The first reason to refuse the whole request, or None."""
    if not events:
        return NO_DATA
    if len(events) > MOST_EVENTS:
        return GraphError(100, 2804019, "Server Side Api Parameter Error", "At most 1000 events in data", inferred=True)
    for index, event in enumerate(events):
        for error in _errors(index, event, now, strict):
            return error
    return None


def _errors(index: int, event: Any, now: float, strict: bool) -> Iterator[GraphError]:
    """One event's reasons to be refused, in the order in which Meta is assumed to look."""
    if not isinstance(event, dict):
        yield parameter_error(index, "0", "must be an object", inferred=True)
        return
    yield from _shape(index, event)
    yield from _time(event, now)
    yield from _customer_information(index, event, strict)
    yield from _purchase(index, event)
    yield from _channels(index, event)
    if strict:
        yield from _documented_only(index, event)


def _shape(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    if not isinstance(event.get("event_name"), str) or not event["event_name"]:
        yield parameter_error(index, "event_name", "is required" if "event_name" not in event else "must be a string")
    if not _is_time(event.get("event_time")):
        yield parameter_error(index, "event_time", "is required" if "event_time" not in event else "must be an integer")
    if not isinstance(event.get("user_data"), dict):
        yield parameter_error(index, "user_data", "is required" if "user_data" not in event else "must be an object")
    source = event.get("action_source", "website")
    if not isinstance(source, str) or source not in ACTION_SOURCES:
        yield parameter_error(index, "action_source", "is not a known action source", inferred=True)
    for name in ("event_id", "event_source_url"):
        if not isinstance(event.get(name, ""), str | None):
            yield parameter_error(index, name, "must be a string", inferred=True)
    if not isinstance(event.get("custom_data", {}), dict | None):
        yield parameter_error(index, "custom_data", "must be an object", inferred=True)


def _time(event: Mapping[str, Any], now: float) -> Iterator[GraphError]:
    days = 62 if event.get("action_source") == "physical_store" else 7
    if int(event["event_time"]) < now - days * DAY:
        yield TOO_OLD
    elif int(event["event_time"]) > now + 600:
        yield parameter_error(0, "event_time", "lies in the future", inferred=True)


def _customer_information(index: int, event: Mapping[str, Any], strict: bool) -> Iterator[GraphError]:
    user_data = event["user_data"]
    keys = {key for key, value in user_data.items() if value not in (None, "", [], {})}
    if any(keys <= broad for broad in BROAD):
        yield TOO_BROAD
    if "lead_id" in keys and not re.fullmatch(r"\d{15,17}", str(user_data["lead_id"]), re.ASCII):
        yield BAD_LEAD
    for key in sorted(keys & HASHED) if strict else ():
        if not all(_is_digest(value) for value in _several(user_data[key])):
            yield parameter_error(index, f"user_data.{key}", "must be a SHA-256 digest", inferred=True)


def _purchase(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    custom = event.get("custom_data") or {}
    if event["event_name"] == "Purchase":
        if custom.get("value") in (None, ""):
            yield NO_VALUE
        if custom.get("currency") in (None, ""):
            yield NO_CURRENCY
    if custom.get("value") not in (None, "") and not _is_amount(custom["value"]):
        yield parameter_error(index, "custom_data.value", "must be a number", inferred=True)
    currency = custom.get("currency")
    if currency not in (None, "") and not (isinstance(currency, str) and re.fullmatch("[A-Za-z]{3}", currency)):
        yield parameter_error(index, "custom_data.currency", "must be an ISO 4217 code", inferred=True)


def _channels(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    if event.get("action_source") == "app":
        app_data = event.get("app_data")
        if not isinstance(app_data, dict):
            yield parameter_error(index, "app_data")
        elif not _is_extinfo(app_data.get("extinfo")):
            yield BAD_EXTINFO
    if event.get("action_source") == "business_messaging":
        if not event.get("messaging_channel"):
            yield NO_CHANNEL
        if event["event_name"] not in MESSAGING_EVENTS:
            yield BAD_MESSAGING_EVENT


def _documented_only(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    """What the pages call required and the API lets pass."""
    if "action_source" not in event:
        yield parameter_error(index, "action_source", inferred=True)
    if event.get("action_source") == "website":
        if not event.get("event_source_url"):
            yield parameter_error(index, "event_source_url", inferred=True)
        if not event["user_data"].get("client_user_agent"):
            yield parameter_error(index, "user_data.client_user_agent", inferred=True)


def _is_time(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"\d{1,12}", value, re.ASCII) is not None
    return type(value) is int and 0 < value < 10**12


def _is_amount(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return math.isfinite(float(value)) and float(value) >= 0
    except (ValueError, OverflowError):
        return False


def _is_extinfo(value: object) -> bool:
    """The first (version) and the fifth (of the operating system) of 16 must say something."""
    return isinstance(value, list) and len(value) == 16 and bool(value[0]) and bool(value[4])


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}(\.[\w-]{2}|\.[\w-]{8})?", value) is not None


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
