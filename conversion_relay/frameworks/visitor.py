"""The visitor behind a request: what every framework's door hands to the program.

What could go wrong: the address is the proxy's, the consent banner's cookie is not looked at, or an event of one
request gets the facts of another. So the facts are read from the request that the program holds, by the Relay's own
settings (RELAY_TRUSTED_PROXIES), and no context variable or thread local stands in between.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from conversion_relay.errors import leaves_no_variables
from conversion_relay.event import Event
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.relay import Relay, Tracked


class ConsentCookie(msgspec.Struct, frozen=True):
    """The cookie in which a consent banner keeps the visitor's answer about marketing. Any other value is no answer.
    `granted`, `denied`: the banner's words, in any case.

    >>> ConsentCookie("marketing").read("a=b; marketing=granted"), ConsentCookie("marketing").read("marketing=later")
    ('granted', None)
    >>> ConsentCookie("cc", granted=("All",), denied=("None",)).read("cc=None")
    'denied'
    """

    name: str
    granted: Collection[str] = ("granted", "yes", "true", "1", "accepted", "allow")
    denied: Collection[str] = ("denied", "no", "false", "0", "declined", "deny")

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise TypeError('ConsentCookie takes the name of a cookie: ConsentCookie("marketing")')

    def read(self, cookies: str) -> Literal["granted", "denied"] | None:
        """`cookies`: the Cookie header. Of two with one name the first counts, and a "no" in any of them."""
        pairs = [pair.partition("=") for pair in cookies.split(";")]
        said = [value.strip().strip('"').lower() for name, _, value in pairs if name.strip() == self.name]
        if not _words(self.denied).isdisjoint(said):
            return "denied"
        return "granted" if said and said[0] in _words(self.granted) else None


def _words(given: Collection[str]) -> set[str]:
    """In lower case, as the value of the cookie is read. A text is one word and not its letters: `("none")` is one."""
    return {str(word).strip().lower() for word in ((given,) if isinstance(given, str) else given)}


def cookie_of(consent: ConsentCookie | str | None) -> ConsentCookie | None:
    """What a program gives as `consent`: the cookie, or its name. Raises TypeError for anything else."""
    if not isinstance(consent, ConsentCookie | str | None):
        raise TypeError(f"consent is a ConsentCookie or the cookie's name, not {type(consent).__name__}")
    return ConsentCookie(consent) if isinstance(consent, str) else consent


class Visitor:
    """Who asks, and the Relay that is told what they did."""

    def __init__(self, relay: Relay, facts: RequestFacts) -> None:
        self.relay, self.facts = relay, facts

    def track(self, event: Event) -> Tracked:
        """`Relay.track` with this visitor's facts: durable when it returns."""
        return self.relay.track(event, self.facts)

    async def track_async(self, event: Event) -> Tracked:
        """`Relay.track_async` with this visitor's facts."""
        return await self.relay.track_async(event, self.facts)

    def remember(self, key: str | int | UUID) -> bool:
        """`Relay.remember` this visit under an order's id, for the payment webhook that comes later."""
        return self.relay.remember(key, self.facts)


@leaves_no_variables
def visitor_of_scope(relay: Relay, scope: Mapping[str, Any], consent: ConsentCookie | None) -> Visitor:
    """From an ASGI scope."""
    settings = relay.settings
    facts = RequestFacts.from_asgi(scope, settings.trusted_proxies, viewer_header=settings.viewer_header)
    cookies = [value.decode("latin-1") for name, value in scope.get("headers") or () if name.lower() == b"cookie"]
    return Visitor(relay, _with_consent(facts, "; ".join(cookies), consent))


@leaves_no_variables
def visitor_of_environ(relay: Relay, environ: Mapping[str, Any], consent: ConsentCookie | None) -> Visitor:
    """From a WSGI environment."""
    settings = relay.settings
    facts = RequestFacts.from_wsgi(environ, settings.trusted_proxies, viewer_header=settings.viewer_header)
    return Visitor(relay, _with_consent(facts, str(environ.get("HTTP_COOKIE") or ""), consent))


def _with_consent(facts: RequestFacts, cookies: str, consent: ConsentCookie | None) -> RequestFacts:
    return msgspec.structs.replace(facts, consent=consent.read(cookies)) if consent else facts
