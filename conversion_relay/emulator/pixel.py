"""The pixel's request (`/tr?id=...&ev=...&eid=...`) as the event it stands for.

https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def read_pixel(given: Mapping[str, str], now: float) -> tuple[str, dict[str, Any] | None]:
    """(dataset, event) of the request's parameters; the event is None where id or name is missing."""
    dataset, name = given.get("id", ""), given.get("ev", "")
    if not dataset.isdigit() or not name:
        return dataset, None
    event: dict[str, Any] = {"event_name": name, "event_time": int(now), "user_data": _group(given, "ud")}
    for source, target in (("eid", "event_id"), ("dl", "event_source_url"), ("rl", "referrer_url")):
        if given.get(source):
            event[target] = given[source]
    event["user_data"] |= {key: given[key] for key in ("fbp", "fbc", "external_id") if given.get(key)}
    if custom := _group(given, "cd"):
        event["custom_data"] = custom
    if given.get("dpo"):
        event["data_processing_options"] = given["dpo"].split(",")
        for source, target in (("dpoco", "country"), ("dpost", "state")):
            if re.fullmatch(r"[0-9]{1,4}", given.get(source, "")):
                event[f"data_processing_options_{target}"] = int(given[source])
    return dataset, event


def _group(given: Mapping[str, str], prefix: str) -> dict[str, str]:
    """cd[value]=12&cd[currency]=USD -> {"value": "12", "currency": "USD"}"""
    found = {}
    for name, value in given.items():
        if match := re.fullmatch(rf"{prefix}\[([\w-]+)\]", name):
            found[match[1]] = value
    return found
