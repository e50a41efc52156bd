"""Whether a notice's bytes are vouched for: HMAC over the raw body, compared in constant time.

What could go wrong, and the rule against it:
- A header holds anything. It is compared as bytes, and what is malformed is a wrong signature: nothing raises but
  SignatureError.
- A secret is rotated: several are valid, and providers send several signatures. Any pair that fits will do.
- A notice has no mark for tests. The secret then says it: one that is written `test:...` in the settings is of the
  provider's test mode, and so is every notice that it signed.
- Two spellings of one signature. The text is compared, not what it decodes to: base64 has many texts for the same
  bytes, and only one of them is the provider's.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

from conversion_relay.errors import SignatureError
from conversion_relay.payments.notice import Mode

TOLERANCE_SECONDS = 300
"""A signature this old, or this far ahead, is a replay or a broken clock."""
MOST_SIGNATURES = 16
TEST = "test:"
Encoding = Literal["hex", "base64"]


def signed_in(
    message: bytes,
    signatures: Iterable[str],
    secrets: Sequence[str],
    encoding: Encoding = "hex",
    key_of: Callable[[str], bytes | None] = str.encode,
    algorithm: str = "sha256",
) -> Mode | None:
    """The mode of the secret that one of the signatures was made with, None for none. `key_of`: how this provider
    turns the text of a secret into a key."""
    given = [signature.encode("utf-8", "replace") for signature in signatures]
    modes = set[Mode]()
    for secret in secrets:
        mode, text = mode_of(secret)
        made = key_of(text)
        if not made:
            continue  # an empty key would vouch for everybody
        expected = encoded(hmac.new(made, message, algorithm).digest(), encoding)
        matches = [hmac.compare_digest(expected, other) for other in given]
        if any(matches):
            modes.add(mode)
    return mode_among(modes)


def repeated_in(given: str, secrets: Sequence[str]) -> Mode | None:
    """The mode of the secret that this is, of a sender that repeats it and cannot sign; None for none."""
    known = [mode_of(secret) for secret in secrets]
    written = given.encode("utf-8", "replace")
    return mode_among({mode for mode, text in known if text and hmac.compare_digest(text.encode(), written)})


def mode_among(modes: Collection[Mode | None]) -> Mode | None:
    """Of the secrets that fit, None for those that do not. One that is given for both modes is of live payments, which
    must not be passed over as tests.

    >>> mode_among({"test", "live"}), mode_among({"test", None}), mode_among(set())
    ('live', 'test', None)
    """
    return "live" if "live" in modes else "test" if "test" in modes else None


def mode_of(secret: str) -> tuple[Mode, str]:
    """
    >>> mode_of("test:whsec_1"), mode_of("whsec_1")
    (('test', 'whsec_1'), ('live', 'whsec_1'))
    """
    return ("test", secret.removeprefix(TEST)) if secret.startswith(TEST) else ("live", secret)


def encoded(digest: bytes, encoding: Encoding) -> bytes:
    return base64.b64encode(digest) if encoding == "base64" else digest.hex().encode()


def body_is_signed(
    raw: bytes, headers: Mapping[str, str], header: str, secrets: Sequence[str], encoding: Encoding, setting: str
) -> Mode:
    """The plainest scheme: one signature in one header, over the body alone. Raises SignatureError."""
    given = headers.get(header)
    if not given:
        raise missing(header)
    mode = signed_in(raw, [given.strip()], secrets, encoding)
    if mode is None:
        raise wrong(header, setting)
    return mode


def check_time(written: str, now: float, header: str) -> None:
    """Digits alone: `int()` would take other scripts' digits and underscores."""
    if not re.fullmatch(r"[0-9]{1,12}", written, re.ASCII):
        raise malformed(header, "the time as digits")
    if abs(now - int(written)) > TOLERANCE_SECONDS:
        raise SignatureError("signature_too_old", header, f"signed more than {TOLERANCE_SECONDS} seconds from now")


def missing(header: str) -> SignatureError:
    return SignatureError("signature_missing", header, f"the {header} header is missing")


def malformed(header: str, expected: str) -> SignatureError:
    return SignatureError("signature_malformed", header, f"expected {expected}")


def wrong(header: str, setting: str) -> SignatureError:
    return SignatureError("signature_wrong", header, f"the signature is not of this body; check {setting}")


def hash_of(*parts: object) -> str:
    """An id for a notice that has none: the same notice has the same parts."""
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:32]
