"""A relay whose outbox is a file, with the webhooks in front of it, and notices as their providers sign them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conversion_relay import Relay, Settings
from conversion_relay.http_client import Response
from conversion_relay.telemetry import Counters
from conversion_relay.webhooks import Asking, WebhookAnswer, Webhooks
from tests.payments import stripe_notices
from tests.payments.signing import CERT_URL, SQUARE_URL, paypal_certificates, secret_of, signed, stripe_header

NOW, DATASET, SECRET = stripe_notices.NOW, "1232612085335834", "whsec_canary_secret"
EVERY_PROVIDER = {
    f"{name.upper()}_WEBHOOK_SECRET": secret_of(name)
    for name in ("paddle", "lemonsqueezy", "razorpay", "shopify", "woocommerce", "mollie", "standard", "digistore24")
} | {
    "SQUARE_WEBHOOK_SECRET": "topsecret",
    "SQUARE_WEBHOOK_URL": SQUARE_URL,
    "PAYPAL_WEBHOOK_ID": secret_of("paypal"),
    "STRIPE_WEBHOOK_SECRET": f"{SECRET},{secret_of('stripe')}",
}


class Shop:
    """`now` is held still; `fetch` stands for the providers' own servers."""

    def __init__(self, relay: Relay, fetch: Callable | None) -> None:
        self.relay, self.counters, self.now = relay, Counters(), float(NOW)
        asking = Asking(fetch or certificates, [paypal_certificates()[2]])
        self.webhooks = Webhooks(relay, self.counters, asking=asking, clock=lambda: self.now)

    def stripe(self, kind: str, thing: dict, *, secret: str = SECRET, **more) -> WebhookAnswer:
        raw = json.dumps(stripe_notices.event(kind, thing, **more)).encode()
        return self.signed(raw, secret)

    def signed(self, raw: bytes, secret: str = SECRET) -> WebhookAnswer:
        return self.webhooks.answer("stripe", raw, {"stripe-signature": stripe_header(raw, secret, int(self.now))})

    def told(self, provider: str, notice: object, secret: str = "") -> WebhookAnswer:
        return self.webhooks.answer(provider, *signed(provider, notice, int(self.now), secret))

    def events(self) -> dict[str, dict]:
        """Everything that waits for Meta, by its id."""
        outbox = self.relay.outbox
        lease = outbox.claim(DATASET, 1000, 60, self.now)
        if lease is None:
            return {}
        outbox.release(lease)
        return {event.event_id: json.loads(event.body) for event in lease.events}

    def reasons(self) -> dict[str, float]:
        found = self.counters.read().items()
        return {dict(labels)["reason"]: n for (name, labels), n in found if name == "relay_webhooks_total"}


def certificates(url: str, headers: dict[str, str], deadline: float) -> Response:
    assert url == CERT_URL
    return Response(200, {}, paypal_certificates()[1])


@contextmanager
def open_shop(folder: Path, fetch: Callable | None = None, **settings: str) -> Iterator[Shop]:
    environ = {
        "META_PIXEL_ID": DATASET,
        "META_ACCESS_TOKEN": "EAAcanary",
        "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db",
        "RELAY_BALLAST": "false",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        **settings,
    }
    shop: list[Shop] = []
    with Relay(Settings.from_env(environ), clock=lambda: shop[0].now) as relay:
        shop.append(Shop(relay, fetch))
        yield shop[0]


@contextmanager
def open_shop_of(folder: Path, tables: str, **settings: str) -> Iterator[Shop]:
    """With senders of its own, as these tables describe them."""
    (folder / "relay.toml").write_text(tables)
    with open_shop(folder, RELAY_CONFIG=str(folder / "relay.toml"), RELAY_REFUNDS="event", **settings) as shop:
        yield shop
