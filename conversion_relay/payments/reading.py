"""Reads a provider's JSON without trusting its shape: what is missing or odd is None, never an exception.

Notices are read as plain objects and not into Structs, because `type` comes before everything else: a notice about
something that we do not know may have any shape, and is still genuine. What we need of a payment is then looked up by
path, and what is not of the expected kind counts as missing.
"""

import codecs
import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from conversion_relay.errors import InvalidEvent
from conversion_relay.intake.mending import decode_mended
from conversion_relay.intake.scrub import scrub_url
from conversion_relay.meta.customer_information.identifier import normalize_fbc, normalize_fbp
from conversion_relay.meta.customer_information.network import normalize_client_ip_address, normalize_user_agent
from conversion_relay.patterns import seldom
from conversion_relay.payments.notice import Context, Line, Money

MOST = Decimal(10) ** 12
MOST_EXACT = 2**53
"""Beyond it a float is one of several whole numbers."""
EARLIEST, LATEST, MILLISECONDS = 10**9, 10**10, 10**11
"""From 2001 to 2286, in seconds; above the last, a number counts milliseconds."""
LONGEST_KEY = 200
Exponents = Mapping[str, int]


def document_of(raw: bytes) -> dict[str, Any]:
    """The JSON object in these bytes. Raises InvalidEvent `unreadable`."""
    try:
        found = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = _mended(raw)
    if not isinstance(found, dict):
        raise InvalidEvent("unreadable", "body", "the body is not a JSON object in UTF-8; send what the provider sent")
    return found


_decoder = msgspec.json.Decoder()


def _mended(raw: bytes) -> Any:
    """What a strict decoder refuses and a sender's own writes: a name that was cut in an emoji, NaN, a byte order mark.
    The notice is genuine and no repeat would mend it, so it shall not cost the payment. None for what is no JSON."""
    try:
        return decode_mended(raw.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError):
        return None


def document_in(written: str) -> dict[str, Any] | None:
    """What a shop wrote as a document into a place for one text: JSON, or a form. Empty for one that cannot be read,
    None for a text that is none.

    >>> document_in('{"order_id": 7}'), document_in("order_id=7&consent=denied"), document_in("{7"), document_in("7")
    ({'order_id': 7}, {'order_id': '7', 'consent': 'denied'}, {}, None)
    """
    if written[:1] in tuple("{[\"'(<"):
        try:
            found = msgspec.json.decode(written)
        except (msgspec.DecodeError, ValueError, RecursionError):
            found = {}
        return found if isinstance(found, dict) else {}
    return dict(parse_qsl(written)) if _FORM.fullmatch(written) else None


_FORM = seldom(r"[^=&\s]{1,100}=[^=&]*(?:&[^=&\s]{1,100}=[^=&]*)+", re.ASCII)


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


def is_yes(found: object) -> bool:
    """A flag as JSON and as a form has it.

    >>> is_yes(True), is_yes("true"), is_yes(1), is_yes("false"), is_yes(None)
    (True, True, True, False, False)
    """
    if isinstance(found, str):
        return found.strip().lower() in ("true", "1", "yes", "on")
    return isinstance(found, int) and found == 1


def is_test(found: object) -> bool:
    """A mark of the test mode: a flag, or the mode by its name.

    >>> is_test(True), is_test("Test"), is_test("sandbox"), is_test("live"), is_test("false"), is_test(None)
    (True, True, True, False, False, False)
    """
    return is_yes(found) or (isinstance(found, str) and found.strip().lower() in ("test", "sandbox"))


def key(document: object, *paths: str) -> str | None:
    """A `text` that may name an order: printable, and no longer than an event id can hold."""
    found = text(document, *paths)
    return found if found and len(found) <= LONGEST_KEY and found.isprintable() else None


def members(document: object, path: str) -> list[dict[str, Any]]:
    """The objects in a list; nothing else."""
    found = at(document, path)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def whole(document: object, path: str) -> int | None:
    """A whole number, written as one, as its digits, or as a float that is one (4990.0)."""
    found = at(document, path)
    if isinstance(found, str) and re.fullmatch(r"-?[0-9]{1,15}", found, re.ASCII):
        return int(found)
    if isinstance(found, float) and found.is_integer() and abs(found) < MOST_EXACT:
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def seconds(document: object, *paths: str) -> int | None:
    """A moment in Unix seconds: a number of seconds or milliseconds, or ISO 8601 (without an offset it is UTC; Ruby's
    "UTC" and "+0000" behind a space, too). What is written where there is none (0, the years 1, 1970 and 9999) is no
    moment.

    >>> seconds({"a": 0, "b": "1790000000123"}, "a", "b"), seconds({"a": "0001-01-01T00:00:00Z"}, "a")
    (1790000000, None)
    >>> seconds({"a": 1790000000.53355}, "a"), seconds({"a": "2026-09-21 14:13:20 UTC"}, "a")
    (1790000000, 1790000000)
    """
    for path in paths:
        found = at(document, path)
        moment = _counted(found) if (exact := whole(document, path)) is None else exact
        if moment is None and isinstance(found, str):
            moment = _iso(found)
        elif moment is not None and moment >= MILLISECONDS:
            moment //= 1000
        if moment is not None and EARLIEST <= moment < LATEST:
            return moment
    return None


def _counted(found: object) -> int | None:
    """A count with a fraction, as Python's `time.time()` is."""
    if isinstance(found, str):
        return int(found.strip().partition(".")[0]) if _FRACTION.fullmatch(found.strip()) else None
    return int(found) if isinstance(found, float) and EARLIEST <= found < LATEST * 1000 else None


_FRACTION = seldom(r"[0-9]{10,13}\.[0-9]{1,12}", re.ASCII)
_ZONE = seldom(r" (?:UTC|GMT|Z|([+-][0-9]{2}:?[0-9]{2}))\Z", re.ASCII)


def _iso(written: str) -> int | None:
    written = written.strip()
    if len(written) <= 40 and (zone := _ZONE.search(written)):
        written = written[: zone.start()] + (zone[1] or "Z")
    try:
        moment = datetime.datetime.fromisoformat(written)
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
    >>> decimal_of("49.90"), decimal_of(49.9), decimal_of("NaN"), decimal_of(True), decimal_of("1_000")
    (Decimal('49.90'), Decimal('49.9'), None, None, None)
    """
    if isinstance(written, bool) or not isinstance(written, int | float | str) or len(str(written)) > 30:
        return None
    # Not all that `Decimal` takes: also underscores, other scripts' digits, and what is too small to be told from 0.
    found = str(written).strip()
    return Decimal(found) if _DECIMAL.fullmatch(found) else None


_DECIMAL = seldom(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)


def _bounded(amount: Decimal | None, code: str) -> Money:
    if amount is None or not 0 <= amount < MOST:
        return Money(None, code, "not_an_amount")
    return Money(amount, code)


def context_of(*given: object) -> Context:
    """What stands in metadata under Meta's names (also `_fbp`, `_fbc`, `user_agent`, `ip`); the first place counts. A
    provider without metadata has one text, into which a shop writes a document.

    What Meta could not read is not said: a template writes "undefined" where it knows nothing, or its own server's
    address, and that must not hide what the remembered visit knows, nor make a page of a website out of nothing.
    """
    places = [document_in(place) if isinstance(place, str) else place for place in given]

    def first(read: Callable[[str], object], *names: str) -> str | None:
        said = (text(place, *names) for place in places)
        return next((found for found in said if found and isinstance(read(found), str)), None)

    return Context(
        fbp=first(normalize_fbp, "fbp", "_fbp"),
        fbc=first(normalize_fbc, "fbc", "_fbc"),
        client_ip_address=first(normalize_client_ip_address, "client_ip_address", "ip"),
        client_user_agent=first(normalize_user_agent, "client_user_agent", "user_agent"),
        event_source_url=first(scrub_url, "event_source_url"),
        consent=next((found for place in places if (found := _consent(place))), None),
    )


def _consent(place: object) -> Literal["granted", "denied"] | None:
    """A yes is Meta's word alone, since "yes" may be to the terms of sale; a no is heard in any word for it."""
    if at(place, "consent") is False:
        return "denied"
    said = (text(place, "consent", "marketing_consent") or "").lower()
    if said in ("denied", "granted"):
        return "denied" if said == "denied" else "granted"
    return "denied" if (text(place, "consent") or "").lower() in _NO else None


_NO = frozenset(
    {"false", "no", "0", "deny", "declined", "refused", "rejected", "revoked", "withdrawn", "optout", "opt_out"}
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
