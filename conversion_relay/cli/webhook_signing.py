"""Signs a sample as its provider would, so that an endpoint can be tried without the provider."""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from conversion_relay.errors import SettingsError
from conversion_relay.payments.digistore24 import SIGN, sha_sign
from conversion_relay.payments.form import pairs_of
from conversion_relay.payments.signature import mode_of
from conversion_relay.payments.sources import Source
from conversion_relay.payments.standard import key_of, text_of

FORMS = ("digistore24",)
"""Who sends a form, with the signature in it."""
HEX = {
    "lemonsqueezy": "x-signature",
    "razorpay": "x-razorpay-signature",
    "mollie": "x-mollie-signature",
}
BASE64 = {"shopify": "x-shopify-hmac-sha256", "woocommerce": "x-wc-webhook-signature"}


def signed_headers(provider: str, raw: bytes, secret: str, now: int) -> dict[str, str]:
    """Headers with a signature over these bytes. `secret`: as in the settings. `now` in Unix seconds."""
    text = mode_of(secret)[1]
    if provider in HEX:
        return {HEX[provider]: _digest(text.encode(), raw).hex()}
    if provider in BASE64:
        return {BASE64[provider]: base64.b64encode(_digest(text.encode(), raw)).decode()}
    if provider == "stripe":
        return {"stripe-signature": f"t={now},v1={_digest(text.encode(), b'%d.' % now + raw).hex()}"}
    if provider == "paddle":
        return {"paddle-signature": f"ts={now};h1={_digest(text.encode(), b'%d:' % now + raw).hex()}"}
    if provider == "square":
        url, _, key = text.rpartition(" ")
        digest = _digest(key.encode(), url.encode() + raw)
        return {"x-square-hmacsha256-signature": base64.b64encode(digest).decode()}
    if provider == "standard":
        return _standard(raw, text, now)
    raise SettingsError(f"{provider}: only PayPal holds the key that signs; use the simulator on its developer pages")


def signed_form(raw: bytes, secret: str) -> bytes:
    """Digistore24's: a field for the signature behind the others."""
    sign = SIGN.encode()
    fields = sorted((name, value) for name, value in dict(pairs_of(raw)).items() if value and name != sign)
    return urlencode([*fields, (sign, sha_sign(fields, mode_of(secret)[1].encode()))]).encode()


def of_source(source: Source, raw: bytes, secret: str, now: int) -> dict[str, str]:
    """The same for a sender that the TOML file describes; what belongs into the address stands under its name there."""
    text = mode_of(secret)[1]
    if source.scheme == "standard":
        return _standard(raw, text, now)
    if source.scheme == "secret":  # in the notice or the address itself, where it is not in a header
        return {} if source.secret_place else {source.vouched_in: source.prefix + text}
    signed = b"%d." % now + raw if source.time_header else raw
    digest = hmac.new(text.encode(), signed, source.algorithm).digest()
    written = digest.hex() if source.encoding == "hex" else base64.b64encode(digest).decode()
    times = {source.time_header: str(now)} if source.time_header else {}
    return {source.vouched_in: source.prefix + written, **times}


def _standard(raw: bytes, secret: str, now: int) -> dict[str, str]:
    name = f"msg_{hashlib.sha256(raw).hexdigest()[:24]}"
    digest = _digest(key_of(secret) or text_of(secret) or b"", f"{name}.{now}.".encode() + raw)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": name, "webhook-timestamp": str(now), "webhook-signature": signature}


def _digest(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
