"""Payment notices by what became of them, and events that the door refused, in words: a provider that is answered 200
shows no trace of why it counted nothing, and a page that is refused tells nobody. Pure.

Counted since this server began, as nothing is kept of what is not accepted.
"""

from collections.abc import Mapping

import msgspec

from conversion_relay.telemetry import CounterKey

COUNTED = ("accepted", "duplicate", "paid")
WORDS = {
    "accepted": "counted",
    "duplicate": "known already",
    "paid": "counted",
    "withheld": "the visitor declined",
    "pending": "the money has not come yet",
    "unpaid": "the money has not come yet",
    "processing": "the money has not come yet",
    "not_paid": "the money has not come yet",
    "authorized": "reserved, not taken yet",
    "not_captured": "reserved, not taken yet",
    "failed": "the payment failed",
    "setup": "only a way to pay was stored",
    "other_type": "about something else than a payment",
    "no_type": "about something else than a payment",
    "other_kind": "another notice counts this payment (STRIPE_PAYMENTS)",
    "unknown_currency": "an amount that cannot be read for sure",
    "unit_unknown": "an amount that cannot be read for sure",
    "not_an_amount": "an amount that cannot be read for sure",
    "event_time_too_old": "older than the 7 days that Meta takes",
    "ping": "the provider tried the address",
    "odd_shape": "not as the provider documents it",
    "told_by_order": "another notice tells of this order",
    "told_by_invoice": "which invoice a payment paid; the invoice is counted",
    "free": "it cost nothing (RELAY_FREE_ORDERS)",
    "test_payment": "the provider's test mode (RELAY_TEST_PAYMENTS)",
    "renewals_ignored": "a renewal (RELAY_RENEWALS)",
    "refunds_ignored": "a refund (RELAY_REFUNDS)",
    "refund_not_done": "a refund that is not done",
    "payment_unknown": "a refund of a payment that is not known here",
    "not_ours": "another product's payment",
    "needs_api_key": "the provider must be asked back, and there is no API key",
    "gone": "the provider does not have it any more",
    "provider_silent": "the provider did not answer",
    "not_durable": "nothing could be stored; it comes again",
    "unknown_provider": "no provider of this name",
    "not_configured": "refused: no secret is set for it",
    "signature_missing": "refused: not signed",
    "signature_malformed": "refused: not signed as the provider signs",
    "signature_wrong": "refused: signed with another secret",
    "signature_too_old": "refused: signed too long ago, by one of the clocks",
}


class Notices(msgspec.Struct, frozen=True):
    """Of one provider with one outcome."""

    provider: str
    status: str
    reason: str
    n: int

    @property
    def state(self) -> str:
        """The word for the colour."""
        if self.reason in COUNTED:
            return "delivered"
        return "held" if self.status.startswith("2") else "dead"

    @property
    def words(self) -> str:
        told = WORDS.get(self.reason)
        return told or ("refused" if not self.status.startswith("2") else "not counted")


def notices(counted: Mapping[CounterKey, float]) -> list[Notices]:
    """The many first, what counted before what did not.

    >>> from conversion_relay.telemetry import Counters
    >>> seen = Counters()
    >>> seen.add("relay_webhooks_total", 3, provider="stripe", code="200", reason="unpaid")
    >>> seen.add("relay_webhooks_total", provider="stripe", code="200", reason="accepted")
    >>> [(one.provider, one.words, one.n) for one in notices(seen.read())]
    [('stripe', 'counted', 1), ('stripe', 'the money has not come yet', 3)]
    """
    found = []
    for (name, labels), n in counted.items():
        if name == "relay_webhooks_total":
            told = dict(labels)
            found.append(Notices(told.get("provider", ""), told.get("code", ""), told.get("reason", ""), int(n)))
    return sorted(found, key=lambda one: (one.provider, one.reason not in COUNTED, -one.n, one.reason))


DOOR = {
    "consent_denied": "the visitor declined",
    "consent_missing": "nothing was said of consent (RELAY_CONSENT)",
    "origin_not_allowed": "the page's origin is not listed (RELAY_ALLOWED_ORIGINS)",
    "needs_api_key": "a page may not send this event (RELAY_PUBLIC_EVENTS)",
    "value_too_high": "more money than a page may report (RELAY_MAX_VALUE)",
    "unauthorized": "no API key, or another one",
    "event_time_too_old": "older than the 7 days that Meta takes",
    "missing_field": "a field is missing that Meta asks for",
    "too_many": "too many from one address (RELAY_TRUSTED_PROXIES)",
    "not_durable": "nothing could be stored; it is to be sent again",
}


def refused_at_the_door(counted: Mapping[CounterKey, float]) -> list[tuple[str, str, int]]:
    """(reason, in words, how many), the many first.

    >>> from conversion_relay.telemetry import Counters
    >>> seen = Counters()
    >>> seen.add("relay_events_rejected_total", 20, reason="consent_missing")
    >>> refused_at_the_door(seen.read())
    [('consent_missing', 'nothing was said of consent (RELAY_CONSENT)', 20)]
    """
    reasons = {
        dict(labels).get("reason", ""): int(n)
        for (name, labels), n in counted.items()
        if name == "relay_events_rejected_total"
    }
    return [(one, DOOR.get(one, "refused"), n) for one, n in sorted(reasons.items(), key=lambda found: -found[1])]
