"""Reads a provider's JSON without trusting its shape: what is missing or odd is None, never an exception.

Notices are read as plain objects and not into Structs, because `type` comes before everything else: a notice about
something that we do not know may have any shape, and is still genuine. What we need of a payment is then looked up by
path, and what is not of the expected kind counts as missing.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import msgspec

from conversion_relay.errors import InvalidEvent
from conversion_relay.payments.notice import Context, Line, Money

MOST = Decimal(10) ** 12
LONGEST_KEY = 200
Exponents = Mapping[str, int]


def document_of(raw: bytes) -> dict[str, Any]:
    """The JSON object in these bytes. Raises InvalidEvent `unreadable`."""
    try:
        found = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidEvent("unreadable", "body", "the body is not a JSON object in UTF-8; send what the provider sent")
    return found


_decoder = msgspec.json.Decoder()


def at(document: object, path: str) -> Any:
    """What stands at this path of names and positions, None for nothing.

    >>> at({"data": {"lines": [{"id": 5}]}}, "data.lines.0.id"), at({"data": None}, "data.lines")
    (5, None)
    """
    found = document
    for name in path.split("."):
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isascii() and name.isdecimal() and len(name) < 4:
            found = found[int(name)] if int(name) < len(found) else None
        else:
            return None
    return found


def text(document: object, *paths: str) -> str | None:
    """The first of these places that holds a text or a whole number, as text; blank is nothing."""
    for path in paths:
        found = at(document, path)
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if isinstance(found, str) and found.strip():
            return found.strip()
    return None


def key(document: object, *paths: str) -> str | None:
    """A `text` that may name an order: printable, and no longer than an event id can hold."""
    found = text(document, *paths)
    return found if found and len(found) <= LONGEST_KEY and found.isprintable() else None


def members(document: object, path: str) -> list[dict[str, Any]]:
    """The objects in a list; nothing else."""
    found = at(document, path)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def whole(document: object, path: str) -> int | None:
    """A whole number, written as one or as its digits."""
    found = at(document, path)
    if isinstance(found, str) and re.fullmatch(r"-?[0-9]{1,15}", found, re.ASCII):
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def seconds(document: object, *paths: str) -> int | None:
    """A moment in Unix seconds: a number of seconds, or ISO 8601 (without an offset it is UTC)."""
    for path in paths:
        found = at(document, path)
        if isinstance(found, int) and not isinstance(found, bool) and 0 < found < 10**11:
            return found
        if isinstance(found, str) and (moment := _iso(found)) is not None:
            return moment
    return None


def _iso(written: str) -> int | None:
    try:
        moment = datetime.datetime.fromisoformat(written.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def in_minor_units(amount: int | None, currency: str | None, exponents: Exponents) -> Money:
    """Money that is counted in the currency's smallest unit, by this provider's own table.

    >>> in_minor_units(12000, "jpy", {"JPY": 0}).amount, in_minor_units(1, "xts", {}).problem
    (Decimal('12000'), 'unknown_currency')
    """
    code = (currency or "").upper()
    digits = exponents.get(code)
    if digits is None:
        return Money(None, code[:3], "unknown_currency")
    return _bounded(None if amount is None else Decimal(amount).scaleb(-digits), code)


def in_major_units(amount: object, currency: str | None, exponents: Exponents) -> Money:
    """Money that is written as a decimal number, in text or as a number."""
    code = (currency or "").upper()
    if code not in exponents:
        return Money(None, code[:3], "unknown_currency")
    return _bounded(decimal_of(amount), code)


def decimal_of(written: object) -> Decimal | None:
    """
    >>> decimal_of("49.90"), decimal_of(49.9), decimal_of("NaN"), decimal_of(True)
    (Decimal('49.90'), Decimal('49.9'), None, None)
    """
    if isinstance(written, bool) or not isinstance(written, int | float | str) or len(str(written)) > 30:
        return None
    try:
        found = Decimal(str(written).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _bounded(amount: Decimal | None, code: str) -> Money:
    if amount is None or not 0 <= amount < MOST:
        return Money(None, code, "not_an_amount")
    return Money(amount, code)


def context_of(*given: object) -> Context:
    """What stands in metadata under Meta's names (also `_fbp`, `_fbc`, `user_agent`, `ip`); the first place counts."""

    def first(*names: str) -> str | None:
        return next((found for place in given if (found := text(place, *names))), None)

    consent = first("consent", "marketing_consent")
    return Context(
        fbp=first("fbp", "_fbp"),
        fbc=first("fbc", "_fbc"),
        client_ip_address=first("client_ip_address", "ip"),
        client_user_agent=first("client_user_agent", "user_agent"),
        event_source_url=first("event_source_url"),
        consent=cast("Any", consent) if consent in ("granted", "denied") else None,
    )


def pairs(document: object, path: str, name: str = "name", value: str = "value") -> dict[str, Any]:
    """A list of {name, value} as one object; the first of a name counts."""
    found: dict[str, Any] = {}
    for one in members(document, path):
        if isinstance(one.get(name), str):
            found.setdefault(one[name], one.get(value))
    return found


def lines_of(
    items: Sequence[Mapping[str, Any]], ids: Sequence[str], price: str = "", title: str = ""
) -> tuple[Line, ...]:
    """An order's positions; those without an id are left out. `price` names a decimal number in the major unit."""
    found = []
    for item in items[:200]:
        if name := key(item, *ids):
            cost = decimal_of(at(item, price)) if price else None
            quantity = whole(item, "quantity") or 1
            found.append(Line(name, max(1, quantity), cost if cost is None or cost >= 0 else None, text(item, title)))
    return tuple(found)
