"""Ids: `external_id` (hashed), and those that are never hashed and never changed.

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/external-id
https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc
"""

import re

from conversion_relay.meta.customer_information.folding import whole_number_of
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
from conversion_relay.meta.customer_information.nothing import IDS_OF_NOBODY, MARKS, is_nothing
from conversion_relay.patterns import seldom

_SPACE = seldom(r"\s+")
_APPENDIX = r"(?:\.(?:[\w-]{8}|[\w-]{2}))?"  # eight characters now, two in older Parameter Builders
_FBC = seldom(rf"fb\.\d{{1,2}}\.\d{{13}}\.[A-Za-z0-9_-]{{1,500}}{_APPENDIX}", re.ASCII)
_FBP = seldom(rf"fb\.\d{{1,2}}\.\d{{13}}\.[A-Za-z0-9_-]{{1,64}}{_APPENDIX}", re.ASCII)
_UUID = seldom(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What ids are made of: no white space, nothing that a template needs.
_OF_AN_ID = bytes(code for code in range(33, 127) if code not in MARKS)


def quick_external_id(text: str, _: object = None) -> bytes | None:
    """
    >>> quick_external_id("User-42"), quick_external_id("guest"), quick_external_id("User 42")
    (b'user-42', None, None)
    """
    if len(text) >= 32 and not (len(text) < 64 and text[8] == "-"):  # no UUID, so perhaps a digest
        return None
    if not text or not text.isascii():
        return None
    lowered = text.lower().encode()
    return None if lowered.translate(None, _OF_AN_ID) or lowered in IDS_OF_NOBODY else lowered


def normalize_external_id(text: str) -> str | Dropped:
    """Lower case, no white space: what the pixel does before it hashes its own, so that both sides agree.

    >>> normalize_external_id("User 42")
    'user42'
    """
    if len(text) > LONGEST:
        return TOO_LONG
    kept = clean(_SPACE.sub("", clean(text).lower()))
    if not kept:
        return EMPTY
    if LOST in kept:
        return LETTER_IS_LOST  # the digest of two people would be one
    return PLACEHOLDER if is_nothing(kept, is_id=True) or is_nothing(clean(text), is_id=True) else kept


def quick_fbc(text: str, _: object = None) -> str | None:
    """
    >>> quick_fbc("fb.1.1554763741205.AbCdEf"), quick_fbc("fb.1.1554763741205.null")
    ('fb.1.1554763741205.AbCdEf', None)
    """
    # With more characters the click id is longer than any word for nothing.
    return text if _FBC.fullmatch(text) and (len(text) > 60 or not is_nothing(text.split(".")[3])) else None


def normalize_fbc(text: str) -> str | Dropped:
    """Verbatim or not at all: the click id's case carries meaning.

    >>> normalize_fbc("fb.1.1554763741205.AbCdEf")
    'fb.1.1554763741205.AbCdEf'
    >>> normalize_fbc("fb.1.1554763741.AbC")
    Dropped(reason='not fb.<index>.<milliseconds>.<click id>')
    """
    text = _trimmed(text)
    if not text:
        return EMPTY
    if not _FBC.fullmatch(text):
        return Dropped("not fb.<index>.<milliseconds>.<click id>")
    return PLACEHOLDER if is_nothing(text.split(".")[3]) else text


def quick_fbp(text: str, _: object = None) -> str | None:
    """
    >>> quick_fbp("fb.1.1596403881668.1116446470")
    'fb.1.1596403881668.1116446470'
    """
    return text if _FBP.fullmatch(text) and not is_nothing(text.split(".")[3]) else None


def normalize_fbp(text: str) -> str | Dropped:
    """A browser that a program wrote without its number is each visitor's, and no match key.

    >>> normalize_fbp("fb.1.1596403881668.1116446470"), normalize_fbp("fb.1.1596403881668.undefined")
    ('fb.1.1596403881668.1116446470', Dropped(reason='a placeholder, not a value'))
    """
    text = _trimmed(text)
    if not text:
        return EMPTY
    if not _FBP.fullmatch(text):
        return Dropped("not fb.<index>.<milliseconds>.<number>")
    return PLACEHOLDER if is_nothing(text.split(".")[3]) else text


def normalize_lead_id(text: str) -> str | Dropped:
    """15 to 17 digits; Meta refuses a whole batch for one bad lead id.

    >>> normalize_lead_id("1234567890123456")
    '1234567890123456'
    """
    text = _trimmed(text)
    if not text:
        return EMPTY
    return text if re.fullmatch(r"[1-9]\d{14,16}", text, re.ASCII) else Dropped("a lead id has 15 to 17 digits")


def normalize_number(text: str) -> str | Dropped:
    """`fb_login_id`: an app-scoped user id.

    >>> normalize_number("1234567890"), normalize_number("joe")
    ('1234567890', Dropped(reason='not a number'))
    """
    text = whole_number_of(_trimmed(text))
    if not text:
        return EMPTY
    return text if re.fullmatch(r"[1-9]\d{0,18}", text, re.ASCII) else Dropped("not a number")


def normalize_madid(text: str) -> str | Dropped:
    """
    >>> normalize_madid("38400000-8CF0-11BD-B23E-10B96E40000D")
    '38400000-8cf0-11bd-b23e-10b96e40000d'
    """
    text = _trimmed(text).lower()
    if not text:
        return EMPTY
    if not _UUID.fullmatch(text):
        return Dropped("a mobile advertiser id is a UUID")
    return Dropped("the all-zero id means that tracking is off") if not text.strip("0-") else text


def normalize_verbatim(text: str) -> str | Dropped:
    """Ids that mean something to Meta only; passed on as they are.

    >>> normalize_verbatim(" ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0 ")[:10]
    'ARAkLkA8rm'
    """
    text = _trimmed(text)
    if not text:
        return EMPTY
    if len(text) > LONGEST or not text.isprintable():
        return Dropped("too long or not printable")
    return PLACEHOLDER if is_nothing(text) else text


def _trimmed(text: str) -> str:
    """What is too long for any id stays too long, and is not searched."""
    return text[: 4 * LONGEST].strip()
