"""What Meta would show in Events Manager and refuse nothing for."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from conversion_relay.emulator.rules import HASHED


def diagnose(event: Mapping[str, Any], now: float) -> list[str]:
    """Short sentences without any value of the event."""
    return [*_contact_data(event), *_ids(event), *_address(event), *_time(event, now)]


def _contact_data(event: Mapping[str, Any]) -> Iterator[str]:
    for key, value in event["user_data"].items():
        if key in HASHED:
            for one in value if isinstance(value, list) else [value]:
                if not (isinstance(one, str) and re.match(r"[0-9a-f]{64}(?:$|\.)", one)):
                    yield f"{key} is not a SHA-256 digest: Meta is not meant to get it in clear"
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
