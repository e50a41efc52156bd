"""Meta's judgement of a request's events: all are taken, or the first bad one refuses them all.

"If any event you send in a batch is invalid, we reject the entire batch":
https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api

These rules look like those of `conversion_relay/meta/validate.py`, and that is meant: they are written a second time,
from the same pages, so that each side can find the other's mistakes. Do not import one from the other. Where they may
differ: the relay may refuse more than Meta (a currency that no country uses), never less. With `strict` the stand-in
also enforces what the pages call required and the API lets pass.

The answers stand in `graph_errors.py`, each with its source or marked as a guess. Rules that hold for one kind of event
alone (app, messaging, a value or an attribution that comes later) stand in `kinds.py`, the names that Meta knows in
`names.py`.
Pure: the time is an argument.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from conversion_relay.emulator import graph_errors as answers
from conversion_relay.emulator import kinds
from conversion_relay.emulator.graph_errors import NO_DATA, GraphError
from conversion_relay.emulator.names import (
    ACTION_SOURCES,
    CONTENT_NAMES,
    EVENT_NAMES,
    HASHED,
    LIMITED_PLACES,
    MESSAGING_CHANNELS,
    USER_DATA_NAMES,
)

DAY = 86_400
MOST_EVENTS = 1_000
FARTHEST_AHEAD = 600
"""Seconds; no page names a limit, so this is a guess."""

LONGEST_NAME = 50
"""https://developers.facebook.com/docs/meta-pixel/reference"""
# https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
BROAD = (
    {"ct", "country", "st", "zp", "ge", "client_user_agent"},
    {"db", "client_user_agent"},
    {"fn", "ge"},
    {"ln", "ge"},
)


_NOTHING: tuple[object, ...] = (None, "", [], {})


def judge(events: Sequence[Any], now: float, *, strict: bool = False) -> GraphError | None:
    """The first reason to refuse the whole request, or None."""
    if not events:
        return NO_DATA
    if len(events) > MOST_EVENTS:
        return answers.TOO_MANY
    for index, event in enumerate(events):
        for error in _errors(index, event, now, strict):
            return error
    return None


def _errors(index: int, event: Any, now: float, strict: bool) -> Iterator[GraphError]:
    """One event's reasons to be refused, in the order in which Meta is assumed to look: names and types first."""
    if not isinstance(event, dict):
        yield answers.wrong(index, must="be an object")
        return
    yield from _shape(index, event)
    yield from _names(index, event)
    yield from _time(index, event, now)
    yield from _customer_information(event)
    yield from _money(index, event)
    yield from _processing_options(index, event)
    yield from kinds.errors(index, event, now)
    if strict:
        yield from _documented_only(index, event)


def _shape(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    for name, is_right, must in (
        ("event_name", _is_text, "be a string"),
        ("event_time", kinds.is_time, "be an integer"),
        ("user_data", _is_object, "be an object"),
    ):
        if name not in event:
            yield answers.missing(index, name)
        elif not is_right(event[name]):
            yield answers.wrong(index, name, must=must)
    source = event.get("action_source", "website")
    if not isinstance(source, str) or source not in ACTION_SOURCES:
        yield answers.wrong(index, "action_source", must=f"be one of {', '.join(sorted(ACTION_SOURCES))}")
    channel = event.get("messaging_channel")
    if channel not in (None, "") and not (isinstance(channel, str) and channel in MESSAGING_CHANNELS):
        yield answers.wrong(index, "messaging_channel", must=f"be one of {', '.join(sorted(MESSAGING_CHANNELS))}")
    for name in ("event_id", "event_source_url", "referrer_url"):
        if not isinstance(event.get(name, ""), str | None):
            yield answers.wrong(index, name, must="be a string")
    for name in ("custom_data", "app_data", "original_event_data", "attribution_data"):
        if not isinstance(event.get(name, {}), dict | None):
            yield answers.wrong(index, name, must="be an object")


def _match_keys(index: int, user_data: Mapping[str, Any]) -> Iterator[GraphError]:
    """Numbers pass for texts; hashed keys and the click id are looked at by `_customer_information`."""
    for key, value in user_data.items():
        if key in HASHED or key == "fbc" or value in _NOTHING:
            continue
        several = value if key == "external_id" and isinstance(value, list) else [value]
        if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in several):
            yield answers.wrong(index, "user_data", key, must="be a string")


def _names(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    """custom_data may hold names of the sender's own; the event, user_data and each of the contents may not."""
    if key := _unknown(event, EVENT_NAMES):
        yield answers.unexpected_in_event(key, index)
    if key := _unknown(event["user_data"], USER_DATA_NAMES):
        yield answers.unexpected_key(key, index, "user_data")
    yield from _match_keys(index, event["user_data"])
    contents = (event.get("custom_data") or {}).get("contents")
    if contents is None:
        return
    if not isinstance(contents, list):
        yield answers.BAD_CONTENTS
        return
    for at, item in enumerate(contents):
        if not isinstance(item, dict) or item.get("id") in (None, ""):
            yield answers.BAD_CONTENTS
        elif key := _unknown(item, CONTENT_NAMES):
            yield answers.unexpected_key(key, index, "custom_data", "contents", at)


def _time(index: int, event: Mapping[str, Any], now: float) -> Iterator[GraphError]:
    days = 62 if event.get("action_source") == "physical_store" else 7
    if int(event["event_time"]) < now - days * DAY:
        yield answers.TOO_OLD
    elif int(event["event_time"]) > now + FARTHEST_AHEAD:
        yield answers.wrong(index, "event_time", must="not lie in the future")


def _customer_information(event: Mapping[str, Any]) -> Iterator[GraphError]:
    user_data = event["user_data"]
    keys = {key for key, value in user_data.items() if value not in _NOTHING}
    if any(keys <= broad for broad in BROAD):
        yield answers.TOO_BROAD
    # Nobody published what Meta says of a list of nothing, or of spaces.
    saying = {key for key in keys if any(map(_says_something, _several(user_data[key])))}
    if any(saying <= broad for broad in BROAD):
        yield replace(answers.TOO_BROAD, recorded=None)
    for key in sorted(keys & HASHED):
        several = _several(user_data[key])
        digests = [_digest_of(value) for value in several if value not in _NOTHING]
        if None in digests:
            yield answers.NOT_HASHED
        elif "md5" in digests or len(digests) < len(several):  # not as the page asks, or nothing stands among them
            yield replace(answers.NOT_HASHED, recorded=None)
    if "fbc" in keys and not (isinstance(user_data["fbc"], str) and _CLICK_ID.fullmatch(user_data["fbc"])):
        yield answers.BAD_CLICK_ID
    if "lead_id" in keys and not re.fullmatch(r"\d{15,17}", str(user_data["lead_id"]), re.ASCII):
        yield answers.BAD_LEAD


def _money(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    custom = event.get("custom_data") or {}
    if event["event_name"] == "Purchase":
        if custom.get("value") in (None, ""):
            yield answers.NO_VALUE
        if custom.get("currency") in (None, ""):
            yield answers.NO_CURRENCY
    for key, least, must in (
        ("value", 0.0, "be a number that is not negative"),
        ("net_revenue", -math.inf, "be a number"),  # a sale at a loss is one
    ):
        given = custom.get(key)
        if given not in (None, "") and not (kinds.is_number(given) and float(given) >= least):
            yield answers.wrong(index, "custom_data", key, must=must)
    # "Positive": the guide to predicted lifetime value, 2026-07-09.
    worth = custom.get("predicted_ltv")
    if worth not in (None, "") and not (kinds.is_number(worth) and float(worth) > 0):
        yield answers.wrong(index, "custom_data", "predicted_ltv", must="be a positive number")
    currency = custom.get("currency")
    if currency not in (None, "") and not (isinstance(currency, str) and re.fullmatch("[A-Za-z]{3}", currency)):
        yield answers.wrong(index, "custom_data", "currency", must="be an ISO 4217 code")


def _processing_options(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    """https://developers.facebook.com/docs/marketing-api/data-processing-options"""
    options = event.get("data_processing_options")
    if options in (None, "", []):
        return
    if not isinstance(options, list):
        yield answers.wrong(index, "data_processing_options", must="be an array")
        return
    for option in options:
        if option != "LDU":
            yield answers.wrong(index, "data_processing_options", must="hold LDU alone")
    names = ("data_processing_options_country", "data_processing_options_state")
    for name in names:
        if name in event and type(event[name]) not in (int, type(None)):
            yield answers.wrong(index, name, must="be an integer")
    if tuple(event.get(name) for name in names) not in LIMITED_PLACES:
        yield answers.BAD_PROCESSING_OPTIONS


def _documented_only(index: int, event: Mapping[str, Any]) -> Iterator[GraphError]:
    """What the pages ask for and the API lets pass."""
    required = ["event_source_url"] if event.get("action_source") == "website" else []
    for name in ("action_source", *required):
        if not event.get(name):
            yield replace(answers.missing(index, name), recorded=None)
    if required and not event["user_data"].get("client_user_agent"):
        yield replace(answers.missing(index, "user_data", "client_user_agent"), recorded=None)
    if len(event["event_name"]) > LONGEST_NAME:
        yield answers.wrong(index, "event_name", must=f"have at most {LONGEST_NAME} characters")


def _unknown(given: Mapping[str, Any], known: frozenset[str]) -> str | None:
    """The first name that Meta does not know."""
    return None if given.keys() <= known else next(name for name in given if name not in known)


def _digest_of(value: object) -> str | None:
    """Which digest this is; the Parameter Builder appends 2 or 8 characters to it."""
    if not isinstance(value, str):
        return None
    if re.fullmatch(r"[0-9a-fA-F]{64}(\.[\w-]{2}|\.[\w-]{8})?", value, re.ASCII):
        return "sha256"
    return "md5" if re.fullmatch(r"[0-9a-fA-F]{32}", value) else None


def _says_something(value: object) -> bool:
    return value not in _NOTHING and not (isinstance(value, str) and value.isspace())


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# fb, the domain's level, a time, the fbclid, and perhaps the Parameter Builder's appendix. Seconds in place of
# milliseconds are taken and pointed out in Events Manager:
# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc
_CLICK_ID = re.compile(r"fb\.\d{1,2}\.\d{1,20}\.[^.\s]+(\.[\w-]+)?", re.ASCII)
