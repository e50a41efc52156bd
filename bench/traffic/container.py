"""The shape of a customer data platform or a tag server: digests already, lists, text where a number would do."""

import hashlib
import random
from typing import Any

from bench.traffic.baskets import EVENT_NAMES, custom_data
from bench.traffic.draws import digits, letters, rank, weighted
from bench.traffic.people import Person, person
from bench.traffic.visits import visit


def container_event(draw: random.Random, event_id: str, now: float) -> dict[str, Any]:
    name = weighted(draw, EVENT_NAMES)
    who, at = person(draw), int(now) - rank(draw, 80_000)
    seen = visit(draw, at)
    user: dict[str, Any] = {"client_user_agent": seen.browser, "client_ip_address": seen.address}
    user["external_id"] = [_uuid(draw)] if draw.random() < 0.7 else [_uuid(draw), f"crm_{digits(draw, 9)}"]
    if draw.random() < 0.6:
        user |= digests(draw, who)
    user["fbp"] = seen.fbp
    if seen.fbc:
        user["fbc"] = seen.fbc
    event: dict[str, Any] = {"event_id": event_id, "event_name": name, "event_time": at, "user_data": user}
    event |= {"event_source_url": seen.url, "action_source": "website"}
    custom = custom_data(draw, name, who.country.currency) or {}
    if "value" in custom and draw.random() < 0.3:
        custom["value"] = f"{custom['value']:.2f}"
    custom |= {"anonymous_id": _uuid(draw), "library_version": f"2.{rank(draw, 60)}.{rank(draw, 9)}", "channel": "web"}
    if draw.random() < 0.3:
        custom["traits"] = {
            "plan": draw.choice(["free", "pro"]),
            "logins": rank(draw, 200),
            "tags": ["a", "b"][: rank(draw, 3)],
        }
    event["custom_data"] = custom
    if draw.random() < 0.15:
        event |= {"data_processing_options": [], "opt_out": False}
    return event


def digests(draw: random.Random, who: Person) -> dict[str, Any]:
    user: dict[str, Any] = {"em": [_sha256(who.email.strip().lower())]}
    if draw.random() < 0.1:
        user["em"].append(_sha256(f"second.{who.email.strip().lower()}"))
    if draw.random() < 0.6:
        user["ph"] = [_sha256(who.country.calling_code + "".join(filter(str.isdigit, who.phone)))]
    if draw.random() < 0.5:
        user |= {"fn": [_sha256(who.first.strip().lower())], "ln": [_sha256(who.last.strip().lower())]}
    if draw.random() < 0.4:
        user |= {"ct": [_sha256(who.town.name.lower())], "country": [_sha256(who.country.code.lower())]}
    return user


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _uuid(draw: random.Random) -> str:
    text = letters(draw, 32, "0123456789abcdef")
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
