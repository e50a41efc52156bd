"""Payment webhooks: whose bytes these are, and what was paid. No vendor SDK at run time.

In come the raw bytes of a request, its headers, the shop's secrets and the time. Out comes a `Payment`, an `Unpaid` (a
genuine checkout whose money has not come) or an `Ignored` (a genuine notice about something else). SignatureError: the
bytes are not the provider's. InvalidEvent: they are, and make no sense.

One file per provider holds what only that provider does: how its header is written, what it signs, in which unit it
counts money. `signature.py` is what they have in common. A new provider is a new file with a `verify` of the same
shape, and its name in `PROVIDERS`. This room knows no HTTP, no store and no event; it reads no clock.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module

from conversion_relay.payments.payment import Ignored, Payment, Unpaid

__all__ = ["PROVIDERS", "Ignored", "Payment", "Unpaid", "verify"]

PROVIDERS = ("stripe",)
"""Each has a module of its name in this room; loaded when its first webhook comes."""


def verify(
    provider: str, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float
) -> Payment | Ignored | Unpaid:
    """What a webhook says. `body`: the bytes as they came, since the signature is over them. `headers` with lower-case
    names. `secrets`: all that are valid now, several while they are rotated. `now` in Unix seconds.

    Raises SignatureError (answer 400; the provider sends the webhook again), InvalidEvent with the field's path, and
    ValueError for a provider that is not known here.

    >>> verify("stripe", b"{}", {}, ["whsec_1"], 1795435200.0)
    Traceback (most recent call last):
    conversion_relay.errors.SignatureError: the Stripe-Signature header is missing
    """
    if provider not in PROVIDERS:
        raise ValueError(f"provider: expected one of {', '.join(PROVIDERS)}")
    notice: Payment | Ignored | Unpaid = import_module(f"conversion_relay.payments.{provider}").verify(
        body, headers, secrets, now
    )
    return notice
