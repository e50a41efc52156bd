"""Event ids: how they are made, in one place, because browser and server must make the same ones.

Meta drops the second of two events with the same dataset, name and id within 48 hours:
https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events
So a repeated request, a webhook that is delivered twice and the pixel's copy must all carry one string. An id goes to
Meta in clear and into every log on the way, so it must not hold an e-mail address; where it would, the SHA-256 of the
address stands in its place.
"""

import hashlib
import re

_EMAIL = re.compile(
    r"(?P<kind>\b(?:contact|registration|purchase|lead|order)_)?"
    r"(?P<email>[^\s/?#&=:;,<>()\"'@%]+(?:@|%40)[^\s/?#&=_:;,<>()\"'@%]+\.[^\s/?#&=_:;,<>()\"'.@%]{2,})",
    re.IGNORECASE,
)


def for_registration(registration_id: str) -> str:
    """The id of a CompleteRegistration.

    >>> for_registration("abc123")
    'registration_abc123'
    """
    return f"registration_{registration_id}"


def for_purchase(registration_or_order_id: str) -> str:
    """The id of a Purchase: the registration's or order's own id, so that a webhook delivered twice gives one event.

    >>> for_purchase("abc123")
    'purchase_abc123'
    """
    return f"purchase_{registration_or_order_id}"


def for_contact(email: str, timestamp: int) -> str:
    """`contact_{email}_{timestamp}`, the e-mail standing as its SHA-256.

    An address in clear would travel to Meta unhashed and into every log on the way.

    >>> for_contact(" Test@Example.com ", 1692345678)
    'contact_973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b_1692345678'
    """
    return f"contact_{_digest(email)}_{timestamp}"


def uuid7(now: float, entropy: bytes) -> str:
    """RFC 9562 version 7: 48 bits of Unix milliseconds, then 74 random bits (`entropy`: 10 bytes).

    >>> uuid7(1692345678.5, bytes(10))
    '018a07a9-baa4-7000-8000-000000000000'
    """
    milliseconds = int(now * 1000) & 0xFFFFFFFFFFFF
    random_bits = int.from_bytes(entropy[:10], "big")
    number = milliseconds << 80 | 0x7 << 76 | (random_bits >> 62 & 0xFFF) << 64
    number |= 0b10 << 62 | random_bits & 0x3FFFFFFFFFFFFFFF
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def without_email(event_id: str) -> str:
    """An id that somebody else made, with each e-mail address in it replaced by its SHA-256.

    >>> without_email("contact_test@example.com_1692345678")
    'contact_973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b_1692345678'
    """
    if "@" not in event_id and "%40" not in event_id:
        return event_id
    return _EMAIL.sub(lambda match: (match["kind"] or "") + _digest(match["email"].replace("%40", "@")), event_id)


def holds_email(text: str) -> bool:
    """Whether an e-mail address stands anywhere in the text, also with its @ as %40.

    >>> holds_email("https://shop.example/thanks/joe%40example.com"), holds_email("price @ 3.50")
    (True, False)
    """
    return ("@" in text or "%40" in text) and _EMAIL.search(text) is not None


def _digest(email: str) -> str:
    # Half of a surrogate pair has no UTF-8, and an odd text must not end its caller's request with an exception.
    return hashlib.sha256(email.strip().lower().encode(errors="replace")).hexdigest()
