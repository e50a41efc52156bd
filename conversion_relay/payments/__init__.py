"""Payment webhooks: whose bytes these are, and what they say. No vendor SDK at run time.

In come the raw bytes of a request, its headers, the shop's secrets and the time. `verify` says whether they are the
provider's, `read` what they mean: a Payment, Renewal, Refund, Trial or Stage (to be counted), Pending (the money has
not come), Ignored (genuine, and nothing to count), Link (which id is about which other), or Ask (the provider must be
asked first). `events.py` makes Meta's event of it. SignatureError: the bytes are not the provider's. InvalidEvent: they
are no JSON at all.

One file per provider holds what only that provider does: how its header is written, what it signs, in which unit it
counts money, which of its many notices is the one that counts. `signature.py` and `reading.py` are what they have in
common. A new provider is a new file with `verify` and `read`, a row in `PROVIDERS`, its samples in
`tests/payments/samples/`, and a section in `docs/payments.md`. `sources.py` reads a sender that is described in TOML.
This room knows no HTTP, no store and no clock.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import msgspec

from conversion_relay.payments.notice import (
    Ask,
    Ignored,
    Link,
    Mode,
    Notice,
    Payment,
    Pending,
    Refund,
    Renewal,
    Stage,
    Trial,
)
from conversion_relay.payments.options import NO_OPTIONS, Options

__all__ = [
    "NO_OPTIONS",
    "PROVIDERS",
    "Ask",
    "Ignored",
    "Link",
    "Notice",
    "Options",
    "Payment",
    "Pending",
    "Provider",
    "Refund",
    "Renewal",
    "Stage",
    "Trial",
    "read",
    "read_answer",
    "verify",
]


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table. The module of the same name is loaded when its first notice comes."""

    title: str
    setting: str
    """The setting that holds what vouches for its notices."""
    url_setting: str = ""
    """The setting of the endpoint's own address, where the signature is over it."""
    key_setting: str = ""
    """The setting of the key with which the provider is asked back."""
    host: str = ""
    """Whom that key is sent to."""
    asks: bool = False
    """Whether it also sends notices that nobody signs, and that only say what to ask for."""
    pings: bool = False
    """Whether it tries the address with an unsigned request before it uses it."""
    certificates: bool = False
    """Whether the signature needs a certificate that a header names."""
    says: str = ""
    """The word that it wants to read in an answer of 200, where it reads no JSON."""


PROVIDERS: Mapping[str, Provider] = {
    "stripe": Provider(
        title="Stripe", setting="STRIPE_WEBHOOK_SECRET", key_setting="STRIPE_API_KEY", host="api.stripe.com"
    ),
    "paddle": Provider(title="Paddle", setting="PADDLE_WEBHOOK_SECRET"),
    "lemonsqueezy": Provider(title="Lemon Squeezy", setting="LEMONSQUEEZY_WEBHOOK_SECRET"),
    "razorpay": Provider(title="Razorpay", setting="RAZORPAY_WEBHOOK_SECRET"),
    "shopify": Provider(title="Shopify", setting="SHOPIFY_WEBHOOK_SECRET"),
    "woocommerce": Provider(title="WooCommerce", setting="WOOCOMMERCE_WEBHOOK_SECRET", pings=True),
    "square": Provider(title="Square", setting="SQUARE_WEBHOOK_SECRET", url_setting="SQUARE_WEBHOOK_URL"),
    "mollie": Provider(
        title="Mollie",
        setting="MOLLIE_WEBHOOK_SECRET",
        key_setting="MOLLIE_API_KEY",
        host="api.mollie.com",
        asks=True,
    ),
    "paypal": Provider(title="PayPal", setting="PAYPAL_WEBHOOK_ID", certificates=True),
    "digistore24": Provider(title="Digistore24", setting="DIGISTORE24_WEBHOOK_SECRET", says="OK"),
    "standard": Provider(title="Standard Webhooks", setting="STANDARD_WEBHOOK_SECRET"),
}
"""By the name that stands in the address, `/webhooks/{name}`."""


def verify(
    provider: str, raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float, **more: Any
) -> Mode:
    """Whether these are the provider's bytes, and of which mode the secret is that vouches for them.

    `raw`: the bytes as they came, since the signature is over them. `headers` with lower-case names. `secrets`: all
    that are valid now, several while they are rotated; one written `test:...` is of the provider's test mode. `now` in
    Unix seconds. Raises SignatureError (answer 400), and ValueError for a provider that is not known here.

    >>> verify("stripe", b"{}", {}, ["whsec_1"], 1795435200.0)
    Traceback (most recent call last):
    conversion_relay.errors.SignatureError: the stripe-signature header is missing
    """
    mode: Mode = module_of(provider).verify(raw, headers, secrets, now, **more)
    return mode


def read(provider: str, raw: bytes, options: Options = NO_OPTIONS, mode: Mode = "live") -> Notice:
    """What a genuine notice says. `mode`: what `verify` returned; a test secret makes a test of every notice.

    Raises InvalidEvent for bytes that are no JSON object.
    """
    notice: Notice = module_of(provider).read(raw, options)
    return msgspec.structs.replace(notice, mode=mode) if mode == "test" else notice


def read_answer(ask: Ask, raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    """What the provider's answer to `ask` says."""
    notice: Notice = module_of(ask.provider).read_answer(ask, raw, options)
    return msgspec.structs.replace(notice, mode="test") if ask.mode == "test" else notice


def module_of(provider: str) -> Any:
    """The file of this provider. Raises ValueError for one that is not known here."""
    if provider not in PROVIDERS:
        raise ValueError(f"provider: expected one of {', '.join(PROVIDERS)}")
    return import_module(f"conversion_relay.payments.{provider}")
