"""A whole `user_data`: from what a caller wrote to what Meta reads, and what is dropped on the way.

What could go wrong, and the rule against it:
- Somebody sends twenty thousand values of one key: a hundred are read, the others told in one line.
- A key comes by both of its names (`email` and `em`), or in a list: all values of one key end in one list of digests,
  in the order they were first seen, each once.
- A national phone number, a state or a zip cannot be read without its country: the event's own country is read first
  and used for the others; the operator's default country stands in where the event names none.

Three ways lead to one answer, from quick to slow: all keys at one look (`common.py`), a quick rule for one key
(`keys.py`), the careful rule. Nothing is remembered from event to event: to look a person up takes longer.
"""

import datetime
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, cast

from conversion_relay.meta.customer_information.common import common_keys
from conversion_relay.meta.customer_information.hashing import Dropped, already_hashed, digest, is_digest, sha256
from conversion_relay.meta.customer_information.keys import (
    HASHED,
    NEVER_HASHED,
    QUICK,
    READABLE_NAMES,
    SENT_AS_NUMBER,
    Context,
    Quick,
    as_text,
    known_country,
    normalize_and_hash,
)
from conversion_relay.meta.customer_information.nothing import is_digest_of_nothing
from conversion_relay.meta.customer_information.place import ascii_city, cut_zip, quick_country

FEW_VALUES = 8
"""Of one key, for the quick way through a list."""
MOST_VALUES = 100
"""Of one key: a household, not a customer base. Each value costs a rule and a digest."""


class DroppedKey(NamedTuple):
    """A value that is not sent; `field` as the caller named it, never the value."""

    field: str
    reason: str


def match_keys(
    user_data: Mapping[str, object],
    *,
    default_country: str | None = None,
    today: datetime.date,
    variants: bool = False,
    known: dict[str, object] | None = None,
) -> tuple[dict[str, object], list[DroppedKey]]:
    """Meta's `user_data`: hashed keys as lists of digests in first-seen order, the others as they are.

    Keys by either name, values single or in lists, plain or hashed. What says nothing (None, "", []) is absent.
    `variants` adds a second digest where Meta's own page script would hash a city or a zip differently. `known`: what
    `known_keys` found, where it was asked before.
    """
    default = known_country(default_country) if default_country else None
    wire = common_keys(_as_texts(user_data), default) if known is None else _of_one(known, user_data)
    dropped: list[DroppedKey] = []
    if len(wire) != len(user_data):
        _take_others(wire, dropped, user_data, default, today)
    if variants:
        _add_variants(wire, user_data)
    return wire, dropped


def _of_one(known: dict[str, object], user_data: Mapping[str, object]) -> dict[str, object]:
    """Without the keys that come by both of their names."""
    for name, key in READABLE_NAMES.items():
        if name != key and name in user_data and key in user_data:
            known.pop(key, None)
    return known


def _as_texts(user_data: Mapping[str, object]) -> dict[str, object]:
    """What stands alone in its key, by Meta's names. Of several countries none is the event's at a look."""
    texts: dict[str, object] = {}
    for field, given in user_data.items():
        key, one = _PLAN[field][0], given[0] if type(given) is list and len(given) == 1 else given
        texts[key] = one if type(one) is str and key not in texts else _SEVERAL if given and key == "country" else ""
    return texts


def _take_others(
    wire: dict[str, object],
    dropped: list[DroppedKey],
    user_data: Mapping[str, object],
    default: str | None,
    today: datetime.date,
) -> None:
    """What has no common shape, key by key."""
    common = set(wire)
    country = (_event_country(user_data["country"]) if "country" in user_data else None) or default
    for field, given in user_data.items():
        key, quick, is_hashed = _PLAN[field]
        if key in common:
            continue
        if key not in wire:
            if given == "":
                continue
            if is_hashed:
                if digests := _quick_digests(given if type(given) is list else [given], quick, country):
                    wire[key] = digests
                    continue
            else:
                one = given[0] if type(given) is list and len(given) == 1 else given
                if type(one) is str and (found := quick(one, country)) is not None:
                    wire[key] = found
                    continue
        _take_several(wire, dropped, field, given, Context(country, today))


def _quick_digests(given: list[Any], quick: Quick, country: str | None) -> list[str] | None:
    """Of a few values, each a digest or a text of a common shape; None where one of them is neither."""
    if len(given) > FEW_VALUES:
        return None
    digests: dict[str, None] = {}
    for one in given:
        if type(one) is not str:
            return None
        if is_digest(one) and not is_digest_of_nothing(one):
            digests[one] = None
        elif (found := quick(one, country)) is not None:
            digests[sha256(found).hexdigest()] = None  # type: ignore[arg-type]
        else:
            return None
    return list(digests)


def _add_variants(wire: dict[str, object], user_data: Mapping[str, object]) -> None:
    """Meta's page script writes cities in ASCII and cuts every zip at its dash; a digest of that form may match too."""
    for field, given in user_data.items():
        key = READABLE_NAMES.get(field, field)
        digests = wire.get(key)
        if key not in _VARIANTS or not isinstance(digests, list):
            continue
        for _, value in islice(_several(field, given), MOST_VALUES):
            variant = _VARIANTS[key](value) if isinstance(value, str) and already_hashed(value) is None else None
            if variant and (hashed := digest(variant)) not in digests:
                digests.append(hashed)


_VARIANTS = {"ct": ascii_city, "zp": cut_zip}


def _take_several(
    wire: dict[str, object], dropped: list[DroppedKey], field: str, given: object, context: Context
) -> None:
    """The general way: lists, numbers, and a key that comes by both of its names."""
    key = READABLE_NAMES.get(field, field)
    digests: dict[str, None] = dict.fromkeys(cast("list[str]", wire[key])) if key in wire and key in HASHED else {}
    for count, (name, value) in enumerate(_several(field, given)):
        if count == MOST_VALUES:
            dropped.append(DroppedKey(field, f"more than {MOST_VALUES} values; the others are not sent"))
            break
        text = as_text(value)
        if isinstance(text, Dropped):
            result: str | Dropped = text
        elif key in NEVER_HASHED:
            result = NEVER_HASHED[key](text)
        else:
            result = _digest(key, text, context)
        if isinstance(result, Dropped):
            dropped.append(DroppedKey(name, result.reason))
        elif key in NEVER_HASHED:
            wire.setdefault(key, int(result) if key in SENT_AS_NUMBER else result)
        else:
            digests[result] = None
    if digests:
        wire[key] = list(digests)


def _digest(key: str, text: str, context: Context) -> str | Dropped:
    result = normalize_and_hash(key, text, context)
    return result if isinstance(result, Dropped) else result[1]


def _several(field: str, given: object) -> Iterator[tuple[str, object]]:
    if not isinstance(given, list | tuple):
        if given not in (None, ""):
            yield field, given
        return
    for index, value in enumerate(given):
        if value not in (None, ""):
            yield f"{field}[{index}]", value


_SEVERAL = "?"
"""Stands for a country that is none, so that nothing is read by another one."""


def _event_country(given: object) -> str | None:
    if isinstance(given, str):
        return _country(given)
    for _, value in islice(_several("country", given), MOST_VALUES):
        if isinstance(value, str) and (found := _country(value)):
            return found
    return None


def _country(text: str) -> str | None:
    if is_digest(text):
        return None
    return quick.decode() if (quick := quick_country(text)) else known_country(text)


def _no_quick_rule(_: str, __: str | None) -> None:
    return None


_PLAN = {
    field: (key, QUICK.get(key, _no_quick_rule), key in HASHED)
    for field, key in (READABLE_NAMES | {key: key for key in (*HASHED, *NEVER_HASHED)}).items()
}
"""Name of a key, either one -> Meta's name, its quick rule, whether it is hashed."""
