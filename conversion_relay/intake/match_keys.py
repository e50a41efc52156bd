"""Whose event it is, completed from the request and hashed: step 6 of the door (`accept.py`).

A backend knows its customer, a page's request knows the visitor: address, browser, click. What the caller left out is
filled in from the request, and nothing that the caller may know better is overwritten, but for two things. What a
browser claims about its own address is not believed. And a click in the page's URL is newer than any remembered one.
"""

from datetime import date
from typing import Any

from conversion_relay.event import Event
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.meta import click_id
from conversion_relay.meta.customer_information import DroppedKey, match_keys
from conversion_relay.meta.customer_information.network import normalize_client_ip_address


def match_keys_of(
    given: dict[str, Any],
    event: Event,
    facts: RequestFacts,
    *,
    is_browser: bool,
    default_country: str | None,
    variants: bool,
    now: float,
) -> tuple[dict[str, object], list[DroppedKey]]:
    """Meta's `user_data` of this event, and what of it could not be used. `given` is the caller's, and is changed."""
    visitor = facts.client_ip_address
    if visitor and (is_browser or "client_ip_address" not in given) and _is_public(visitor):
        # What a browser claims about its own address is not believed; a backend passes its visitor's address on.
        given["client_ip_address"] = visitor
    if facts.client_user_agent and not given.get("client_user_agent"):
        given["client_user_agent"] = facts.client_user_agent
    if facts.fbp and not given.get("fbp"):
        given["fbp"] = facts.fbp
    if fbc := _click(given.get("fbc"), event, facts, now):
        given["fbc"] = fbc
    today = date.fromordinal(_DAY_0 + int(now // 86_400))
    return match_keys(given, default_country=default_country, today=today, variants=variants)


def _click(given: object, event: Event, facts: RequestFacts, now: float) -> str | None:
    """The newest click: of the event's page, else the request's; else as caller or cookie say; else of the referrer."""
    page, request, referrer = event.event_source_url, facts.url, event.referrer_url or facts.referrer
    if not facts.fbc and "fbclid" not in f"{page}{request}{referrer}":
        return None  # what is given stays, and is judged as every key
    said = given if isinstance(given, str) else None
    known = click_id.readable(said) or click_id.readable(facts.fbc)
    for url in (page, request):
        if (fbc := click_id.fbc_from_url(url, now, known=known)) and fbc != known:
            return fbc
    return known or click_id.fbc_from_url(referrer, now)


def _is_public(address: str) -> bool:
    return isinstance(normalize_client_ip_address(address), str)


_DAY_0 = date(1970, 1, 1).toordinal()
