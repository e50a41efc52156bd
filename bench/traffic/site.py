"""The shape of a shop's own code: readable names, plain values, some of a person and seldom all."""

import random
from typing import Any

from bench.traffic.baskets import EVENT_NAMES, custom_data
from bench.traffic.draws import digits, letters, rank, weighted
from bench.traffic.people import Person, person
from bench.traffic.visits import visit

KNOWN = {"PageView": 0.25, "ViewContent": 0.35, "Search": 0.3, "scroll_75": 0.2, "AddToCart": 0.6}
"""How often a visitor of such an event has told who they are; of others 19 of 20 have."""


def site_event(draw: random.Random, event_id: str, now: float) -> dict[str, Any]:
    name = weighted(draw, EVENT_NAMES)
    who, at = person(draw), int(now) - rank(draw, 80_000)
    seen = visit(draw, at)
    user: dict[str, Any] = {"client_ip_address": seen.address, "client_user_agent": seen.browser, "fbp": seen.fbp}
    if seen.fbc:
        user["fbc"] = seen.fbc
    if draw.random() < KNOWN.get(name, 0.95):
        user |= _told(draw, who)
    event: dict[str, Any] = {"event_name": name, "event_time": at, "event_id": event_id}
    event |= {"action_source": "website", "event_source_url": seen.url, "user_data": user}
    if seen.referrer:
        event["referrer_url"] = seen.referrer
    if custom := custom_data(draw, name, who.country.currency):
        event["custom_data"] = custom
    return event


def _told(draw: random.Random, who: Person) -> dict[str, Any]:
    """An e-mail address nearly always, the rest as the forms ask for it."""
    user: dict[str, Any] = {"email": who.email}
    if draw.random() < 0.7:
        user |= {"first_name": who.first, "last_name": who.last}
    if draw.random() < 0.6:
        user["phone"] = who.phone
    if draw.random() < 0.55:
        user |= {"city": who.town.name, "state": who.town.state, "zip": who.town.zip}
    if draw.random() < 0.75 or "phone" in user:
        user["country"] = weighted(draw, {who.country.code: 75, who.country.code.lower(): 25})
    if draw.random() < 0.12:
        user |= {"date_of_birth": who.born, "gender": who.gender}
    if draw.random() < 0.5:
        user["external_id"] = draw.choice(
            [f"cust-{digits(draw, 8)}", letters(draw, 24, "0123456789abcdef"), digits(draw, 6)]
        )
    return user
