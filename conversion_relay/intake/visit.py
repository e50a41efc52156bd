"""A visit, remembered under the id of an order: the webhook that reports the payment knows neither browser nor click.

What is kept names no person: address, user agent, Meta's two browser ids, and the page without what its query may tell.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from conversion_relay.event_id import holds_email
from conversion_relay.intake import consent
from conversion_relay.intake.accept import Policy
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.scrub import scrub_url
from conversion_relay.meta import click_id
from conversion_relay.meta.customer_information.hashing import Dropped
from conversion_relay.meta.customer_information.identifier import normalize_fbc, normalize_fbp
from conversion_relay.meta.customer_information.network import normalize_client_ip_address, normalize_user_agent

LONGEST_KEY = 256


class Visit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the outbox keeps for seven days. `consent` and `gpc` are what the visitor said, for the event to come."""

    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None
    url: str | None = None
    consent: Literal["granted"] | None = None
    gpc: bool = False

    def filled_from(self, later: "Visit") -> "Visit":
        """With what a later call knows. The same browser may have come by a newer click, which counts; of another one
        only what was missing is taken, so that a stranger who learns an order's id overwrites nothing.

        >>> visit = Visit(fbp="fb.1.1.1").filled_from(Visit(fbp="fb.1.2.2", url="https://shop.example/"))
        >>> visit.fbp, visit.url
        ('fb.1.1.1', 'https://shop.example/')
        >>> Visit(fbp="fb.1.1.1", fbc="fb.1.1.A").filled_from(Visit(fbp="fb.1.1.1", fbc="fb.1.2.B")).fbc
        'fb.1.2.B'
        """
        first, then = (later, self) if self.fbp and self.fbp == later.fbp else (self, later)
        return Visit(**{name: getattr(first, name) or getattr(then, name) for name in self.__struct_fields__})

    def facts(self) -> RequestFacts:
        """As a door would know them if the visitor had sent the event."""
        return RequestFacts(
            client_ip_address=self.client_ip_address,
            client_user_agent=self.client_user_agent,
            fbp=self.fbp,
            fbc=self.fbc,
            url=self.url,
            consent=self.consent,
            gpc=self.gpc,
        )


def visit_of(
    facts: RequestFacts, said: Literal["granted", "denied"] | None, policy: Policy, now: float
) -> Visit | None:
    """What may be remembered of a visitor; None where nothing may."""
    decision = consent.decision(said, gpc=facts.gpc, policy=policy.gpc, silence=policy.silence)
    if said == "denied" or decision is consent.Decision.WITHHOLD:
        return None
    return Visit(
        client_ip_address=_sound(facts.client_ip_address, normalize_client_ip_address),
        client_user_agent=_sound(facts.client_user_agent, normalize_user_agent),
        fbp=_sound(facts.fbp, normalize_fbp),
        # Now, since the third segment says when the click was first seen.
        fbc=_sound(click_id.fbc_from_url(facts.url, now, known=facts.fbc), normalize_fbc),
        url=scrub_url(facts.url),
        consent=said,
        gpc=facts.gpc,
    )


def _sound(text: str | None, normalize: Callable[[str], str | Dropped]) -> str | None:
    """What Meta would take; anything else could be somebody's address, and would be dropped later anyway."""
    normal = normalize(text) if text and not holds_email(text) else None
    return normal if isinstance(normal, str) else None


def keys_of(order_id: object, event_id: str | None) -> list[str]:
    """Under what a visit for this event may be remembered: the order, and what the event id names after its kind.

    >>> keys_of(1001, "purchase_abc_1"), keys_of(None, "018a07a9-baa4"), keys_of("abc", "purchase_abc")
    (['1001', 'abc_1'], [], ['abc'])
    """
    keys = [str(order_id)] if isinstance(order_id, str | int) and order_id else []
    keys.append(event_id.partition("_")[2] if event_id else "")
    return [key for key in dict.fromkeys(keys) if key and len(key) <= LONGEST_KEY]
