"""What of an event its caller fills freely, without persons and in Meta's form: step 4 of the door (`accept.py`).

Most events have one free member, `custom_data`, in which nothing has to change. `plain` knows that without a look
at each value: it writes the object as JSON once, and asks msgspec whether the types are right and a few searches over
the bytes whether any text could hold a person. All others go through `careful`, which copies, mends, walks and
tidies; a property test compares the two.
"""

from typing import Any

import msgspec

from conversion_relay.event import Event
from conversion_relay.intake.custom_data import CLEAN, Clean, tidy
from conversion_relay.intake.mending import DEEPEST, Tell, is_too_deep, may_be_too_large, mended
from conversion_relay.intake.moment import original_in_seconds
from conversion_relay.intake.options import complete_app_data
from conversion_relay.intake.scrub import (
    MOST_LOOKED_AT,
    Removed,
    is_surely_nobodys,
    may_hold_personal_data,
    without_personal_data,
)
from conversion_relay.meta.event_kinds import DATA_PROCESSING

OURS = ("consent", "gpc", "pixel", "left_out")
"""Members of an event that are for the relay and never sent to Meta."""
NOT_FREE = (
    frozenset(
        {"event_name", "event_time", "event_id", "action_source", "event_source_url", "referrer_url", "opt_out", *OURS}
    )
    | DATA_PROCESSING
)
"""Members with a rule of their own. Every other one is scrubbed, also one that Meta has yet to think of."""


def free_members(event: Event, tell: Tell) -> tuple[dict[str, Any], list[Removed]]:
    """Meta's JSON of all but `user_data`, and what was taken out. Raises what msgspec does for what is no JSON.

    >>> free_members(Event(event_name="Lead", custom_data={"value": 5, "currency": "usd"}), lambda *what: None)
    ({'event_name': 'Lead', 'custom_data': {'value': 5, 'currency': 'USD'}}, [])
    """
    custom = event.custom_data
    says_more = event.data_processing_options is not None or event.opt_out is not None
    if says_more or not has_few_members(event) or (custom and plain(custom) is None):
        return careful(event, tell)
    wire: dict[str, Any] = {"event_name": event.event_name}
    if custom:
        wire["custom_data"] = custom
        _in_capitals(wire)
    return wire, []


def has_few_members(event: Event) -> bool:
    """None but those that most events have, and perhaps a visitor's wishes (`data_processing_options`, `opt_out`)."""
    return (
        event.app_data is None
        and event.original_event_data is None
        and event.attribution_data is None
        and event.messaging_channel is None
        and event.customer_segmentation is None
        and event.advanced_measurement_table is None
        and event.data_processing_options_country is None
        and event.data_processing_options_state is None
    )


def plain(custom: dict[str, Any]) -> tuple[Clean, bytes] | None:
    """This `custom_data` read and as JSON, where `careful` would leave it as it is but for the currency's case."""
    try:
        encoded = _encoder.encode(custom)
        clean = CLEAN.decode(encoded)
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError, TypeError, ValueError, RecursionError):
        return None
    if is_surely_nobodys(custom, encoded, len(clean.contents or ())):
        return clean, encoded
    if b"null" in encoded or encoded.count(b"{") + encoded.count(b"[") > DEEPEST or may_be_too_large(encoded):
        return None
    may_hold = may_hold_personal_data(custom, closely=len(encoded) <= MOST_LOOKED_AT)
    return None if may_hold else (clean, encoded)


def careful(event: Event, tell: Tell) -> tuple[dict[str, Any], list[Removed]]:
    """The same, member by member."""
    wire: dict[str, Any] = msgspec.to_builtins(event)
    wire.pop("user_data", None)
    if "app_data" in wire:
        complete_app_data(wire)  # before a null or a text is taken out of `extinfo`, where each has its place
    removed = _scrub(wire, tell)
    for name in OURS:
        wire.pop(name, None)
    if original := wire.get("original_event_data"):
        wire["original_event_data"] = original_in_seconds(original)
    if wire.get("custom_data"):
        tidy(wire["custom_data"], tell)
        _in_capitals(wire)
    else:
        wire.pop("custom_data", None)
    return wire, removed


def _scrub(wire: dict[str, Any], tell: Tell) -> list[Removed]:
    """Step 4 for free objects and members that are sent as they are, in place. Raises RecursionError for what is nested
    too deep, and what the encoder raises."""
    free_form = {name: value for name, value in wire.items() if name not in NOT_FREE}
    encoded = _encode(free_form) if free_form else b""
    if encoded.count(b"{") + encoded.count(b"[") > DEEPEST and is_too_deep(free_form):
        raise RecursionError
    if b"null" in encoded or may_be_too_large(encoded):  # null: what NaN and Infinity become
        free_form = {name: mended(value, name, tell) for name, value in free_form.items()}
        wire |= free_form
    closely = encoded is not _TO_BE_MENDED and len(encoded) <= MOST_LOOKED_AT
    if not (free_form and may_hold_personal_data(free_form, closely=closely)):
        return []
    kept, removed = without_personal_data(free_form)
    for name in free_form:
        if kept.get(name):
            wire[name] = kept[name]
        else:
            wire.pop(name, None)
    return removed


def _in_capitals(wire: dict[str, Any]) -> None:
    currency = wire["custom_data"].get("currency")
    if isinstance(currency, str) and currency != (capitals := currency.strip().upper()):
        wire["custom_data"] = wire["custom_data"] | {"currency": capitals}


def _encode(free_form: dict[str, Any]) -> bytes:
    try:
        return _encoder.encode(free_form)
    except (OverflowError, UnicodeEncodeError):
        return _TO_BE_MENDED


_encoder = msgspec.json.Encoder()
_TO_BE_MENDED = b"[" * (DEEPEST + 1) + b"null"
"""Stands for JSON that could not be written, and sends its objects through every check."""
