"""A browser at a door: which pages may call it, and the two ids that Meta knows the browser by.

Every door that a browser talks to needs the same three answers, so they are decided here once:

- **Whose page is this?** A browser names the page's origin in every request to another site and cannot be made to lie
  about it; a program can. So the allow-list protects visitors from other people's pages, not the door from programs.
  Origins are compared exactly: a suffix or a wildcard would let `shop.example.evil.example` in.
- **May the page read the answer?** Only an allowed origin is repeated in the CORS headers. `Vary: Origin` is always
  there, or a cache would hand one page's answer to another.
- **Which browser is it?** Meta matches nobody by a user agent alone. A visitor without `_fbp` gets one as Meta's own
  tag would make it, and a click on an ad (`fbclid`) becomes an `_fbc`. Neither is made for a visitor who declined, who
  sends Global Privacy Control, or who was not asked where the operator asks first (RELAY_CONSENT=withhold). What the
  page's script says about the ids is believed, and then no cookie is set for it: the script has set its own.
- **How long does it stay known?** Safari keeps what a script wrote for 24 hours after a click on an ad, and drops it
  after 7 days without a visit; what a server set it keeps, unless the two lie in different networks. So a door may
  renew the cookies that it was shown, for 90 days and letter by letter, under the same conditions as it makes new ones:
  https://webkit.org/tracking-prevention/. Where the page names another value than the cookie, its word is the newer.

A cookie is set for the whole registrable domain where the door can tell it (`shared_site`), else for the door's own
host. For a page of another site none is set: it would be a third party's cookie, which browsers drop.

Nothing here reads a clock or makes a random number: both are arguments. Which suffixes are public (`co.uk`) is a large
table, so the lookup is an argument too.
"""

import ipaddress
import re
from collections.abc import Callable, Container
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from conversion_relay.event import Event
from conversion_relay.intake.consent import POLICY_HEADER
from conversion_relay.intake.moment import event_time_of
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.meta.click_id import cookie_line, fbc_from_url, new_fbp, readable, readable_fbp, seen_before
from conversion_relay.meta.customer_information.identifier import quick_fbc, quick_fbp

LONGEST_ORIGIN = 512
"""A host name has at most 253 characters; urlsplit takes the square of its length."""
PREFLIGHT_SECONDS = "7200"
"""How long a browser may remember the answer to its preflight; Chrome allows no more than two hours."""


_HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~, -]{1,1000}", re.ASCII)


def listed_origin(origin: str | None, allowed: Container[str]) -> str | None:
    """The origin as the allow-list (in lower case) spells it; None where it is not on the list.

    >>> listed_origin("https://SHOP.example", {"https://shop.example"})
    'https://shop.example'
    >>> listed_origin("https://shop.example.evil.example", {"https://shop.example"}) is None
    True
    """
    # Outside ASCII, lower() makes a "k" of the Kelvin sign. Browsers send ASCII.
    known = origin.lower() if origin and origin.isascii() else ""
    return known if known and known in allowed else None


def is_own_page(origin: str, host: str) -> bool:
    """Whether the page was served by the very host that it calls. `host`: the request's Host header.

    >>> is_own_page("https://shop.example", "shop.example"), is_own_page("null", ""), is_own_page("http://[::1", "x")
    (True, False, False)
    """
    if len(origin) > LONGEST_ORIGIN:
        return False
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(netloc) and netloc.lower() == host.lower()


def cors_headers(
    origin: str | None, allowed: Container[str], *, request_headers: str = "content-type", credentials: bool = False
) -> dict[str, str]:
    """What lets an allowed page read the answer. `request_headers`: what it may send beside the plain ones.
    `credentials`: the answer may set cookies, which a browser otherwise drops for a script of another origin.

    >>> cors_headers("https://evil.example", {"https://shop.example"})
    {'Vary': 'Origin'}
    """
    if origin is None or listed_origin(origin, allowed) is None:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": request_headers,
        "Access-Control-Expose-Headers": f"X-Relay-Reason, {POLICY_HEADER}",
        **({"Access-Control-Allow-Credentials": "true"} if credentials else {}),
        "Vary": "Origin",
    }


def asked_headers(asked: str | None, usual: str) -> str:
    """What a preflight answers for `Access-Control-Request-Headers`: yes to all of them.

    Scripts of a page wrap its `fetch` and give each request headers of theirs (a token against forgery, a trace), and
    the browser then sends nothing unless the answer names each. Nothing here reads them. A `*` would not do: it
    counts for nothing where a page sends its cookies along.

    >>> asked_headers("X-CSRF-Token, traceparent", "content-type"), asked_headers("a\\r\\nb", "content-type")
    ('content-type, X-CSRF-Token, traceparent', 'content-type')
    """
    return f"{usual}, {asked}" if asked and _HEADER_NAMES.fullmatch(asked) else usual


class CookieSite(msgspec.Struct, frozen=True):
    """Where a cookie is kept: `domain` None is this very host. `index` is Meta's subdomain index (`example.com`: 1)."""

    domain: str | None = None
    index: int = 1


class BrowserIds:
    """`_fbp` and `_fbc` of one request's visitor: those that the browser has, else new ones, where the visitor allows
    it. Several events of one request share what was made for the first."""

    def __init__(
        self,
        facts: RequestFacts,
        site: CookieSite,
        now: float,
        number: int,
        *,
        is_secure: bool,
        silence: Literal["send", "limited_data_use", "withhold"],
        renews: bool = False,
    ) -> None:
        """`number`: the random part of a new `_fbp`, below 2**31. `is_secure`: the browser came by https.
        `silence`: the setting RELAY_CONSENT. `renews`: cookies that are there are set again; only for who knows the
        domain that they are of, or a browser would have two of one name."""
        self._facts, self._site, self._now, self._number = facts, site, now, number
        self._is_secure, self._needs_consent = is_secure, silence == "withhold"
        self._renews = renews
        self._minted: dict[str, str] = {}
        self._renewed: dict[str, str] = {}

    def facts_for_event(self, event: Event) -> RequestFacts:
        """The request's facts with the ids that belong to this event."""
        person = event.user_data
        said = event.consent, event.gpc, event.event_source_url, person.fbp, person.fbc
        return self.facts_for(*said, event_time=event_time_of(event.event_time, self._now, is_browser=True))

    def facts_for(
        self,
        consent: Literal["granted", "denied"] | None,
        gpc: bool | None = None,
        url: str | None = None,
        fbp: str | None = None,
        fbc: str | None = None,
        *,
        event_time: int | None = None,
    ) -> RequestFacts:
        """The request's facts with the ids; the arguments are what the page's script says. `event_time` in Unix
        seconds, None for now."""
        facts, url = self._facts, url or self._facts.url
        if gpc or facts.gpc or consent == "denied" or (self._needs_consent and consent != "granted"):
            return facts
        fbp, fbc = readable_fbp(fbp), readable(fbc)
        self._renew(fbp, fbc)
        if not fbp and not readable_fbp(facts.fbp):
            new = new_fbp(self._now, self._number, subdomain_index=self._site.index)
            facts = msgspec.structs.replace(facts, fbp=self._minted.setdefault("_fbp", new))
        if not fbc:
            known = self._minted.get("_fbc") or facts.fbc
            seen = self._now if event_time is None else seen_before(event_time, self._now)
            clicked = fbc_from_url(url, seen, known=known, subdomain_index=self._site.index)
            if clicked and clicked != facts.fbc:
                self._minted["_fbc"] = clicked
            facts = msgspec.structs.replace(facts, fbc=clicked, url=url)
        return facts

    def cookies(self) -> tuple[str, ...]:
        """What was made or renewed here, as values of `Set-Cookie`."""
        domain, is_secure = self._site.domain, self._is_secure
        kept = self._renewed | self._minted
        return tuple(cookie_line(*one, domain=domain, is_secure=is_secure) for one in kept.items())

    def _renew(self, fbp: str | None, fbc: str | None) -> None:
        """The arguments are what the page's script says."""
        facts = self._facts
        if self._renews and facts.fbp and quick_fbp(facts.fbp) and fbp in (None, "", facts.fbp):
            self._renewed["_fbp"] = facts.fbp
        if self._renews and facts.fbc and quick_fbc(facts.fbc) and fbc in (None, "", facts.fbc):
            self._renewed["_fbc"] = facts.fbc


def shared_site(host: str, origin: str, registrable: Callable[[str], str | None]) -> CookieSite | None:
    """The site that a door and the page share; None where they share none. `host`: the door's Host header.
    `registrable`: the registrable domain of a host name (`shop.co.uk` of `www.shop.co.uk`), None where it has none.

    >>> last_two = lambda host: ".".join(host.split(".")[-2:]) if "." in host else None
    >>> shared_site("relay.shop.example", "https://www.shop.example", last_two)
    CookieSite(domain='shop.example', index=1)
    >>> shared_site("localhost:8000", "http://localhost:8000", last_two)
    CookieSite(domain=None, index=0)
    >>> shared_site("relay.example", "https://shop.example", last_two) is None
    True
    """
    here, page = _hostname(f"//{host}"), _hostname(origin)
    if not here or not page:
        return None
    shared = None if _is_address(here) else registrable(here)
    if shared is None:
        return CookieSite(None, 0) if here == page else None
    same = not _is_address(page) and registrable(page) == shared
    return CookieSite(shared, shared.count(".")) if same else None


def _hostname(url: str) -> str | None:
    if len(url) > LONGEST_ORIGIN:
        return None
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
