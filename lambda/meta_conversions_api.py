"""The seed's functions, in front of the `conversion_relay` package.

    handle_purchase({"email": "john_smith@gmail.com"}, {"value": 299.99, "currency": "USD"}, order_id="abc123")
    -> {"success": True, "event_id": "purchase_abc123"}

With RELAY_OUTBOX set, success means that the event is durable and will be delivered. Without it the event is posted to
Meta at once, within 1.5 seconds, as the seed did; then a failure means that it is lost, and the log says so.
"""

import hashlib
import logging
import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

try:
    import conversion_relay
except ImportError:  # a checkout: the package lies beside this folder
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import conversion_relay  # noqa: F401

from conversion_relay import (
    Event,
    InvalidEvent,
    OutboxUnavailable,
    Rejection,
    Relay,
    Settings,
    SettingsError,
    configure_logging,
    for_contact,
    for_purchase,
    for_registration,
    without_email,
)
from conversion_relay.errors import leaves_no_variables

logger = logging.getLogger("conversion_relay.lambda")
DIRECT_SECONDS = 1.5
ERROR = "Error sending Meta Conversions API %s event"
"""Alarms of sites in production match on this sentence."""
EVENT_TYPES = ("CompleteRegistration", "Contact", "Purchase", "ViewContent")


@leaves_no_variables
def handle_complete_registration(
    user_data: dict[str, Any],
    event_source_url: str | None = None,
    registration_id: str | None = None,
    registration_type: str = "course",
) -> dict[str, Any]:
    """Somebody registered; the id is shared with the pixel as `registration_{registration_id}`."""
    return send_conversion_event(
        "CompleteRegistration",
        user_data,
        event_source_url,
        custom_data={"content_name": registration_type, "status": True},
        event_id=for_registration(registration_id) if registration_id else None,
    )


@leaves_no_variables
def handle_contact(
    user_data: dict[str, Any], event_source_url: str | None = None, contact_id: str | None = None
) -> dict[str, Any]:
    """Somebody wrote; without an id of yours it is `contact_{SHA-256 of the e-mail}_{timestamp}`."""
    email = user_data.get("email") if isinstance(user_data, dict) else None
    event_id = contact_id
    if event_id is None and isinstance(email, str) and email:
        event_id = for_contact(email, int(time.time()))
    return send_conversion_event("Contact", user_data, event_source_url, event_id=event_id)


@leaves_no_variables
def handle_purchase(
    user_data: dict[str, Any],
    purchase_data: dict[str, Any],
    event_source_url: str | None = None,
    order_id: str | None = None,
) -> dict[str, Any]:
    """Somebody paid. `purchase_data`: {"value": 299.99, "currency": "USD", ...} in the currency's major unit."""
    custom_data = purchase_data
    if order_id and isinstance(purchase_data, dict):
        custom_data = {**purchase_data, "order_id": order_id}
    return send_conversion_event(
        "Purchase",
        user_data,
        event_source_url,
        custom_data=custom_data,
        event_id=for_purchase(order_id) if order_id else None,
    )


@leaves_no_variables
def handle_view_content(
    user_data: dict[str, Any], event_source_url: str | None, content_data: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Somebody looked; `content_data`: {"content_name", "content_category"}."""
    return send_conversion_event("ViewContent", user_data, event_source_url, custom_data=content_data)


@leaves_no_variables
def send_conversion_event(
    event_name: str,
    user_data: dict[str, Any],
    event_source_url: str | None = None,
    custom_data: dict[str, Any] | None = None,
    event_id: str | None = None,
    event_time: int | None = None,
    action_source: str = "website",
) -> dict[str, Any]:
    """{"success": True, "event_id"} or {"success": False, "error", "field"?}; never raises."""
    try:
        event = _event(event_name, user_data, event_source_url, custom_data, event_id, event_time, action_source)
        return _queue(event) if os.environ.get("RELAY_OUTBOX") else _send_now(event)
    except InvalidEvent as error:
        return {"success": False, "event_id": _named(event_id), "error": error.message, "field": error.field}
    except SettingsError as error:
        logger.error(ERROR, event_name, extra={"reason": "settings"})
        logger.error("%s", error)  # in Lambda's text log format a line is its message alone
        return {"success": False, "event_id": _named(event_id), "error": str(error)}
    except OutboxUnavailable as error:
        logger.error(ERROR, event_name, extra={"reason": "outbox_unavailable"})
        logger.error("%s", error)
        return {
            "success": False,
            "event_id": _named(event_id),
            "error": "the event could not be made durable; try again",
        }


def hash_data(value: Any) -> str | None:
    """SHA-256 of a value as Meta wants an e-mail address: trimmed, lower case. None for nothing."""
    text = str(value).strip().lower() if value is not None else ""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else None


@leaves_no_variables
def lambda_handler(event: dict[str, Any], context: Any = None) -> dict[str, Any]:
    """The test console's document: {"event_type", "user_data", "event_source_url", "custom_data"?, "event_id"?}."""
    event_type = event.get("event_type") if isinstance(event, dict) else None
    if event_type not in EVENT_TYPES:
        return {
            "success": False,
            "error": f"event_type is one of {', '.join(EVENT_TYPES)}",
            "field": "event_type",
        }
    return send_conversion_event(
        event_type,
        event.get("user_data") or {},
        event.get("event_source_url"),
        custom_data=event.get("custom_data"),
        event_id=event.get("event_id"),
    )


def _event(
    event_name: str,
    user_data: dict[str, Any],
    event_source_url: str | None,
    custom_data: dict[str, Any] | None,
    event_id: str | None,
    event_time: int | None,
    action_source: str,
) -> Event:
    """The seed's dictionaries as an Event; whoever tracks it reads its members and refuses a wrong one by its name."""
    document = {
        "event_name": event_name,
        "user_data": {name: value for name, value in _object("user_data", user_data).items() if value is not None},
        "event_source_url": event_source_url,
        "custom_data": _object("custom_data", custom_data or {}) or None,
        "event_id": event_id,
        "event_time": event_time,
        "action_source": action_source,
    }
    return Event(**{name: value for name, value in document.items() if value is not None})


def _named(event_id: Any) -> str | int | None:
    """The id of an event that was not taken, for an answer that goes into logs: without a person, and of JSON."""
    if isinstance(event_id, str):
        return without_email(event_id)
    return event_id if isinstance(event_id, int) else None


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidEvent("wrong_type", name, "send an object")
    return value


def _queue(event: Event) -> dict[str, Any]:
    tracked = _relay().track(event)
    return {"success": tracked.state != "withheld", "event_id": tracked.event_id}


def _send_now(event: Event) -> dict[str, Any]:
    relay = _relay()
    sealed = relay.seal(event)
    if isinstance(sealed, Rejection):
        raise InvalidEvent(sealed.reason, sealed.field, sealed.message)
    (sent,) = relay.send([sealed], deadline=DIRECT_SECONDS)
    result: dict[str, Any] = {"success": sent.accepted, "event_id": sealed.event_id}
    if not sent.accepted:
        result["error"] = _told(sent.outcome)
    return result


def _told(outcome: Any) -> str:
    said = outcome.said
    parts = [type(outcome).__name__.lower(), getattr(outcome, "why", None), said.code and f"code {said.code}"]
    return ", ".join(str(part) for part in [*parts, said.subcode and f"subcode {said.subcode}", said.title] if part)


@cache
def _relay() -> Relay:
    """One for the life of the process, so that a warm function keeps its connection to Meta."""
    queued = bool(os.environ.get("RELAY_OUTBOX"))  # then the token is the delivery function's
    settings = Settings.from_env(required=("META_PIXEL_ID",)) if queued else Settings.from_env()
    configure_logging(settings.log_format, settings.secrets())
    return Relay(settings)
