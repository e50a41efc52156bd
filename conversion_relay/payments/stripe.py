"""Stripe: https://docs.stripe.com/webhooks#verify-manually and https://docs.stripe.com/currencies

`Stripe-Signature: t=1492774577,v1=5257a8...[,v1=...]`; what is signed is `t + "." + body`, the secret is used as it is.

One payment has many notices. A checkout session that is paid comes with `payment_intent.succeeded`, `charge.succeeded`
and perhaps `invoice.paid`, each with another id, in any order, and none of the others names the shop's order. Whoever
counted two of these kinds would count one payment twice. So a shop says with STRIPE_PAYMENTS which kinds are its own,
and the others are answered and not counted:
- `checkout` (the default): sessions of Checkout and payment links. The first invoice of a subscription is theirs, too.
- `payment_intent`: a site that confirms payments itself (Elements, mobile).
- `invoice`: invoices that no checkout opened: sent by hand, or the first of a subscription made through the API.
- `refund` (the default) or `charge`: `refund.created` and its updates, or `charge.refunded`.
Renewals, trials and lost disputes have one kind of notice each and are always read.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from conversion_relay.payments.notice import Ask, Ignored, Mode, Notice
from conversion_relay.payments.options import NO_OPTIONS, Options
from conversion_relay.payments.reading import at, document_of, seconds, text
from conversion_relay.payments.signature import MOST_SIGNATURES, check_time, malformed, missing, signed_in, wrong
from conversion_relay.payments.stripe_objects import EXPONENTS, StripeEvent

__all__ = ["EXPONENTS", "HEADER", "read", "read_answer", "verify"]
HEADER, SETTING = "stripe-signature", "STRIPE_WEBHOOK_SECRET"
_THIN = (
    "checkout",
    "invoice",
    "invoice_payment",
    "refund",
    "payment_intent",
    "charge",
    "customer.subscription.created",
)
"""Kinds of objects, and one event by its whole name, that a thin event is asked back for."""


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    """`headers` with lower-case names; `secrets`: all that are valid now; `now` in Unix seconds. Raises SignatureError
    when the bytes are not Stripe's."""
    header = headers.get(HEADER)
    if not header:
        raise missing(HEADER)
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not re.fullmatch(r"[0-9]{1,12}", times[0], re.ASCII) or not signatures:
        raise malformed(HEADER, "t=<unix seconds>,v1=<hex>")
    mode = signed_in(times[0].encode() + b"." + raw, signatures[:MOST_SIGNATURES], secrets)
    if mode is None:
        raise wrong(HEADER, SETTING)
    check_time(times[0], now, HEADER)
    return mode


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    """What the notice says; `type` before everything else. Raises InvalidEvent for bytes that are no JSON object."""
    return read_event(document_of(raw), options)


def read_event(event: dict[str, Any], options: Options = NO_OPTIONS) -> Notice:
    what = text(event, "type") or ""
    if event.get("object") == "v2.core.event":
        return _thin(event, what)
    mode: Mode = "test" if event.get("livemode") is False else "live"
    thing = at(event, "data.object")
    if not isinstance(thing, dict):
        return Ignored("other_type" if what else "no_type", what)
    return StripeEvent(event, thing, what, mode, options).read()


def read_answer(ask: Ask, raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    """The object that a thin event named, as if a snapshot had brought it."""
    event = {"id": ask.webhook_id, "type": ask.what, "created": ask.at, "livemode": ask.mode == "live"}
    return read_event({**event, "data": {"object": document_of(raw)}}, options)


def _thin(event: dict[str, Any], what: str) -> Notice:
    """https://docs.stripe.com/webhooks#thin-events: the notice names the object, and the API has it."""
    mode: Mode = "test" if event.get("livemode") is False else "live"
    snapshot = what.removeprefix("v1.")
    if snapshot == what or not (snapshot in _THIN or snapshot.partition(".")[0] in _THIN):
        return Ignored("other_type", what)
    path = text(event, "related_object.url") or ""
    if not re.fullmatch(r"/v1(?:/[a-z_]{1,40}){1,2}/[A-Za-z0-9_]{1,255}", path, re.ASCII):
        return Ignored("odd_shape", what)
    moment = seconds(event, "created")
    context = text(event, "context") or ""
    if not re.fullmatch(r"[A-Za-z0-9_/]{0,200}", context, re.ASCII):
        return Ignored("odd_shape", what)
    return Ask(
        provider="stripe",
        path=path,
        what=snapshot,
        webhook_id=text(event, "id") or "",
        at=moment,
        context=context,
        mode=mode,
    )
