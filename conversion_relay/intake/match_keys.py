"""Whose event it is, completed from the request and hashed: step 6 of the door (`accept.py`).

A backend knows its customer, a page's request knows the visitor: address, browser, click. What the caller left out is
filled in from the request, and nothing that the caller may know better is overwritten, but for three things. What a
browser claims about its own address is not believed. A click in the page's URL is newer than any remembered one. And
what Meta could not read ("undefined", the address of a proxy) hides nothing that is known.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from conversion_relay.event import Event
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.scrub import Removed, scrub_match_keys
from conversion_relay.meta import click_id
from conversion_relay.meta.customer_information import DroppedKey, match_keys
from conversion_relay.meta.customer_information.identifier import normalize_fbp
from conversion_relay.meta.customer_information.network import normalize_client_ip_address, normalize_user_agent

VISITOR = ("client_ip_address", "client_user_agent", "fbc", "fbp")
Visitor = tuple[str | None, str | None, str | None, str | None]


def visitor_of(event: Event, facts: RequestFacts, event_time: int, *, is_browser: bool, now: float) -> Visitor:
    """`client_ip_address`, `client_user_agent`, `fbc` and `fbp`: the caller's, completed from the request."""
    given = event.user_data
    address, visitor = given.client_ip_address, facts.client_ip_address
    if visitor and (is_browser or not _is_public(address)) and _is_public(visitor):
        # What a browser claims about its own address is not believed; a backend passes its visitor's address on.
        address = visitor
    agent = said_or_known(given.client_user_agent, facts.client_user_agent, normalize_user_agent)
    fbp = said_or_known(given.fbp, facts.fbp, normalize_fbp)
    return (
        address,
        agent or given.client_user_agent,
        _click(given.fbc, event, facts, click_id.seen_before(event_time, now)) or given.fbc,
        fbp or given.fbp,
    )


def said_or_known(said: Any, known: str | None, read: Callable[[str], object]) -> Any:
    """What the caller says, where Meta could read it or nothing else is known; else what the request knows."""
    if not said or not known:
        return said or known
    return said if isinstance(said, str) and isinstance(read(said), str) else known


def match_keys_of(
    given: Mapping[str, Any],
    removed: list[Removed],
    default_country: str | None,
    *,
    now: float,
    variants: bool = False,
    known: dict[str, Any] | None = None,
) -> tuple[dict[str, object], list[DroppedKey]]:
    """Meta's `user_data`, and what could not be used. What would be sent in clear and holds a person is told in
    `removed`. `known`: as for `match_keys`, and it holds nobody."""
    today = date.fromordinal(_DAY_0 + int(now // 86_400))
    holds_nobody = frozenset(known or ())
    wire, dropped = match_keys(given, default_country=default_country, today=today, variants=variants, known=known)
    scrub_match_keys(wire, removed, holds_nobody)
    return wire, dropped


def _click(given: object, event: Event, facts: RequestFacts, seen: float) -> str | None:
    """The newest click: of the event's page, else the request's; else as caller or cookie say; else of the referrer."""
    page, request, referrer = event.event_source_url, facts.url, event.referrer_url or facts.referrer
    if not facts.fbc and not click_id.may_bring_click(f"{page}{request}{referrer}"):
        return None  # what is given stays, and is judged as every key
    known = click_id.readable(given) or click_id.readable(facts.fbc)
    for url in (page, request):
        if fbc := click_id.newer_fbc(url, seen, known=known):
            return fbc
    return known or click_id.fbc_from_url(referrer, seen)


def _is_public(address: object) -> bool:
    return isinstance(address, str) and isinstance(normalize_client_ip_address(address), str)


_DAY_0 = date(1970, 1, 1).toordinal()
