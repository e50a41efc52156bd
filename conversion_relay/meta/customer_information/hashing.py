"""SHA-256 as Meta wants it, and how a value that was hashed before is known.

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
"""

import contextlib
import hashlib
import importlib
import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from conversion_relay.patterns import seldom

if TYPE_CHECKING:
    Sha256 = Callable[[bytes], "hashlib._Hash"]


def _of_the_interpreter() -> "Sha256":
    """`hashlib` prefers OpenSSL's, whose way to a digest takes longer than the digest of twenty bytes; the one that
    CPython brings along (_sha2, in 3.11 _sha256) costs a third less. Where there is none, as in some builds, hashlib's.
    """
    for name in ("_sha2", "_sha256"):
        with contextlib.suppress(ImportError):
            return cast("Sha256", importlib.import_module(name).sha256)
    return hashlib.sha256


sha256 = _of_the_interpreter()


class Dropped(NamedTuple):
    """Why a value is not sent: a short sentence that never holds the value."""

    reason: str


EMPTY = Dropped("empty")
PLACEHOLDER = Dropped("a placeholder, not a value")
HASH_OF_NOTHING = Dropped("the hash of an empty text or of a placeholder")

LOST = "\ufffd"
"""What a decoder writes for bytes of another charset."""
LETTER_IS_LOST = Dropped("a letter of it was lost; send UTF-8")
_HALF_PAIR = seldom(r"[\ud800-\udfff]")

_DIGEST = seldom(r"[0-9a-fA-F]{64}")
_DIGEST_WITH_APPENDIX = seldom(r"([0-9a-fA-F]{64})(\.(?:[\w-]{2}|[\w-]{8}))", re.ASCII)
_MD5 = seldom(r"[0-9a-fA-F]{32}")
# Soft hyphen, zero-width and direction marks, fillers of Hangul and Braille, variation selectors, tags.
_INVISIBLE = seldom(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
LONGEST = 1_024
"""Characters of a value that is looked at: nobody's name, street or id is longer, and a rule may be slow on it."""
TOO_LONG = Dropped(f"longer than {LONGEST:,} characters")


def digest(normalized: str) -> str:
    """
    >>> digest("mary")
    '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec'
    """
    return sha256(normalized.encode("utf-8", "replace")).hexdigest()


def already_hashed(text: str) -> str | None:
    """The digest in lower case, where the text is one. An appendix of Meta's Parameter Builder stays verbatim.

    >>> already_hashed(" 6915771BE1C5AA0C886870B6951B03D7EAFC121FEA0E80A5EA83BEB7C449F4EC ")
    '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec'
    >>> already_hashed("mary") is None
    True
    """
    if not 64 <= len(text) <= LONGEST:
        return None
    text = text.strip()
    if _DIGEST.fullmatch(text):
        return text.lower()
    appended = _DIGEST_WITH_APPENDIX.fullmatch(text)
    return appended[1].lower() + appended[2] if appended else None


def is_digest(text: str) -> bool:
    """Whether this is a digest as most programs write it; the quick look before `already_hashed`.

    >>> is_digest("6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"), is_digest("mary")
    (True, False)
    """
    return len(text) == 64 and _DIGEST.fullmatch(text) is not None and text.islower()


def is_md5(text: str) -> bool:
    """Meta takes SHA-256 only; an MD5 would match nobody."""
    return 32 <= len(text) <= LONGEST and _MD5.fullmatch(text.strip()) is not None


def clean(text: str) -> str:
    """NFC, without the invisible characters that copy and paste brings along, trimmed; cut where it is too long.

    The two forms of "é" hash differently; Meta's own example (`Valéry`) is the composed one. Half of a surrogate pair
    is a lost letter: the digests of two texts with such halves would be one.
    """
    if text.isascii():
        return text.strip()
    # To bring a long run of combining marks into order takes the square of its length.
    composed = unicodedata.normalize("NFC", text[: LONGEST + 1])
    return _INVISIBLE.sub("", _HALF_PAIR.sub(LOST, composed)).strip()
