"""`_fbp` and `_fbc` set by the collector, for pages without the script (RELAY_SET_COOKIES).

Meta matches nobody by a user agent alone, so a visitor without the two gets them, as Meta's own tag would do it. A
cookie is for the whole registrable domain, and only where the page is of the same one: any other would be a third
party's.
"""

import ipaddress
import secrets
import time
from functools import cache, lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from conversion_relay.collector.door import Admitted
from conversion_relay.event import Event
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.meta.click_id import cookie_line, fbc_from_url, new_fbp
from conversion_relay.settings import Settings


class Site(msgspec.Struct, frozen=True):
    """Where a cookie is kept: `domain` None is this very host. `index` is Meta's subdomain index."""

    domain: str | None
    index: int


class BrowserIds:
    """The two ids of one request's visitor: those that the browser has, else new ones, where the visitor allows it."""

    def __init__(self, admitted: Admitted, site: Site, now: float, number: int, *, needs_consent: bool) -> None:
        """`number`: the random part of a new `_fbp`."""
        self._facts, self._site, self._now, self._number = admitted.facts, site, now, number
        self._is_secure, self._needs_consent = admitted.is_secure, needs_consent
        self._minted: dict[str, str] = {}

    def facts_for_event(self, event: Event) -> RequestFacts:
        person = event.user_data
        return self.facts_for(event.consent, event.gpc, event.event_source_url, person.fbp, person.fbc)

    def facts_for(
        self,
        consent: Literal["granted", "denied"] | None,
        gpc: bool | None,
        url: str | None,
        fbp: str | None,
        fbc: str | None,
    ) -> RequestFacts:
        """The request's facts with the ids; what the page's script says of them stands, and no cookie is set for it."""
        facts, url = self._facts, url or self._facts.url
        if gpc or facts.gpc or consent == "denied" or (self._needs_consent and consent != "granted"):
            return facts
        if not fbp and not facts.fbp:
            new = new_fbp(self._now, self._number, subdomain_index=self._site.index)
            facts = msgspec.structs.replace(facts, fbp=self._minted.setdefault("_fbp", new))
        if not fbc:
            known = self._minted.get("_fbc") or facts.fbc
            clicked = fbc_from_url(url, self._now, known=known, subdomain_index=self._site.index)
            if clicked and clicked != facts.fbc:
                self._minted["_fbc"] = clicked
            facts = msgspec.structs.replace(facts, fbc=clicked, url=url)
        return facts

    def cookies(self) -> tuple[str, ...]:
        """What was minted, as `Set-Cookie` lines."""
        domain, is_secure = self._site.domain, self._is_secure
        return tuple(cookie_line(*minted, domain=domain, is_secure=is_secure) for minted in self._minted.items())


def browser_ids(admitted: Admitted, settings: Settings) -> BrowserIds | None:
    """None where no cookie is set: by the operator's word, for a backend, for a page of another site."""
    if not settings.set_cookies or admitted.sender != "browser":
        return None
    site = site_of(admitted.host, admitted.facts.origin or "")
    if site is None:
        return None
    number, needs_consent = secrets.randbelow(2**31), settings.silence == "withhold"
    return BrowserIds(admitted, site, time.time(), number, needs_consent=needs_consent)


@lru_cache(maxsize=1_000)
def site_of(host: str, origin: str) -> Site | None:
    """The site that this host and the page share; None where they share none.

    >>> site_of("relay.shop.co.uk", "https://www.shop.co.uk")
    Site(domain='shop.co.uk', index=2)
    >>> site_of("localhost:8000", "http://localhost:8000"), site_of("relay.example", "https://shop.example")
    (Site(domain=None, index=0), None)
    """
    here, page = _hostname(f"//{host}"), _hostname(origin)
    if not here or not page:
        return None
    shared = _registrable(here)
    if shared is None:
        return Site(None, 0) if here == page else None
    return Site(shared, shared.count(".")) if _registrable(page) == shared else None


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _registrable(host: str) -> str | None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found: str | None = _suffixes().privatesuffix(host)
        return found
    return None


@cache
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
