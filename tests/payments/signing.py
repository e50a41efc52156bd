"""Signs as providers do, from their pages and not from our code: HMAC itself is written a second time (RFC 2104)."""

import base64
import datetime
import hashlib
import json
import zlib
from functools import cache, lru_cache
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from conversion_relay.payments import PROVIDERS

SQUARE_URL = "https://shop.example/hooks/square?a=1"
WEBHOOK_ID = "8PT597110X687430LKGECATA"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"a key of a standard").decode()
SECRETS = {
    "stripe": "whsec_dGVzdHNlY3JldA==",
    "paddle": "pdl_ntfset_01abc_secret",
    "standard": STANDARD_SECRET,
    "square": f"{SQUARE_URL} topsecret",
    "paypal": WEBHOOK_ID,
}
"""As `verify` takes them; "topsecret" for the others."""
IN_HEADERS = [name for name in PROVIDERS if name != "digistore24"]
"""Who signs in a header; Digistore24 signs in the form that it sends."""


def rfc2104(key: bytes, message: bytes) -> bytes:
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()


def stripe_header(body: bytes, secret: str, at: int) -> str:
    """https://docs.stripe.com/webhooks#verify-manually"""
    return f"t={at},v1={rfc2104(secret.encode(), b'%d.' % at + body).hex()}"


def secret_of(provider: str) -> str:
    return SECRETS.get(provider, "topsecret")


def signed(provider: str, document: object, at: int, secret: str = "") -> tuple[bytes, dict[str, str]]:
    """A notice as the provider sends it: its bytes, and the headers."""
    if provider == "digistore24":
        return form_of(document, secret or secret_of(provider)), {}
    raw = json.dumps(document, ensure_ascii=False, indent=1).encode()
    return raw, headers_of(provider, raw, at, secret)


def form_of(document: dict, passphrase: str, *, in_capitals: bool = False) -> bytes:
    """https://www.digistore24.com/download/ipn/examples/ipn/sha_sign.php"""
    signed = {(name.upper() if in_capitals else name): value for name, value in document.items() if value != ""}
    text = "".join(f"{name}={signed[name]}{passphrase}" for name in sorted(signed))
    return urlencode(document | {"sha_sign": hashlib.sha512(text.encode()).hexdigest().upper()}).encode()


def headers_of(provider: str, body: bytes, at: int, secret: str = "") -> dict[str, str]:
    """What the provider sends with this body at this moment."""
    secret = secret or secret_of(provider)
    plain = secret.encode()
    match provider:
        case "stripe":
            return {"stripe-signature": stripe_header(body, secret, at)}
        case "paddle":
            return {"paddle-signature": f"ts={at};h1={rfc2104(plain, b'%d:' % at + body).hex()}"}
        case "lemonsqueezy":
            return {"x-signature": rfc2104(plain, body).hex()}
        case "razorpay":
            return {"x-razorpay-signature": rfc2104(plain, body).hex()}
        case "mollie":
            return {"x-mollie-signature": f"sha256={rfc2104(plain, body).hex()}"}
        case "shopify":
            return {"x-shopify-hmac-sha256": base64.b64encode(rfc2104(plain, body)).decode()}
        case "woocommerce":
            return {"x-wc-webhook-signature": base64.b64encode(rfc2104(plain, body)).decode()}
        case "square":
            url, _, key = secret.rpartition(" ")
            return {
                "x-square-hmacsha256-signature": base64.b64encode(rfc2104(key.encode(), url.encode() + body)).decode()
            }
        case "standard":
            key = base64.b64decode(secret.removeprefix("whsec_"))
            signature = base64.b64encode(rfc2104(key, f"msg_1.{at}.".encode() + body)).decode()
            return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}
        case "paypal":
            return dict(_paypal(body, at, secret))
    raise KeyError(provider)


CERT_URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"


@lru_cache(maxsize=5_000)
def _paypal(body: bytes, at: int, webhook_id: str) -> dict[str, str]:
    """https://developer.paypal.com/api/rest/webhooks/rest/"""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = f"69cd13f0-d67a|{moment}|{webhook_id}|{zlib.crc32(body)}".encode()
    key, _, _ = paypal_certificates()
    return {
        "paypal-transmission-id": "69cd13f0-d67a",
        "paypal-transmission-time": moment,
        "paypal-transmission-sig": base64.b64encode(key.sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode(),
        "paypal-cert-url": CERT_URL,
        "paypal-auth-algo": "SHA256withRSA",
    }


@cache
def paypal_certificates(name: str = "messageverificationcerts.paypal.com", days: int = 36_500):
    """A key, the chain that lies at the address as PEM, and the root that this system is told to trust as DER. Valid
    for a hundred years: some tests are of the machine's own day."""
    root_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    root = _certificate("A root", root_key, "A root", root_key, is_authority=True, days=days)
    leaf = _certificate(name, key, "A root", root_key, is_authority=False, days=days)
    pem = leaf.public_bytes(serialization.Encoding.PEM)
    return key, pem, root.public_bytes(serialization.Encoding.DER)


def _certificate(name: str, key, issuer: str, issuer_key, *, is_authority: bool, days: int) -> x509.Certificate:
    begin = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    named, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer))
    return (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
