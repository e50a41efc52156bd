"""What Meta would show in Events Manager and refuse nothing for."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from conversion_relay.emulator.names import DELIVERY_CATEGORIES, HASHED


def diagnose(event: Mapping[str, Any], now: float) -> list[str]:
    """Short sentences without any value of the event."""
    return [
        *_contact_data(event),
        *_ids(event),
        *_address(event),
        *_time(event, now),
        *_custom_data(event),
        *_app(event),
    ]


def _contact_data(event: Mapping[str, Any]) -> Iterator[str]:
    for key, value in event["user_data"].items():
        if key in HASHED:
            for one in value if isinstance(value, list) else [value]:
                if not (isinstance(one, str) and re.match(r"[0-9a-f]{64}(?:$|\.)", one)):
                    yield f"{key} is not a SHA-256 digest in small letters: it may match nobody"
                    break


def _ids(event: Mapping[str, Any]) -> Iterator[str]:
    if not event.get("event_id"):
        yield "event_id is missing: browser and server events cannot be told to be one"
    fbc = event["user_data"].get("fbc")
    if isinstance(fbc, str) and fbc:
        segments = fbc.split(".")
        if len(segments) not in (4, 5) or segments[0] != "fb" or not segments[1].isdigit():
            yield "fbc is malformed"
        elif not re.fullmatch(r"\d{13}", segments[2]):
            yield "fbc has seconds where milliseconds belong"
        elif len(segments[3]) > 20 and segments[3] == segments[3].lower():
            yield "fbc looks lower-cased: click ids are case-sensitive"
        elif int(segments[2]) > (int(event["event_time"]) + 60) * 1000:
            yield "fbc is dated after the event: the click cannot have led to it"


def _address(event: Mapping[str, Any]) -> Iterator[str]:
    given = event["user_data"].get("client_ip_address")
    if not given:
        return
    try:
        address = ipaddress.ip_address(str(given))
    except ValueError:
        yield "client_ip_address is no IP address"
        return
    if address.is_private or address.is_loopback or address.is_link_local:
        yield "client_ip_address is a private address: it matches nobody"


def _time(event: Mapping[str, Any], now: float) -> Iterator[str]:
    if int(event["event_time"]) > now + 60:
        yield "event_time lies in the future"


def _custom_data(event: Mapping[str, Any]) -> Iterator[str]:
    custom = event.get("custom_data") or {}
    contents = [item for item in custom.get("contents") or [] if isinstance(item, dict)]
    if any("quantity" not in item for item in contents):
        yield "contents without quantity: Meta's page requires it"
    for one in (custom, *contents):
        if one.get("delivery_category") not in DELIVERY_CATEGORIES:
            yield "delivery_category is none of in_store, curbside, home_delivery"
            return


def _app(event: Mapping[str, Any]) -> Iterator[str]:
    app_data = event.get("app_data") or {}
    if any(isinstance(app_data.get(f"{who}_tracking_enabled"), bool) for who in ("advertiser", "application")):
        yield "tracking_enabled is true or false where 0 or 1 belongs: Events Manager calls it out of range"
