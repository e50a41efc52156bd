"""`custom_data` in the form that Meta takes: amounts, texts, and the lines of `contents`.

Meta refuses a whole request for one name in `contents` that it does not know (100 / 2804019, "Unexpected key"), and
shops fill it with what GA4 or their own cart calls a line. So names whose meaning is certain are translated, and the
others are taken off and told. Properties of one's own beside `contents` stay as they are: there Meta takes any.

Amounts are numbers of JSON, or text of a plain decimal number ("12.50"). Everything else that looks like one reads
differently from country to country ("1,000") or from program to program ("1_000"), so `value` is then refused with the
remedy, and an amount that nobody needs is left out.
https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/custom-data
"""

import math
import re
from typing import Annotated, Any, get_args

import msgspec

from conversion_relay.event import DeliveryCategory
from conversion_relay.intake.flattened import is_numbered
from conversion_relay.intake.mending import LARGEST, SMALLEST, Tell
from conversion_relay.intake.printable import printable_name
from conversion_relay.meta.sent_members import CONTENT_NAMES

# GA4 items, Segment's and RudderStack's products, Meta's SDKs. The first that is there counts.
_SAME_AS = {
    "id": ("item_id", "product_id", "content_id", "sku", "itemId", "productId"),
    "item_price": ("price", "itemPrice"),
    "title": ("item_name", "itemName"),
    "brand": ("item_brand", "itemBrand"),
    "category": ("item_category", "itemCategory"),
    "quantity": ("qty", "item_quantity"),
    "delivery_category": ("deliveryCategory",),
}
MOST_TOLD = 50
"""Reasons in one answer; a thousand lines of contents have a thousand times the same."""
_PLAIN_DECIMAL = re.compile(r"-?\d{1,15}(?:\.\d{1,12})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,15}", re.ASCII)
_UNKNOWN = "Meta knows no such name in contents and would refuse the request"
_NO_AMOUNT = "no amount: a number such as 299.99 without sign of a currency or thousands"


def plain_number(given: object) -> int | float | None:
    """An amount as Meta reads it; None for what is none.

    >>> plain_number("12.50"), plain_number(3), plain_number("1_000"), plain_number("12,50"), plain_number(True)
    (12.5, 3, None, None, None)
    """
    if type(given) is int or (type(given) is float and math.isfinite(given)):
        return given
    if isinstance(given, str) and len(given) < 32 and _PLAIN_DECIMAL.fullmatch(given):
        return float(given) if "." in given else int(given)
    return None


def tidy(custom: dict[str, Any], tell: Tell) -> None:
    """Brings a `custom_data` into Meta's form, in place. `value` stays as it came where it is no amount: the rules of
    `meta.validate` refuse it, and say why.

    >>> custom = {"value": "12.50", "contents": [{"item_id": "SKU-1", "price": "6.25", "index": 0}]}
    >>> told = []
    >>> tidy(custom, lambda *what: told.append(what)); custom, [path for path, _ in told]
    ({'value': 12.5, 'contents': [{'id': 'SKU-1', 'item_price': 6.25}]}, ['custom_data.contents[].index'])
    """
    try:
        msgspec.convert(custom, Clean)
    except (msgspec.ValidationError, UnicodeEncodeError):
        _tidy(custom, tell)


def _tidy(custom: dict[str, Any], tell: Tell) -> None:
    odd = [name for name, value in custom.items() if name in _PLAIN and type(value) not in _PLAIN[name]]
    for name in odd:
        read, reason = _member(name, custom[name])
        if reason:
            tell(f"custom_data.{name}", reason)
        if read is None:
            del custom[name]
        else:
            custom[name] = read
    if custom.get("predicted_ltv", 1) <= 0:  # Meta's own samples send "0.00"; it is optional, so the event stays
        del custom["predicted_ltv"]
        tell("custom_data.predicted_ltv", "Meta takes a positive one alone")
    if isinstance(ids := custom.get("content_ids"), list):
        custom["content_ids"] = _ids(ids, tell)
        if ids and not custom["content_ids"]:
            del custom["content_ids"]
    if "contents" in custom:
        _contents(custom, tell)


def _ids(given: list[Any], tell: Tell) -> list[Any]:
    """Texts and numbers; of a line of `contents` its id."""
    ids = [_id(item.get("id") if isinstance(item, dict) else item) for item in given]
    kept = [item for item in ids if type(item) in (str, int, float) and item != ""]
    if len(kept) < len(ids):
        tell("custom_data.content_ids", "neither text nor number, or empty")
    return kept


def _id(given: Any) -> Any:
    """Tables of numbers make floats of ids: 1001.0 is in no catalogue, and is no order's number."""
    return int(given) if isinstance(given, float) and given.is_integer() and abs(given) < 2**53 else given


def _member(name: str, given: object) -> tuple[Any, str | None]:
    """What a member of another type comes to, and why it is left out."""
    if given is None or given == "":
        return None, None
    if name in ("value", "predicted_ltv", "net_revenue"):
        amount = plain_number(given)
        if amount is None and name == "value":
            return NOT_AN_AMOUNT, None
        return amount, None if amount is not None else _NO_AMOUNT
    if name in ("content_ids", "contents"):
        return _list(given)
    if name == "num_items":
        number = _whole(given)
        return number, None if number is not None else "no whole number"
    if isinstance(given, list) and len(given) == 1:
        (given,) = given
    if isinstance(given, str | int | float) and (not isinstance(given, bool) or name == "status"):
        return _id(given) if name == "order_id" else given, None
    return None, "neither text nor number"


def _list(given: object) -> tuple[Any, str | None]:
    if isinstance(given, str) and given.lstrip()[:1] in ("[", "{"):
        try:
            given = _decoder.decode(given)
        except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            return None, "no JSON"
    if isinstance(given, dict):  # PHP writes a list with a hole as an object: {"0": ..., "2": ...}
        given = list(given.values()) if is_numbered(given) else [given]
    if isinstance(given, str | int | float) and not isinstance(given, bool):
        return [given], None
    return (given, None) if isinstance(given, list) else (None, "no list")


def _contents(custom: dict[str, Any], tell: Tell) -> None:
    told = dict[tuple[str, str], None]()
    lines = [read for line in custom["contents"] if (read := _line(line, told)) is not None]
    for path, reason in list(told)[:MOST_TOLD]:
        tell(path, reason)
    if lines:
        custom["contents"] = lines
    else:
        del custom["contents"]


def _line(given: Any, told: dict[tuple[str, str], None]) -> dict[str, Any] | None:
    """One line in Meta's names. Without an id it is no line: Meta would not know of what."""
    if not isinstance(given, dict):
        told["custom_data.contents[]", "no object with an id"] = None
        return None
    line: dict[str, Any] = {name: given[name] for name in CONTENT_NAMES if given.get(name) not in (None, "")}
    for name, others in _SAME_AS.items():
        for other in others:
            if name not in line and given.get(other) not in (None, ""):
                line[name] = given[other]
    translated = {other for others in _SAME_AS.values() for other in others}
    for name in given.keys() - CONTENT_NAMES - translated:
        told[f"custom_data.contents[].{printable_name(name)}", _UNKNOWN] = None
    for name in list(line):
        read, reason = _of_line(name, line[name])
        if reason:
            told[f"custom_data.contents[].{name}", reason] = None
        line[name] = read
    line = {name: line[name] for name in _Line.__struct_fields__ if line.get(name) is not None}
    if "id" not in line:
        told["custom_data.contents[]", "no id"] = None
        return None
    return line


def _of_line(name: str, given: object) -> tuple[Any, str | None]:
    if name == "item_price":
        amount = plain_number(given)
        return amount, None if amount is not None else _NO_AMOUNT
    if name == "quantity":
        number = _whole(given)
        return number, None if number is not None else "no whole number"
    if name == "delivery_category":
        known = given in get_args(DeliveryCategory)
        return (given, None) if known else (None, f"send one of {', '.join(sorted(get_args(DeliveryCategory)))}")
    given = _id(given)
    if isinstance(given, str | int) and not isinstance(given, bool):
        return (given if name == "id" else str(given)), None
    return None, "neither text nor whole number"


def _whole(given: object) -> int | None:
    if isinstance(given, float) and given.is_integer() and abs(given) < 2**53:
        return int(given)
    if isinstance(given, str) and len(given) < 16 and _WHOLE.fullmatch(given):
        return int(given)
    return given if type(given) is int else None


_Text = str | msgspec.UnsetType
# msgspec compares with 63 bits: what one more holds is looked at twice, too.
_Integer = Annotated[int, msgspec.Meta(ge=SMALLEST, le=LARGEST // 2)]
_Amount = _Integer | float | msgspec.UnsetType
_Positive = Annotated[int, msgspec.Meta(gt=0, le=LARGEST // 2)] | Annotated[float, msgspec.Meta(gt=0)]


class _Line(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    id: str
    quantity: _Integer | msgspec.UnsetType = msgspec.UNSET
    item_price: _Amount = msgspec.UNSET
    title: _Text = msgspec.UNSET
    description: _Text = msgspec.UNSET
    brand: _Text = msgspec.UNSET
    category: _Text = msgspec.UNSET
    delivery_category: DeliveryCategory | msgspec.UnsetType = msgspec.UNSET


class Clean(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A `custom_data` in which nothing has to be looked at twice. One step of msgspec's tells; most events pass."""

    value: _Amount = msgspec.UNSET
    currency: _Text = msgspec.UNSET
    content_name: _Text = msgspec.UNSET
    content_category: _Text = msgspec.UNSET
    content_type: _Text = msgspec.UNSET
    content_ids: list[str | _Integer] | msgspec.UnsetType = msgspec.UNSET
    contents: list[_Line] | msgspec.UnsetType = msgspec.UNSET
    num_items: _Integer | msgspec.UnsetType = msgspec.UNSET
    order_id: str | _Integer | msgspec.UnsetType = msgspec.UNSET
    search_string: _Text = msgspec.UNSET
    status: str | bool | msgspec.UnsetType = msgspec.UNSET
    predicted_ltv: _Positive | msgspec.UnsetType = msgspec.UNSET
    net_revenue: _Amount = msgspec.UNSET


class Known(Clean, forbid_unknown_fields=True):
    """The same without properties of one's own: written as JSON, it is the `custom_data`."""


NOT_AN_AMOUNT = object()
"""Stands for a `value` that is no amount, until the door refuses it; never in an event."""
_AMOUNT, _TEXT, _LIST = frozenset({int, float}), frozenset({str}), frozenset({list})
_PLAIN: dict[str, frozenset[type]] = {
    "value": _AMOUNT,
    "predicted_ltv": _AMOUNT,
    "net_revenue": _AMOUNT,
    "num_items": frozenset({int}),
    "currency": _TEXT,
    "content_name": _TEXT,
    "content_category": _TEXT,
    "content_type": _TEXT,
    "search_string": _TEXT,
    "order_id": frozenset({str, int}),
    "status": frozenset({str, bool}),
    "content_ids": _LIST,
    "contents": _LIST,
}
"""The types that need no second look. A name that is not here is a property of one's own."""
_decoder = msgspec.json.Decoder()
# Described now: msgspec crashes where several threads convert to it for the first time.
CLEAN: msgspec.json.Decoder[Clean] = msgspec.json.Decoder(Clean)
"""Takes the JSON of a `custom_data` that `tidy` would leave as it is."""
