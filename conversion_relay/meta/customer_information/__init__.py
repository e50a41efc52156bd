"""Customer information: every match key normalised by Meta's text, then hashed where Meta wants it hashed.

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters

A value that cannot be right is dropped with a reason; it never raises, never loses the event, never passes in clear.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from conversion_relay.meta.customer_information.birth import (
    normalize_birth_date,
    normalize_birth_day,
    normalize_birth_month,
    normalize_birth_year,
)
from conversion_relay.meta.customer_information.email import normalize_email
from conversion_relay.meta.customer_information.hashing import (
    PLACEHOLDER,
    PLACEHOLDERS,
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
)
from conversion_relay.meta.customer_information.name import normalize_gender, normalize_name
from conversion_relay.meta.customer_information.network import normalize_client_ip_address, normalize_user_agent
from conversion_relay.meta.customer_information.phone import normalize_phone
from conversion_relay.meta.customer_information.place import (
    ascii_city,
    cut_zip,
    normalize_city,
    normalize_country,
    normalize_state,
    normalize_zip,
)
from conversion_relay.meta.customer_information.tables.currencies import CURRENCY_EXPONENTS

__all__ = [
    "CURRENCY_EXPONENTS",
    "HASHED_KEYS",
    "PLAIN_KEYS",
    "READABLE_NAMES",
    "DroppedKey",
    "Normalized",
    "match_keys",
    "normalize",
]

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


class _Context(NamedTuple):
    """What one key tells about another: the country of a phone number, a state, a zip."""

    country: str | None
    today: datetime.date


Rule = Callable[[str, _Context], "str | Dropped"]


def _plain(rule: Callable[[str], "str | Dropped"]) -> Rule:
    return lambda text, _: rule(text)


def _cut(length: int) -> Rule:
    def rule(text: str, _: _Context) -> str | Dropped:
        name = normalize_name(text)
        return name if isinstance(name, Dropped) else name[:length]

    return rule


_HASHED: dict[str, Rule] = {
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
_NEVER_HASHED: dict[str, Callable[[str], "str | Dropped"]] = {
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
            "ctwa_clid",
            "ig_account_id",
            "ig_sid",
        ),
        normalize_verbatim,
    ),
}
_SENT_AS_NUMBER = frozenset({"lead_id", "fb_login_id"})
_MD5 = Dropped("an MD5 hash; Meta takes SHA-256")
_WRONG_TYPE = Dropped("neither text nor number")

HASHED_KEYS = frozenset(_HASHED)
PLAIN_KEYS = frozenset(_NEVER_HASHED)


class Normalized(NamedTuple):
    """What became of one value; exactly one of `normalized` and `dropped` is set."""

    normalized: str | None
    sha256: str | None
    """None for keys that are never hashed."""
    dropped: str | None


class DroppedKey(NamedTuple):
    """A value that is not sent; `field` as the caller named it, never the value."""

    field: str
    reason: str


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
    if key not in _HASHED and key not in _NEVER_HASHED:
        raise KeyError(f"no such key; known are {', '.join(sorted([*READABLE_NAMES, *_HASHED, *_NEVER_HASHED]))}")
    text = _text(value)
    if isinstance(text, Dropped):
        return Normalized(None, None, text.reason)
    if key in _NEVER_HASHED:
        plain = _NEVER_HASHED[key](text)
        return Normalized(None, None, plain.reason) if isinstance(plain, Dropped) else Normalized(plain, None, None)
    result = _normalize_hashed(key, text, _Context(_country(country) or _country(default_country), today))
    if isinstance(result, Dropped):
        return Normalized(None, None, result.reason)
    return Normalized(*result, None)


def match_keys(
    user_data: Mapping[str, object],
    *,
    default_country: str | None = None,
    today: datetime.date,
    variants: bool = False,
) -> tuple[dict[str, object], list[DroppedKey]]:
    """Meta's `user_data`: hashed keys as lists of digests in first-seen order, the others as they are.

    Keys by either name, values single or in lists, plain or hashed. What says nothing (None, "", []) is absent.
    `variants` adds a second digest where Meta's own page script would hash a city or a zip differently.
    """
    wire: dict[str, object] = {}
    dropped: list[DroppedKey] = []
    country = _event_country(user_data["country"]) if "country" in user_data else None
    context, memory = _context(country or _country(default_country), today)
    for field, given in user_data.items():
        key = READABLE_NAMES.get(field, field)
        if type(given) is not str or not given or key in wire:
            _take_several(wire, dropped, field, given, context)
            continue
        known = memory.get(key)
        if known is not None and (digest_known := known.get(given)) is not None:
            wire[key] = [digest_known]
            continue
        plain = _NEVER_HASHED.get(key)
        result = plain(given) if plain is not None else _digest(key, given, context)
        if isinstance(result, Dropped):
            dropped.append(DroppedKey(field, result.reason))
        elif plain is not None:
            wire[key] = int(result) if key in _SENT_AS_NUMBER else result
        else:
            wire[key] = [result]
            if known is not None:
                _remember(known, given, result)
    if variants:
        _add_variants(wire, user_data)
    return wire, dropped


def _add_variants(wire: dict[str, object], user_data: Mapping[str, object]) -> None:
    """Meta matches what the page's script sent, and that writes cities in ASCII and cuts every zip at its dash."""
    for field, given in user_data.items():
        key = READABLE_NAMES.get(field, field)
        digests = wire.get(key)
        if key not in _VARIANTS or not isinstance(digests, list):
            continue
        for _, value in _several(field, given):
            variant = _VARIANTS[key](value) if isinstance(value, str) and already_hashed(value) is None else None
            if variant and (hashed := digest(variant)) not in digests:
                digests.append(hashed)


_VARIANTS = {"ct": ascii_city, "zp": cut_zip}


def _take_several(
    wire: dict[str, object], dropped: list[DroppedKey], field: str, given: object, context: _Context
) -> None:
    """Lists, numbers, and a key that comes by both of its names."""
    key = READABLE_NAMES.get(field, field)
    for name, value in _several(field, given):
        text = _text(value)
        if isinstance(text, Dropped):
            result: str | Dropped = text
        elif key in _NEVER_HASHED:
            result = _NEVER_HASHED[key](text)
        else:
            result = _digest(key, text, context)
        if isinstance(result, Dropped):
            dropped.append(DroppedKey(name, result.reason))
        elif key in _NEVER_HASHED:
            wire[key] = int(result) if key in _SENT_AS_NUMBER else result
        else:
            digests = wire.setdefault(key, [])
            assert isinstance(digests, list)
            if result not in digests:
                digests.append(result)


_SHARED_BY_MANY = ("fn", "ln", "ct", "st", "zp", "country", "ge")
"""Keys whose values repeat from person to person; what they come to is remembered, per country, in memory alone."""
_MOST_REMEMBERED = 1_024


@lru_cache(maxsize=16)
def _context(country: str | None, today: datetime.date) -> tuple[_Context, dict[str, dict[str, str]]]:
    """With what is remembered of this country, for a day."""
    return _Context(country, today), {key: {} for key in _SHARED_BY_MANY}


def _remember(known: dict[str, str], text: str, digest_known: str) -> None:
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    known[text] = digest_known


def _digest(key: str, text: str, context: _Context) -> str | Dropped:
    result = _normalize_hashed(key, text, context)
    return result if isinstance(result, Dropped) else result[1]


def _normalize_hashed(key: str, text: str, context: _Context) -> tuple[str, str] | Dropped:
    """(normalized, digest)."""
    if len(text) >= 32 and (known := _known_hash(key, text)):
        return known
    normalized = _HASHED[key](text, context)
    if isinstance(normalized, Dropped):
        return normalized
    # Only without its spaces, digits or punctuation may it turn out to be a hash or no value at all.
    if normalized in PLACEHOLDERS:
        return PLACEHOLDER
    if len(normalized) >= 32 and (known := _known_hash(key, normalized)):
        return known
    return normalized, digest(normalized)


def _known_hash(key: str, text: str) -> tuple[str, str] | Dropped | None:
    if (known := already_hashed(text)) is not None:
        return known, known
    return _MD5 if key != "external_id" and is_md5(text) else None


def _several(field: str, given: object) -> Iterator[tuple[str, object]]:
    if not isinstance(given, list | tuple):
        if given not in (None, ""):
            yield field, given
        return
    for index, value in enumerate(given):
        if value not in (None, ""):
            yield f"{field}[{index}]", value


def _text(value: object) -> str | Dropped:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime.date):
        return value.strftime("%Y%m%d")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**30 else _WRONG_TYPE
    return Dropped("empty") if value is None else _WRONG_TYPE


def _event_country(given: object) -> str | None:
    if isinstance(given, str):
        return _country(given)
    for _, value in _several("country", given):
        if isinstance(value, str) and (found := _country(value)):
            return found
    return None


def _country(text: str | None) -> str | None:
    """Alpha-2 for the other keys to use; None where the text tells none (a hash does not)."""
    found = normalize_country(text) if text else None
    return found if isinstance(found, str) else None
