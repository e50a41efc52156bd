"""Digistore24's IPN, the generic connection: https://dev.digistore24.com/hc/en-us/articles/32480217565969

A form. Its signature is in the form itself: `sha_sign`, the SHA-512 in hex over every other field that is not empty,
sorted by name, each as `name=value` and the passphrase behind it.
https://www.digistore24.com/download/ipn/examples/ipn/sha_sign.php

What could go wrong, and the rule against it:
- Names are signed as they are sent or, by a switch of that script, in capitals; vendors cannot see which. Both are
  taken, as Digistore24 advises. In capitals a name could be written another way on its way here, and a test's mark be
  overlooked: so names are read in small letters.
- `a=b=c` is the name `a` or the name `a=b`, under one signature. A name with `=` is none of theirs and is refused.
- One order has several notices: each position of it (an upsell) and each instalment is a transaction of its own. The
  payment's id is the transaction's, and the order's is what they have in common.
- The notice's currency may be one that the vendor chose for all amounts, beside the buyer's. Where the two differ, the
  gross amount and `currency` are what Digistore24's page names together; where not, the transaction's own amount.
- Times have no zone. Read as UTC they may lie ahead by an hour or two; what is still to come is of the moment at which
  it was first told.

Not established, since no page and no published notice shows it: whether a refund's amount has a minus, and whether
its `parent_transaction_id` is the payment's `transaction_id`. Each way is read.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from conversion_relay.errors import SignatureError
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.form import pairs_of
from conversion_relay.payments.notice import (
    Customer,
    Ignored,
    Line,
    Mode,
    Money,
    Notice,
    Payment,
    Pending,
    Refund,
    Renewal,
)
from conversion_relay.payments.options import NO_OPTIONS, Options
from conversion_relay.payments.reading import context_of, in_major_units, key, seconds, text, whole
from conversion_relay.payments.signature import malformed, mode_among, mode_of, wrong

SIGN, SETTING = "sha_sign", "DIGISTORE24_WEBHOOK_SECRET"
ORDER_KEY = ("custom", "order_id")
# The second is the first payment of a subscription: https://github.com/digistore24/ds24-skills
_PAID = ("on_payment", "on_payment_subscription_signup")
_BACK = ("on_refund", "on_chargeback")


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    fields = dict(pairs_of(raw))
    names = [name for name in fields if name.lower() in (b"sha_sign", b"shasign")]
    given = [fields.pop(name).upper() for name in names]
    if not any(given):
        raise SignatureError("signature_missing", SIGN, "sha_sign is missing; give the IPN connection a passphrase")
    if any(b"=" in name for name in fields):
        raise malformed(SIGN, "fields without = in their names")
    signed = sorted((name, value) for name, value in fields.items() if value)
    in_capitals = sorted((name.upper(), value) for name, value in signed)
    modes = set[Mode]()
    for secret in secrets:
        mode, passphrase = mode_of(secret)
        made = [sha_sign(pairs, passphrase.encode()) for pairs in (signed, in_capitals)] if passphrase else []
        if any(hmac.compare_digest(one, sign) for one in made for sign in given):
            modes.add(mode)
    if (found := mode_among(modes)) is None:
        raise wrong(SIGN, SETTING)
    return found


def sha_sign(pairs: Sequence[tuple[bytes, bytes]], passphrase: bytes) -> bytes:
    """`pairs`: names and values, sorted and without those that are empty."""
    written = b"".join(b"%b=%b%b" % (name, value, passphrase) for name, value in pairs)
    return hashlib.sha512(written).hexdigest().upper().encode()


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    # Nobody signs what is empty, so it must not stand in another field's way.
    pairs = [(name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in pairs_of(raw)]
    event = {name.lower(): value for name, value in pairs if value}
    what = text(event, "event") or ""
    # Their own script takes every mode but "live" for a test.
    is_test = (text(event, "api_mode") or "live") != "live" or text(event, "pay_method") == "test"
    mode: Mode = "test" if is_test else "live"
    if what == "on_payment_missed":
        return Pending("unpaid", what)
    if what not in (*_PAID, *_BACK):
        why = {"connection_test": "ping", "payment_denial": "failed"}.get(what, "other_type")
        return Ignored(why if what else "no_type", what)
    name, order = text(event, "transaction_id"), text(event, "order_id")
    if not name or not order:
        return Ignored("odd_shape", what)
    own = key(event, *(options.order_key or ORDER_KEY)) or order
    position = text(event, "order_item_id")
    if what in _BACK:
        parent = text(event, "parent_transaction_id")
        return Refund(
            provider="digistore24",
            refund_id=name,
            payments=tuple(one for one in (parent, position) if one) or (order,),
            order_key=own,
            money=_money(event, is_back=True),
            at=None if what == "on_chargeback" else _moment(event),
            kind="chargeback" if what == "on_chargeback" else "refund",
            mode=mode,
        )
    # 1 is the first payment of a subscription or of instalments, 0 the only one of an order.
    is_renewal = (whole(event, "pay_sequence_no") or 0) > 1
    kind = Renewal if is_renewal else Payment
    return kind(
        provider="digistore24",
        webhook_id="",
        payment_id=name,
        order_key=name if is_renewal else own,
        of_order=own if is_renewal else None,
        money=_money(event),
        paid_at=_moment(event),
        also=(position,) if position and not is_renewal else (),
        subscription=(position or order) if text(event, "billing_type") == "subscription" else None,
        customer=_customer(event),
        lines=_lines(event),
        context=context_of(event.get("custom")),
        mode=mode,
    )


def _money(event: dict[str, Any], *, is_back: bool = False) -> Money:
    currency, paid_in = text(event, "currency"), text(event, "transaction_currency")
    amount = text(event, "transaction_amount")
    if not amount or not paid_in or (currency and currency != paid_in):
        amount, paid_in = text(event, "amount_brutto"), currency
    return in_major_units(amount.removeprefix("-") if amount and is_back else amount, paid_in, CURRENCY_EXPONENTS)


def _moment(event: dict[str, Any]) -> int | None:
    written = " ".join(text(event, name) or "" for name in ("transaction_date", "transaction_time")).strip()
    return seconds({"at": written}, "at")


def _customer(event: dict[str, Any]) -> Customer:
    def first(name: str) -> str | None:
        return text(event, f"address_{name}", f"buyer_{name}", f"buyer_address_{name}", f"billing_{name}")

    return Customer(
        email=text(event, "email", "buyer_email", "address_email"),
        phone=first("phone_no") or first("mobile_no"),
        first_name=first("first_name"),
        last_name=first("last_name"),
        city=first("city"),
        state=first("state"),
        zip=first("zipcode"),
        country=first("country"),
        external_id=text(event, "buyer_id"),
    )


def _lines(event: dict[str, Any]) -> tuple[Line, ...]:
    product = key(event, "product_id")
    if not product:
        return ()
    return (Line(product, max(1, whole(event, "quantity") or 1), None, text(event, "product_name")),)
