"""SHA-256 as Meta wants it, and how a value that was hashed before is known.

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
"""

import re
import unicodedata
from hashlib import sha256
from typing import NamedTuple


class Dropped(NamedTuple):
    """Why a value is not sent: a short sentence that never holds the value."""

    reason: str


EMPTY = Dropped("empty")
PLACEHOLDER = Dropped("a placeholder, not a value")

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_DIGEST_WITH_APPENDIX = re.compile(r"[0-9a-f]{64}\.(?:[\w-]{2}|[\w-]{8})", re.ASCII)
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
PLACEHOLDERS = frozenset({"null", "undefined", "none", "n/a"})


def digest(normalized: str) -> str:
    """
    >>> digest("mary")
    '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec'
    """
    return sha256(normalized.encode("utf-8", "replace")).hexdigest()


def already_hashed(text: str) -> str | None:
    """The digest, where the text is one: in any case, or with the appendix of Meta's Parameter Builder (verbatim).

    >>> already_hashed(" 6915771BE1C5AA0C886870B6951B03D7EAFC121FEA0E80A5EA83BEB7C449F4EC ")
    '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec'
    >>> already_hashed("mary") is None
    True
    """
    if len(text) < 64:
        return None
    text = text.strip()
    if _DIGEST.fullmatch(text):
        return text.lower()
    return text if _DIGEST_WITH_APPENDIX.fullmatch(text) else None


def is_md5(text: str) -> bool:
    """Meta takes SHA-256 only; an MD5 would match nobody."""
    return len(text) >= 32 and _MD5.fullmatch(text.strip()) is not None


def clean(text: str) -> str:
    """NFC, without the invisible characters that copy and paste brings along, trimmed.

    The two forms of "é" hash differently; Meta's own example (`Valéry`) is the composed one.
    """
    if text.isascii():
        return text.strip()
    return _INVISIBLE.sub("", unicodedata.normalize("NFC", text)).strip()


def is_placeholder(lowered: str) -> bool:
    return lowered in PLACEHOLDERS
