"""`ct`, `st`, `zp`, `country`.

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
"""

import re
import unicodedata
from functools import lru_cache

from conversion_relay.meta.customer_information.folding import ascii_digits, name_key, whole_number_of
from conversion_relay.meta.customer_information.hashing import (
    EMPTY,
    LETTER_IS_LOST,
    LONGEST,
    LOST,
    PLACEHOLDER,
    TOO_LONG,
    Dropped,
    clean,
)
from conversion_relay.meta.customer_information.name import letters, normalize_name, quick_name, unescaped
from conversion_relay.meta.customer_information.nothing import is_nothing
from conversion_relay.meta.customer_information.tables.countries import ALPHA_2, ALPHA_3, NAMES
from conversion_relay.meta.customer_information.tables.states import CANADA, UNITED_STATES

_SUBDIVISION = re.compile(r"([a-z]{2})-([a-z]{2,3})")
_ZIP_PLUS_FOUR = re.compile(r"\d{5}-\d{0,4}")
_TOO_SHORT = Dropped("fewer than two characters")


def normalize_city(text: str) -> str | Dropped:
    """ "Lowercase only with no punctuation, no special characters, and no spaces"; letters of any script stay.

    >>> normalize_city("New York"), normalize_city("St. Louis"), normalize_city("Zürich 8001")
    ('newyork', 'stlouis', 'zürich')
    """
    return normalize_name(text)


def quick_state(text: str, country: str | None = None) -> bytes | None:
    """
    >>> quick_state("California"), quick_state("New South Wales", "au"), quick_state("CA-ON")
    (b'ca', b'newsouthwales', None)
    """
    kept = quick_name(text)
    return None if kept is None else state_code(kept, text, country)


def state_code(kept: bytes, text: str, country: str | None) -> bytes | None:
    """The state whose letters are `kept`; None where its text could mean another.

    >>> state_code(b"california", "California", None), state_code(b"ontario", "Ontario", "us")
    (b'ca', b'ontario')
    """
    if "-" in text and len(kept) < 12:  # ISO 3166-2, perhaps
        return None
    if country is not None and country not in ("us", "ca"):
        return kept
    if not kept.isascii():
        return None
    name = kept.decode()
    code = UNITED_STATES.get(name) if country != "ca" else None
    code = CANADA.get(name) if code is None and country != "us" else code
    return code.encode() if code else kept


@lru_cache(maxsize=2048)
def normalize_state(text: str, country: str | None = None) -> str | Dropped:
    """ "Use the 2-character ANSI abbreviation code in lowercase"; outside the US the name, without punctuation.

    Never cut to two letters: `New South Wales` is not Nebraska. `country`: alpha-2 in lower case.

    >>> normalize_state("California"), normalize_state("Washington, D.C."), normalize_state("CA-ON")
    ('ca', 'dc', 'on')
    >>> normalize_state("Georgia", "ge"), normalize_state("New South Wales", "au")
    ('georgia', 'newsouthwales')
    """
    if len(text) > LONGEST:
        return TOO_LONG
    cleaned = clean(text)
    if not cleaned:
        return EMPTY
    if is_nothing(cleaned):
        return PLACEHOLDER
    if LOST in cleaned:
        return LETTER_IS_LOST
    lowered = unescaped(cleaned).lower()
    if code := _SUBDIVISION.fullmatch(lowered):
        return code[2]
    kept = letters(lowered)
    if not kept:
        return Dropped("no letters in it")
    key = name_key(kept)
    if country in (None, "us") and key in UNITED_STATES:
        return UNITED_STATES[key]
    if country in (None, "ca") and key in CANADA:
        return CANADA[key]
    return kept


def quick_zip(text: str, country: str | None = None) -> bytes | None:
    """
    >>> quick_zip("10001-1234", "us"), quick_zip("M1 1AE", "gb"), quick_zip("2134", "us"), quick_zip("10001-1234")
    (b'10001', b'm11ae', None, None)
    """
    kept = text.lower().encode().translate(None, b" -") if len(text) < 32 and text.isascii() else b""
    if not kept.isalnum() or kept.isalpha() or len(kept) < 2:
        return None
    if country == "us":
        return kept[:5] if len(kept) >= 5 and kept.isdigit() else None
    return None if country is None and "-" in text else kept


def normalize_zip(text: str, country: str | None = None) -> str | Dropped:
    """ "Use lowercase with no spaces and no dash"; for the US only the first five digits.

    >>> normalize_zip("94035-1234"), normalize_zip("M1 1AE", "gb"), normalize_zip("00-950", "pl")
    ('94035', 'm11ae', '00950')
    >>> normalize_zip("2134", "us"), normalize_zip("2134.0", "us")
    ('02134', '02134')
    """
    if len(text) > LONGEST:
        return TOO_LONG
    folded = clean(text if text.isascii() else unicodedata.normalize("NFKC", text))
    if not folded:
        return EMPTY
    if is_nothing(folded):
        return PLACEHOLDER
    folded = whole_number_of(folded.lower().removeprefix("z:"))  # as Meta's own export of leads writes it
    kept = "".join(c for c in ascii_digits(folded) if c.isalnum())
    kept = kept if kept.isascii() else unicodedata.normalize("NFC", kept)
    if country == "us" or (country is None and _ZIP_PLUS_FOUR.fullmatch(folded)):
        kept = _us_zip(kept)
    return kept if len(kept) >= 2 else _TOO_SHORT


def ascii_city(text: str) -> str | None:
    """A city as Meta's Parameter Builder hashes it: letters and digits of ASCII alone, a letter first.

    >>> ascii_city("São Paulo"), ascii_city("東京")
    ('sopaulo', None)
    """
    kept = _NOT_ASCII_WORD.sub("", clean(text[:LONGEST]).lower())
    return kept if kept[:1].isalpha() else None


def cut_zip(text: str) -> str | None:
    """A zip as Meta's libraries hash it in every country: up to the dash.

    >>> cut_zip("01310-100"), cut_zip("94025")
    ('01310', '94025')
    """
    kept = whole_number_of(clean(text[:LONGEST])).lower().partition("-")[0].strip()
    return kept if len(kept) >= 2 else None


_NOT_ASCII_WORD = re.compile(r"[^a-z0-9]+")


def _us_zip(kept: str) -> str:
    if not kept.isdigit():
        return kept
    return kept[:5] if len(kept) >= 5 else kept.zfill(5) if len(kept) >= 3 else ""


def quick_country(text: str, _: object = None) -> bytes | None:
    """
    >>> quick_country("US"), quick_country("deu"), quick_country("Germany"), quick_country("U.S.A.")
    (b'us', b'de', b'de', None)
    """
    if not (text.isascii() and text.isalpha()):
        return None
    key = text.lower()
    found = key if len(key) == 2 and key in ALPHA_2 else ALPHA_3.get(key) or NAMES.get(key)
    return found.encode() if found else None


@lru_cache(maxsize=2048)
def normalize_country(text: str) -> str | Dropped:
    """ "Use the lowercase, 2-letter country codes in ISO 3166-1 alpha-2"; names and alpha-3 are looked up.

    >>> normalize_country("United States"), normalize_country("UK"), normalize_country("Côte d’Ivoire")
    ('us', 'gb', 'ci')
    >>> normalize_country("Atlantis")
    Dropped(reason='no country of ISO 3166-1')
    """
    if len(text) > LONGEST:
        return TOO_LONG
    lowered = clean(text).lower()
    if not lowered:
        return EMPTY
    if not lowered.isascii():
        lowered = unicodedata.normalize("NFKC", lowered)  # full-width letters: ＤＥ
    key = name_key(lowered)
    if len(key) == 2 and key in ALPHA_2 and lowered.strip(". ").replace(".", "") == key:
        return key
    if key in ALPHA_3:
        return ALPHA_3[key]
    found = NAMES.get(key) or NAMES.get(key.removeprefix("the")) or NAMES.get(key.removesuffix("the"))
    if not found and "(" in lowered:  # WooCommerce: "United States (US)"; "Congo (Democratic Republic)" is none
        name, _, code = lowered.partition("(")
        found = NAMES.get(name_key(name))
        found = found if found and normalize_country(code.replace(")", "")) == found else None
    return found or Dropped("no country of ISO 3166-1")
