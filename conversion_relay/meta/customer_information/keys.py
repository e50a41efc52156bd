"""The table of match keys: each key's name, the rule that normalises it, and whether Meta wants it hashed.

A new match key of Meta's is one line in `HASHED` or `NEVER_HASHED` and a field of `event.UserData`; a rule of its own
goes into the file of its kind (`phone.py`, `birth.py`, ...).

Most values have one of a few shapes. Beside `normalize_<key>` stands `quick_<key>` for keys that most events have: it
knows those shapes alone, by a look at the whole text, and answers None for every other. Where it answers, it answers
what the careful rule does; a property test compares the two (`test_quick.py`).
https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
"""

import datetime
from collections.abc import Callable
from typing import NamedTuple

from conversion_relay.meta.customer_information.birth import (
    normalize_birth_date,
    normalize_birth_day,
    normalize_birth_month,
    normalize_birth_year,
    quick_birth_date,
)
from conversion_relay.meta.customer_information.email import normalize_email, quick_email
from conversion_relay.meta.customer_information.hashing import (
    HASH_OF_NOTHING,
    LONGEST,
    PLACEHOLDER,
    TOO_LONG,
    Dropped,
    already_hashed,
    digest,
    is_md5,
)
from conversion_relay.meta.customer_information.identifier import (
    normalize_external_id,
    normalize_fbc,
    normalize_fbp,
    normalize_lead_id,
    normalize_madid,
    normalize_number,
    normalize_verbatim,
    quick_external_id,
    quick_fbc,
    quick_fbp,
)
from conversion_relay.meta.customer_information.name import normalize_gender, normalize_name, quick_gender, quick_name
from conversion_relay.meta.customer_information.network import (
    normalize_client_ip_address,
    normalize_user_agent,
    quick_client_ip_address,
    quick_user_agent,
)
from conversion_relay.meta.customer_information.nothing import WORDS, is_digest_of_nothing
from conversion_relay.meta.customer_information.phone import normalize_phone, quick_phone
from conversion_relay.meta.customer_information.place import (
    normalize_city,
    normalize_country,
    normalize_state,
    normalize_zip,
    quick_country,
    quick_state,
    quick_zip,
)

READABLE_NAMES = {
    "email": "em",
    "phone": "ph",
    "first_name": "fn",
    "last_name": "ln",
    "city": "ct",
    "state": "st",
    "zip": "zp",
    "date_of_birth": "db",
    "gender": "ge",
    "country": "country",
    "external_id": "external_id",
}


class Context(NamedTuple):
    """What a rule may need beside the value: the country a phone number, state or zip is read for, and the date."""

    country: str | None
    today: datetime.date


Rule = Callable[[str, Context], "str | Dropped"]


def _plain(rule: Callable[[str], "str | Dropped"]) -> Rule:
    return lambda text, _: rule(text)


def _cut(length: int) -> Rule:
    def rule(text: str, _: Context) -> str | Dropped:
        name = normalize_name(text)
        return name if isinstance(name, Dropped) else name[:length]

    return rule


HASHED: dict[str, Rule] = {
    "em": _plain(normalize_email),
    "ph": lambda text, context: normalize_phone(text, context.country),
    "fn": _plain(normalize_name),
    "ln": _plain(normalize_name),
    "db": lambda text, context: normalize_birth_date(text, context.today),
    "ge": _plain(normalize_gender),
    "ct": _plain(normalize_city),
    "st": lambda text, context: normalize_state(text, context.country),
    "zp": lambda text, context: normalize_zip(text, context.country),
    "country": _plain(normalize_country),
    "external_id": _plain(normalize_external_id),
    "dobd": _plain(normalize_birth_day),
    "dobm": _plain(normalize_birth_month),
    "doby": lambda text, context: normalize_birth_year(text, context.today),
    "f5first": _cut(5),
    "f5last": _cut(5),
    "fi": _cut(1),
}
NEVER_HASHED: dict[str, Callable[[str], "str | Dropped"]] = {
    "client_ip_address": normalize_client_ip_address,
    "client_user_agent": normalize_user_agent,
    "fbc": normalize_fbc,
    "fbp": normalize_fbp,
    "lead_id": normalize_lead_id,
    "fb_login_id": normalize_number,
    "madid": normalize_madid,
    **dict.fromkeys(
        (
            "subscription_id",
            "anon_id",
            "page_id",
            "page_scoped_user_id",
            "whatsapp_business_account_id",
            "ctwa_clid",
            "ig_account_id",
            "ig_sid",
        ),
        normalize_verbatim,
    ),
}
Quick = Callable[[str, str | None], "bytes | str | None"]
QUICK: dict[str, Quick] = {
    "em": quick_email,
    "ph": quick_phone,
    "fn": quick_name,
    "ln": quick_name,
    "ge": quick_gender,
    "db": quick_birth_date,
    "ct": quick_name,
    "st": quick_state,
    "zp": quick_zip,
    "country": quick_country,
    "external_id": quick_external_id,
    "client_ip_address": quick_client_ip_address,
    "client_user_agent": quick_user_agent,
    "fbc": quick_fbc,
    "fbp": quick_fbp,
}
"""Keys that most events have -> what the rule above comes to where the text has a common shape (bytes: what is hashed);
None where the rule has to look. Given the country."""
SENT_AS_NUMBER = frozenset({"lead_id", "fb_login_id"})
"""Integers on Meta's page; every other key is a string there."""
_MD5 = Dropped("an MD5 hash; Meta takes SHA-256")
_WRONG_TYPE = Dropped("neither text nor number")

HASHED_KEYS = frozenset(HASHED)
PLAIN_KEYS = frozenset(NEVER_HASHED)


class Normalized(NamedTuple):
    """What became of one value; exactly one of `normalized` and `dropped` is set."""

    normalized: str | None
    sha256: str | None
    """None for keys that are never hashed."""
    dropped: str | None


def normalize(
    field: str,
    value: object,
    *,
    country: str | None = None,
    default_country: str | None = None,
    today: datetime.date,
) -> Normalized:
    """One value of one key, by its readable or its Meta name. Raises KeyError for a name that is no key.

    >>> normalize("first_name", "Mary", today=datetime.date(2026, 11, 23)).sha256
    '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec'
    """
    key = READABLE_NAMES.get(field, field)
    if key not in HASHED and key not in NEVER_HASHED:
        raise KeyError(f"no such key; known are {', '.join(sorted({*READABLE_NAMES, *HASHED, *NEVER_HASHED}))}")
    text = as_text(value)
    if isinstance(text, Dropped):
        return Normalized(None, None, text.reason)
    if key in NEVER_HASHED:
        plain = NEVER_HASHED[key](text)
        return Normalized(None, None, plain.reason) if isinstance(plain, Dropped) else Normalized(plain, None, None)
    result = normalize_and_hash(key, text, Context(known_country(country) or known_country(default_country), today))
    if isinstance(result, Dropped):
        return Normalized(None, None, result.reason)
    return Normalized(*result, None)


def normalize_and_hash(key: str, text: str, context: Context) -> tuple[str, str] | Dropped:
    """A value of a hashed key as (normalized text, SHA-256 of it), or why it is dropped."""
    if len(text) > LONGEST:
        return TOO_LONG
    if len(text) >= 32 and (known := _known_hash(key, text)):
        return known
    normalized = HASHED[key](text, context)
    if isinstance(normalized, Dropped):
        return normalized
    # A second look: a placeholder or a hash may have been hidden by spaces, digits or punctuation.
    if normalized in WORDS:
        return PLACEHOLDER
    if len(normalized) >= 32 and (known := _known_hash(key, normalized)):
        return known
    return normalized, digest(normalized)


def _known_hash(key: str, text: str) -> tuple[str, str] | Dropped | None:
    if (known := already_hashed(text)) is not None:
        return HASH_OF_NOTHING if is_digest_of_nothing(known) else (known, known)
    if key != "external_id":
        return _MD5 if is_md5(text) else None
    # Any hash may be an id, but not one that every visitor without an id has.
    return HASH_OF_NOTHING if len(text) <= 64 and is_digest_of_nothing(text.strip().lower()) else None


def as_text(value: object) -> str | Dropped:
    """A value of JSON or of Python as the text that the rules read.

    A whole float is one: a zip that went through a spreadsheet is 94035.0. From 2**53 on a float has lost digits.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime.date):
        return value.strftime("%Y%m%d")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**30 else _WRONG_TYPE
    return Dropped("empty") if value is None else _WRONG_TYPE


def known_country(text: str | None) -> str | None:
    """Alpha-2 for the other keys to use; None where the text tells none (a hash does not)."""
    found = normalize_country(text) if text else None
    return found if isinstance(found, str) else None
