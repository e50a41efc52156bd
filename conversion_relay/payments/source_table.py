"""Checks a [[source]] table of the TOML file, and says by its key what is wrong with it; never a value."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from conversion_relay.errors import SettingsError
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.patterns import seldom
from conversion_relay.payments.notice import Customer
from conversion_relay.payments.sources import Source

FLAGS = ("test", "live")
FIELDS = (
    *("key", "payment", "value", "currency", "time", "refund", "subscription", "period", "metadata"),
    *FLAGS,
    *Customer.__struct_fields__,
)
_LISTS = ("paid", "renewed", "refunded")
_CHOICES = {
    "scheme": ("hmac", "standard", "secret"),
    "body": ("json", "form"),
    "algorithm": ("sha256", "sha384", "sha512", "sha1"),
    "encoding": ("hex", "base64"),
    "unit": ("major", "minor", "hundredths"),
    "decimal": (",", "."),
}

# No `$.deal.id` and no `items[0]`, which are another language's: they would find nothing, for ever and without a word.
_PLACE = seldom(r"(?!\$[.\[]|/)[^.\[\]]+(?:\.[^.\[\]]+)*")
_HEADER = seldom(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)


def source_of(table: Mapping[str, Any], number: int, taken: Sequence[str]) -> Source:
    """Raises SettingsError that names the key and never shows a value."""
    where = f"[[source]] {number}"
    for name, value in table.items():
        if name not in Source.__struct_fields__:
            raise SettingsError(f"{where}: {name[:40]}: one of {', '.join(Source.__struct_fields__)}")
        _check(where, name, value)
    name = str(table.get("name", ""))
    if not re.fullmatch(r"[a-z][a-z0-9]{1,30}", name) or name in taken:
        raise SettingsError(
            f"{where}: name: small letters and digits, and not the name of a provider or another source"
        )
    if not any(table.get(kind) for kind in (*_LISTS, "stages")):
        raise SettingsError(f"{where}: paid, renewed, refunded or stages: say which notices count")
    _check_what_vouches(where, table)
    fields = table.get("fields") or {}
    for one, place in _all_places(table):
        if not _PLACE.fullmatch(place):
            raise SettingsError(f"{where}: {one[:40]}: a place in the notice such as deal.id or items.0.id")
    if not fields.get("key"):
        raise SettingsError(f"{where}: fields.key: the place of the order's or lead's id")
    if (table.get("renewed") or fields.get("period")) and not fields.get("payment"):
        raise SettingsError(f"{where}: fields.payment: the place of an id that each renewal has of its own")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    given |= {"type": tuple(_places(table["type"]))} if "type" in table else {}
    for lower in ("header", "time_header"):
        if lower in given:
            given[lower] = given[lower].lower()
    return Source(**given)


def _check_what_vouches(where: str, table: Mapping[str, Any]) -> None:
    if "secret_place" in table and table.get("scheme") != "secret":
        raise SettingsError(f'{where}: secret_place: it goes with scheme = "secret"')
    if len(ways := [way for way in ("header", "query", "secret_place") if table.get(way)]) > 1:
        raise SettingsError(f"{where}: {ways[1]}: what vouches for a notice stands in one place, {ways[0]} or this")
    if table.get("query") and table.get("scheme") == "standard":
        raise SettingsError(f"{where}: query: Standard Webhooks are signed in headers")


def _all_places(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each with the key that it stands under."""
    places = [(f"fields.{one}", place) for one, place in (table.get("fields") or {}).items()]
    places += [("type", place) for place in _places(table.get("type", "type"))]
    return [*places, *([("secret_place", table["secret_place"])] if "secret_place" in table else [])]


def _places(written: object) -> list[str]:
    return cast("list[str]", written if isinstance(written, list) else [written])


def _check(where: str, name: str, value: object) -> None:
    if name in _LISTS or (name == "type" and isinstance(value, list) and value):
        is_right = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
        expected = "a list of texts"
    elif name in ("fields", "stages"):
        is_right = isinstance(value, dict) and all(isinstance(one, str) and one for one in value.values())
        expected = "a table of texts"
        if is_right and name == "fields" and (odd := set(cast("dict[str, str]", value)) - set(FIELDS)):
            raise SettingsError(f"{where}: fields.{min(odd)[:40]}: one of {', '.join(FIELDS)}")
    else:
        choices = _CHOICES.get(name)
        is_right = isinstance(value, str) and (not choices or value in choices) and value.isprintable()
        expected = f"one of {', '.join(choices)}" if choices else "a text"
        if name in ("header", "time_header"):
            is_named = isinstance(value, str) and (bool(_HEADER.fullmatch(value)) or (not value and name != "header"))
            is_right, expected = is_named, "the name of a header"
        if name == "currency":
            is_right, expected = is_right and value in CURRENCY_EXPONENTS, "a currency of ISO 4217 such as EUR"
    if not is_right:
        raise SettingsError(f"{where}: {name}: expected {expected}")
