"""Which browser ids the collector makes for a request (RELAY_SET_COOKIES): the clock, the randomness and the table of
public suffixes that `intake/browser.py` takes as arguments."""

import secrets
import time
from functools import cache, lru_cache
from typing import Any

from conversion_relay.collector.door import Admitted
from conversion_relay.intake.browser import BrowserIds, CookieSite, shared_site
from conversion_relay.settings import Settings


def browser_ids(admitted: Admitted, settings: Settings) -> BrowserIds | None:
    """None where no cookie is set: the operator did not ask for it, a backend sent it, or the page is of another
    site."""
    if not settings.set_cookies or admitted.sender != "browser":
        return None
    site = site_of(admitted.host, admitted.facts.origin or "")
    if site is None:
        return None
    number = secrets.randbelow(2**31)
    return BrowserIds(
        admitted.facts,
        site,
        time.time(),
        number,
        is_secure=admitted.is_secure,
        silence=settings.of(admitted.dataset).silence,
        renews=True,
    )


@lru_cache(maxsize=1_000)
def site_of(host: str, origin: str) -> CookieSite | None:
    """The site that this host and the page share; None where they share none.

    >>> site_of("relay.shop.co.uk", "https://www.shop.co.uk")
    CookieSite(domain='shop.co.uk', index=2)
    """
    return shared_site(host, origin, lambda name: _suffixes().privatesuffix(name))


@cache
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
