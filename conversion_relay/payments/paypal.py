"""PayPal: https://developer.paypal.com/api/rest/webhooks/rest/

Signed is `transmission id|time|webhook id|crc32 of the body`, with RSA (PKCS#1 v1.5, SHA-256) and a certificate that a
header names. What could go wrong, and the rule against it:
- The header names somebody else's certificate. It must lie at PayPal's own host, by https, under its path for them; its
  chain must end at a root that this system trusts, today, and its name must be PayPal's.
- The notice is genuine and was meant for another shop. Only the webhook id ties it to this one, and that comes from the
  settings (PAYPAL_WEBHOOK_ID; `test:` before the one of a sandbox), never from the request.
- The time is signed, and notices come again for three days; whether with a new time is not documented. So what is up to
  four days old is taken, and what is counted twice is kept out by the payment's id.

Counted is a capture, and of subscriptions a sale. An order that is only approved is no money. PayPal's notices do not
name the buyer: give `custom_id` the order's id, and remember the visit under it (`POST /visitors`).
"""

import base64
import binascii
import datetime
import re
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conversion_relay.errors import SignatureError
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.notice import Ignored, Mode, Notice, Payment, Pending, Refund, Renewal
from conversion_relay.payments.options import NO_OPTIONS, Options
from conversion_relay.payments.reading import (
    at,
    context_of,
    document_of,
    in_major_units,
    key,
    members,
    seconds,
    text,
)
from conversion_relay.payments.signature import malformed, missing, mode_of, wrong

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SIGNATURE, SETTING = "paypal-transmission-sig", "PAYPAL_WEBHOOK_ID"
HEADERS = (SIGNATURE, "paypal-transmission-id", "paypal-transmission-time", "paypal-cert-url", "paypal-auth-algo")
ORDER_KEY = ("custom_id", "invoice_id", "custom", "invoice_number")
HOSTS: Mapping[Mode, tuple[str, ...]] = {
    "live": ("api.paypal.com", "api-m.paypal.com"),
    "test": ("api.sandbox.paypal.com", "api-m.sandbox.paypal.com"),
}
OLDEST_SECONDS, NEWEST_SECONDS = 4 * 86_400, 300
LONGEST_CHAIN = 5


def certificate_url(headers: Mapping[str, str], secrets: Sequence[str]) -> str:
    """Where the certificate is; raises SignatureError for what cannot be PayPal's, before anything is fetched."""
    for name in HEADERS:
        if not headers.get(name):
            raise missing(name)
    if headers["paypal-auth-algo"].upper() != "SHA256WITHRSA":
        raise malformed("paypal-auth-algo", "SHA256withRSA")
    url = headers["paypal-cert-url"]
    if not re.fullmatch(r"https://[a-z.-]{1,60}/v1/notifications/certs/[A-Za-z0-9_-]{1,100}", url, re.ASCII):
        raise malformed("paypal-cert-url", "an address of PayPal's certificates")
    if not any(urlsplit(url).hostname in HOSTS[mode] for mode, _ in map(mode_of, secrets)):
        raise malformed("paypal-cert-url", "a host of the environment that PAYPAL_WEBHOOK_ID is of")
    return url


def verify(
    raw: bytes,
    headers: Mapping[str, str],
    secrets: Sequence[str],
    now: float,
    *,
    certificates: bytes = b"",
    roots: Sequence[bytes] = (),
) -> Mode:
    """`secrets`: webhook ids. `certificates`: PEM from `certificate_url`. `roots`: DER of what this system trusts."""
    host = urlsplit(certificate_url(headers, secrets)).hostname
    moment = seconds({"t": headers["paypal-transmission-time"]}, "t")
    if moment is None:
        raise malformed("paypal-transmission-time", "a time in ISO 8601")
    signer = _trusted(certificates, tuple(roots), int(now) // 600 * 600)
    try:
        signature = base64.b64decode(headers[SIGNATURE], validate=True)
    except (binascii.Error, ValueError):
        raise malformed(SIGNATURE, "base64") from None
    if base64.b64encode(signature).decode() != headers[SIGNATURE]:
        raise malformed(SIGNATURE, "base64")  # unused bits at its end: some other text for the same bytes
    before = f"{headers['paypal-transmission-id']}|{headers['paypal-transmission-time']}"
    for mode, webhook_id in map(mode_of, secrets):
        signed = f"{before}|{webhook_id}|{zlib.crc32(raw)}".encode("utf-8", "replace")
        if host in HOSTS[mode] and _fits(signer, signature, signed):
            if not -NEWEST_SECONDS <= now - moment <= OLDEST_SECONDS:
                raise SignatureError("signature_too_old", "paypal-transmission-time", "signed more than four days ago")
            return mode
    raise wrong(SIGNATURE, SETTING)


@lru_cache(maxsize=8)
def _trusted(pem: bytes, roots: tuple[bytes, ...], now: int) -> "Certificate":
    """The first certificate, once its chain ends at a root and its name is PayPal's. Remembered for ten minutes: to
    read the roots of a system takes longer than all the rest."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        chain = x509.load_pem_x509_certificates(pem)[:LONGEST_CHAIN]
        known = [x509.load_der_x509_certificate(root) for root in roots]
        today = datetime.datetime.fromtimestamp(now, datetime.UTC)
        leaf = chain[0]
        names = [str(name.value) for name in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        if not any(name == "paypal.com" or name.endswith(".paypal.com") for name in names):
            raise _untrusted()
        one = leaf
        for _ in range(LONGEST_CHAIN):
            if not one.not_valid_before_utc <= today <= one.not_valid_after_utc:
                raise _untrusted()
            if _issuer(one, known) is not None:
                return leaf
            above = _issuer(one, chain)
            if above is None:
                raise _untrusted()
            one = above
    except (ValueError, TypeError, IndexError, InvalidSignature, x509.ExtensionNotFound):
        raise _untrusted() from None
    raise _untrusted()


def _issuer(one: "Certificate", among: "Sequence[Certificate]") -> "Certificate | None":
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    for other in among:
        if other.subject != one.issuer or other == one:
            continue
        try:
            one.verify_directly_issued_by(other)
            if other.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
                return other
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
    return None


def _fits(signer: "Certificate", signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256

    public = signer.public_key()
    if not isinstance(public, RSAPublicKey):
        return False
    try:
        public.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _untrusted() -> SignatureError:
    return SignatureError("certificate_untrusted", "paypal-cert-url", "its certificate is not one of PayPal's")


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    event = document_of(raw)
    what, thing = text(event, "event_type") or "", event.get("resource")
    if not isinstance(thing, dict):
        return Ignored("other_type" if what else "no_type", what)
    if what in ("PAYMENT.CAPTURE.COMPLETED", "PAYMENT.SALE.COMPLETED"):
        return _payment(event, thing, what, options)
    if what in (
        "PAYMENT.CAPTURE.REFUNDED",
        "PAYMENT.SALE.REFUNDED",
        "PAYMENT.CAPTURE.REVERSED",
        "PAYMENT.SALE.REVERSED",
    ):
        return _refund(thing, what)
    if what in ("PAYMENT.CAPTURE.PENDING", "PAYMENT.SALE.PENDING", "CHECKOUT.ORDER.APPROVED"):
        return Pending("pending", what)
    is_failure = what.endswith((".DENIED", ".DECLINED", ".FAILED")) or what == "CHECKOUT.PAYMENT-APPROVAL.REVERSED"
    return Ignored("failed" if is_failure else "other_type", what)


def _payment(event: dict[str, Any], thing: dict[str, Any], what: str, options: Options) -> Notice:
    """A subscription's sales are not numbered: its first is told apart by nothing, so each is a renewal of its own."""
    name, subscription = text(thing, "id"), text(thing, "billing_agreement_id")
    if not name:
        return Ignored("odd_shape", what)
    order = text(thing, "supplementary_data.related_ids.order_id", "parent_payment")
    own = key(thing, *(options.order_key or ORDER_KEY))
    kind = Renewal if subscription else Payment
    return kind(
        provider="paypal",
        webhook_id=text(event, "id") or "",
        payment_id=name,
        order_key=name if subscription else own or name,
        of_order=own if subscription else None,
        money=_money(thing),
        # A capture that was pending (a bank's cheque, a review) was made days before the money came.
        paid_at=seconds(thing, "update_time", "create_time") or seconds(event, "create_time"),
        also=tuple(one for one in (order, subscription) if one),
        subscription=subscription,
        context=context_of(thing.get("custom_id"), thing.get("custom")),
    )


def _money(thing: dict[str, Any], *, is_back: bool = False) -> Any:
    value = at(thing, "amount.value") or at(thing, "amount.total")
    if is_back and isinstance(value, str):
        value = value.removeprefix("-")  # a sale's refund says "-0.01", a capture's "0.01"
    return in_major_units(value, text(thing, "amount.currency_code", "amount.currency"), CURRENCY_EXPONENTS)


def _refund(thing: dict[str, Any], what: str) -> Notice:
    """The resource is the refund; the capture that it is of stands in a link."""
    links = [text(link, "href") or "" for link in members(thing, "links") if link.get("rel") == "up"]
    above = next((href.rstrip("/").rpartition("/")[2] for href in links if href), None)
    payment = text(thing, "supplementary_data.related_ids.capture_id", "capture_id", "sale_id") or above
    name, is_reversed = text(thing, "id"), what.endswith(".REVERSED")
    if is_reversed:
        payment = payment or name
    if not name or not payment:
        return Ignored("odd_shape", what)
    return Refund(
        provider="paypal",
        refund_id=name,
        payments=(payment,),
        money=_money(thing, is_back=True),
        at=None if is_reversed else seconds(thing, "create_time"),  # the capture's own, perhaps of weeks ago
        kind="chargeback" if is_reversed else "refund",
    )
