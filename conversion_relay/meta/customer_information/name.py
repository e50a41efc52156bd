"""`fn`, `ln`, `ge`, and the letters-only rule that names share with cities.

"Using Roman alphabet a-z characters is recommended. Lowercase only with no punctuation. If using special characters,
the text must be encoded in UTF-8 format."
https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
"""

import contextlib
import re
import unicodedata
from urllib.parse import unquote

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
from conversion_relay.meta.customer_information.nothing import WORDS_IN_LETTERS, is_nothing
from conversion_relay.patterns import seldom

_NO_LETTERS = Dropped("no letters in it")
_NOT_ASCII_LETTERS = re.compile(r"[^a-z]+")
_GENDERS = {
    **dict.fromkeys(("m", "male", "man", "boy", "mr", "mister"), "m"),
    **dict.fromkeys(("f", "female", "woman", "girl", "ms", "mrs", "miss"), "f"),
}
# Behind a space it was an emoji that was cut.
_LOST_LETTER = seldom(rf"\w{LOST}|{LOST}\w")
_PERCENT = seldom(r"%[0-9A-Fa-f]{2}")
_ENTITY = seldom(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_ESCAPED = seldom(r"\\u([0-9A-Fa-f]{4})")
BETWEEN = b" '.,-"
# In UTF-8, a-z and U+00C0 to U+017F: in lower case all of them are letters that composing changes no more, but two.
LATIN = bytes([*range(97, 123), *range(0x80, 0xC0), 0xC3, 0xC4, 0xC5])
_TIMES, _DIVIDED = b"\xc3\x97", b"\xc3\xb7"
# Lower-case letters of other alphabets that composing changes no more; in Devanagari with their signs upon them.
_LETTERS = "a-zß-öø-žά-ώа-ҁҋ-ӿạ-ỹא-תء-غف-يぁ-ゖァ-ヺー一-鿿가-힣"
_OTHERS = seldom(rf"[ '.,-]*+(?:(?:[{_LETTERS}]|[अ-ह][ऀ-ःा-्]*+)[ '.,-]*+)+")


def quick_name(text: str, _: object = None) -> bytes | None:
    """Names in the letters of most alphabets.

    >>> quick_name("O'Brien-Smith"), quick_name("Valéry").decode(), quick_name("n.a."), quick_name("東 京").decode()
    (b'obriensmith', 'valéry', None, '東京')
    """
    if len(text) >= 32:  # a digest may be as long
        return None
    kept = text.lower().encode("utf-8", "replace")
    if not kept.isalpha():
        kept = kept.translate(None, BETWEEN)
        if not kept or (not kept.isalpha() and (kept.translate(None, LATIN) or _TIMES in kept or _DIVIDED in kept)):
            return kept if kept and not text.isascii() and _OTHERS.fullmatch(text.lower()) else None
    return None if kept in WORDS_IN_LETTERS else kept


def normalize_name(text: str) -> str | Dropped:
    """First and last names alike: the letters, in lower case, composed.

    >>> normalize_name("Mary Jane"), normalize_name("Valéry"), normalize_name("O'Brien-Smith 3rd")
    ('maryjane', 'valéry', 'obriensmithrd')
    >>> normalize_name("---")
    Dropped(reason='no letters in it')
    """
    if len(text) > LONGEST:
        return TOO_LONG
    cleaned = clean(text)
    if not cleaned:
        return EMPTY
    if is_nothing(cleaned):
        return PLACEHOLDER
    if LOST in cleaned and _LOST_LETTER.search(cleaned):
        return LETTER_IS_LOST
    return letters(unescaped(cleaned).lower()) or _NO_LETTERS


def unescaped(text: str) -> str:
    r"""A name as it was before a page, a cookie or JSON in JSON escaped it. Only whole escapes count.

    >>> unescaped("O&#39;Brien"), unescaped("M%C3%BCller"), unescaped(r"M\u00fcller"), unescaped("Marks & Co")
    ("O'Brien", 'Müller', 'Müller', 'Marks & Co')
    """
    if "%" in text and _PERCENT.search(text):
        with contextlib.suppress(UnicodeDecodeError):
            text = unquote(text, errors="strict")
    if "&" in text and _ENTITY.search(text):
        import html  # a table of 2,000 names, for what is odd alone

        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "\\u" in text else text


def letters(lowered: str) -> str:
    """Only letters and the marks upon them, of any script; empty where there is no letter.

    A mark upon anything else, such as the one that makes an emoji of a heart, goes with what it stands upon.
    """
    if lowered.isascii():
        return lowered if lowered.isalpha() else _NOT_ASCII_LETTERS.sub("", lowered)
    kept: list[str] = []
    upon_letter = False
    for character in lowered[:LONGEST]:
        kind = unicodedata.category(character)[0]
        upon_letter = kind == "L" or (kind == "M" and upon_letter)
        if upon_letter:
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).lower()


def quick_gender(text: str, _: object = None) -> bytes | None:
    """
    >>> quick_gender("Female"), quick_gender("Mr.")
    (b'f', None)
    """
    known = _GENDERS.get(text.lower())
    return known.encode() if known else None


def normalize_gender(text: str) -> str | Dropped:
    """ "f" or "m"; Meta knows no other value, so anything else is left out.

    >>> normalize_gender("Mr."), normalize_gender("Female"), normalize_gender("x")
    ('m', 'f', Dropped(reason='Meta takes f or m only'))
    """
    lowered = clean(text[:LONGEST]).lower()
    return _GENDERS.get(letters(lowered), Dropped("Meta takes f or m only")) if lowered else EMPTY
