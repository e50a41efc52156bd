"""Whether a webhook's bytes are vouched for: HMAC over the raw body, compared in constant time."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

TOLERANCE_SECONDS = 300
"""A signature this old, or this far ahead, is a replay or a broken clock."""


def is_signed(message: bytes, signatures: Iterable[str], secrets: Sequence[str]) -> bool:
    """Whether one of the hex signatures was made with one of the secrets (several while they are rotated).

    Compared as bytes: a header may hold anything, and text outside ASCII must not raise.
    """
    expected = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode() for secret in secrets]
    given = [signature.encode("utf-8", "replace") for signature in signatures]
    matches = [hmac.compare_digest(one, other) for one in expected for other in given]
    return any(matches)
