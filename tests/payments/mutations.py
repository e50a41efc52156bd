"""Deliveries of each provider that were changed on their way.

A bit, a byte more or less, another secret, another time, another encoding, a header twice, letters of other scripts,
odd lengths; at PayPal also the certificate's address, the algorithm and the ids.
"""

import base64
import itertools
import random
import string
from collections.abc import Iterator

from tests.payments.signing import CERT_URL, headers_of

NOW, MANY = 1_795_435_200, 5_000
TIMED = {"stripe", "paddle", "standard"}


def bodies(seed: str) -> Iterator[bytes]:
    chance = random.Random(seed)
    pieces = ['{"id":"', "é", "€", "😀", "\\u00e9", "\\/", " ", "\n", "0", "1e5", '"', "}", "\x00", "ß"]
    while True:
        yield "".join(chance.choices(pieces, k=chance.randrange(40))).encode() + chance.randbytes(chance.randrange(4))


def mutations(provider: str) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """What was changed, the body and the headers; without end."""
    chance = random.Random(provider)
    signed = [(body, headers_of(provider, body, NOW)) for body in itertools.islice(bodies(provider), 40)]
    changes = [*CHANGES, *(OF_PAYPAL if provider == "paypal" else [])]
    for change in itertools.cycle(changes):
        body, headers = chance.choice(signed)
        changed = change(chance, provider, body, dict(headers))
        if changed is not None:
            yield change.__name__, *changed


def a_bit(chance, provider, body, headers):
    if not body:
        return b"x", headers
    at = chance.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << chance.randrange(8))]) + body[at + 1 :], headers


def more_or_less(chance, provider, body, headers):
    return chance.choice([body + b" ", b"\xef\xbb\xbf" + body, body[:-1] if body else b"\n", body * 2 or b"0"]), headers


def signature(provider) -> str:
    return {"paypal": "paypal-transmission-sig", "standard": "webhook-signature"}.get(
        provider, next(iter(headers_of(provider, b"", NOW)))
    )


def a_letter(chance, provider, body, headers):
    name = signature(provider)
    value = headers[name]
    at = chance.randrange(len(value))
    letter = chance.choice([c for c in string.ascii_letters + string.digits + "é²١ \t,;=_-+/" if c != value[at]])
    changed = value[:at] + letter + value[at + 1 :]
    if changed.strip() == value.strip() or _is_the_same(provider, changed, value):
        return None
    return body, headers | {name: changed}


def _is_the_same(provider, changed, value) -> bool:
    """A space between two parts of a header, or the name of a part that nobody reads, is none of the signature's."""
    return provider in ("stripe", "paddle") and changed.replace(" ", "").replace("\t", "") == value


def cut(chance, provider, body, headers):
    name = signature(provider)
    return body, headers | {name: headers[name][: chance.randrange(len(headers[name]))]}


def longer(chance, provider, body, headers):
    name = signature(provider)
    return body, headers | {name: headers[name] + chance.choice(["0", "A", "=", "é", "x" * 10_000])}


def twice(chance, provider, body, headers):
    name = signature(provider)
    if provider == "standard":
        return body, headers | {"webhook-id": f"{headers['webhook-id']}, {headers['webhook-id']}"}
    return body, headers | {name: f"{headers[name]}, {headers[name]}"}


def another_secret(chance, provider, body, headers):
    if provider == "square":
        return body, headers_of(provider, body, NOW, "https://shop.example/hooks/square topsecret")
    if provider == "standard":
        return body, headers_of(provider, body, NOW, "whsec_" + base64.b64encode(chance.randbytes(9)).decode())
    return body, headers_of(provider, body, NOW, f"another{chance.randrange(3)}")


def another_time(chance, provider, body, headers):
    late = chance.choice([-301, 301, 86_400, -86_400 * 30, NOW])
    if provider in TIMED:
        return body, headers_of(provider, body, NOW - late)
    if provider == "paypal":
        return body, headers_of(provider, body, NOW + chance.choice([301, -4 * 86_400 - 1]))
    return None


def a_time_in_other_digits(chance, provider, body, headers):
    odd = chance.choice(["١٧٩٥٤٣٥٢٠٠", "1_795_435_200", "²", "9" * 400, "-1", "", " ", "1795435200.0", "0x6b03"])
    match provider:
        case "stripe" | "paddle":
            name = signature(provider)
            return body, headers | {name: headers[name].replace(str(NOW), odd)}
        case "standard":
            return body, headers | {"webhook-timestamp": odd}
        case "paypal":
            return body, headers | {"paypal-transmission-time": odd}
    return None


def another_encoding(chance, provider, body, headers):
    name = signature(provider)
    value = headers[name]
    if provider in ("stripe", "paddle"):
        before, _, digest = value.rpartition("=")
        return body, headers | {name: f"{before}={base64.b64encode(bytes.fromhex(digest)).decode()}"}
    if provider in ("lemonsqueezy", "razorpay", "mollie"):
        return body, headers | {name: chance.choice([value.upper().replace("SHA256", "sha256"), f"0x{value}"])} if not (
            value.removeprefix("sha256=").isdigit()
        ) else None
    raw = base64.b64decode(value.removeprefix("v1,"))
    return body, headers | {name: ("v1," if provider == "standard" else "") + raw.hex()}


def gone(chance, provider, body, headers):
    return body, {k: v for k, v in headers.items() if k != signature(provider)}


def of_another_body(chance, provider, body, headers):
    return body, headers_of(provider, body + b".", NOW)


CHANGES = [
    a_bit, more_or_less, a_letter, cut, longer, twice, another_secret, another_time, a_time_in_other_digits,
    another_encoding, gone, of_another_body,
]  # fmt: skip


def another_certificate(chance, provider, body, headers):
    hosts = ["api-m.sandbox.paypal.com", "api.paypal.com.evil.example", "api.paypal.com:8443", "127.0.0.1"]
    odd = [CERT_URL.replace("api.paypal.com", host) for host in hosts]
    odd += [CERT_URL.replace("https", "http"), CERT_URL.upper(), CERT_URL + "/../x", "é", ""]
    return body, headers | {"paypal-cert-url": chance.choice(odd)}


def another_algorithm(chance, provider, body, headers):
    odd = chance.choice(["SHA1withRSA", "none", "", "SHA256withECDSA", "HS256", "SHA256withRSA é", "SHA512withRSA"])
    return body, headers | {"paypal-auth-algo": odd}


def another_transmission(chance, provider, body, headers):
    name = chance.choice(["paypal-transmission-id", "paypal-transmission-time"])
    return body, headers | {name: headers[name] + chance.choice(["0", "|", "é", " ", "\n", "+00:00"])}


def without_one_of_its_headers(chance, provider, body, headers):
    headers.pop(chance.choice(sorted(headers)))
    return body, headers


OF_PAYPAL = [another_certificate, another_algorithm, another_transmission, without_one_of_its_headers]
