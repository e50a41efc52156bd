"""Stripe: https://docs.stripe.com/webhooks#verify-manually and https://docs.stripe.com/currencies

`Stripe-Signature: t=1492774577,v1=5257a8...[,v1=...]`; what is signed is `t + "." + body`, the secret is used as it is.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from conversion_relay.errors import InvalidEvent, SignatureError
from conversion_relay.intake.reading import wrong_shape
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.payment import Ignored, Payment, Unpaid
from conversion_relay.payments.signature import TOLERANCE_SECONDS, is_signed

HEADER = "stripe-signature"
COMPLETED = "checkout.session.completed"
PAID_LATER = "checkout.session.async_payment_succeeded"
# Where Stripe's unit differs from ISO 4217's: ISK and UGX are kept at two digits for compatibility, MGA has none.
_STRIPE_EXPONENTS = {
    **CURRENCY_EXPONENTS,
    "ISK": 2,
    "UGX": 2,
    "MGA": 0,
    "IQD": 2,
    "LYD": 2,
    "CLF": 2,
    "UYW": 2,
    "UYI": 2,
}


class _Customer(msgspec.Struct):
    email: str | None = None
    phone: str | None = None
    name: str | None = None


class _Session(msgspec.Struct):
    payment_status: str
    id: str = ""
    amount_total: int | None = None
    currency: str | None = None
    client_reference_id: str | None = None
    customer_details: _Customer | None = None


class _Data(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    type: str
    data: _Data
    id: str = ""
    created: int | None = None
    livemode: bool = True


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Payment | Ignored | Unpaid:
    """`headers` with lower-case names; `secrets`: all that are valid now; `now` in Unix seconds.

    Raises SignatureError when the bytes are not Stripe's, InvalidEvent (with the field's path) when they are and make
    no sense. A session that is not paid is `Unpaid`, an event about something else `Ignored`.
    """
    _check_signature(body, headers.get(HEADER), secrets, now)
    event: _Event = _decode(body, _event_decoder, "")
    if event.type not in (COMPLETED, PAID_LATER):
        return Ignored(event.type)
    session: _Session = _decode(bytes(event.data.object), _session_decoder, "data.object")
    if session.payment_status != "paid":
        return Unpaid(session.payment_status)
    return _payment(event, session, now)


def minor_unit(currency: str) -> int | None:
    """Digits behind the point in Stripe's amounts; None for what is no currency.

    >>> minor_unit("USD"), minor_unit("JPY"), minor_unit("KWD"), minor_unit("XYZ")
    (2, 0, 3, None)
    """
    return _STRIPE_EXPONENTS.get(currency)


def _check_signature(body: bytes, header: str | None, secrets: Sequence[str], now: float) -> None:
    if not header:
        raise SignatureError("signature_missing", HEADER, "the Stripe-Signature header is missing")
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not re.fullmatch(r"[0-9]{1,12}", times[0], re.ASCII) or not signatures:
        raise SignatureError("signature_malformed", HEADER, "expected t=<unix seconds>,v1=<hex>")
    if not is_signed(times[0].encode() + b"." + body, signatures[:16], secrets):
        raise SignatureError(
            "signature_wrong", HEADER, "the signature is not of this body; check STRIPE_WEBHOOK_SECRET"
        )
    if abs(now - int(times[0])) > TOLERANCE_SECONDS:
        raise SignatureError("signature_too_old", HEADER, f"signed more than {TOLERANCE_SECONDS} seconds from now")


def _payment(event: _Event, session: _Session, now: float) -> Payment:
    currency = (session.currency or "").upper()
    digits = minor_unit(currency)
    if digits is None:
        raise InvalidEvent("not_a_currency", "data.object.currency", "expected a currency of ISO 4217")
    amount = session.amount_total
    if amount is None or not 0 <= amount < 10**12:
        raise InvalidEvent(
            "not_an_amount", "data.object.amount_total", "expected an amount in the currency's minor unit"
        )
    customer = session.customer_details or _Customer()
    return Payment(
        provider="stripe",
        webhook_id=event.id,
        payment_id=session.id,
        reference=session.client_reference_id or None,
        amount=Decimal(amount).scaleb(-digits),
        currency=currency,
        paid_at=int(now) if event.created is None else event.created,
        email=customer.email,
        phone=customer.phone,
        name=customer.name,
        livemode=event.livemode,
    )


def _decode(body: bytes, decoder: "msgspec.json.Decoder[Any]", path: str) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        found = wrong_shape(error, path)
        raise InvalidEvent(found.reason, found.field, found.message) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidEvent("unreadable", path or "body", "the body is not valid JSON in UTF-8") from None


_event_decoder, _session_decoder = msgspec.json.Decoder(_Event), msgspec.json.Decoder(_Session)
