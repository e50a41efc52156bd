"""What a program takes from its database, its form or its data frame, as JSON has it: values of other libraries' types.

What cannot be told by its type alone stays without a form. No library is imported: a type is known by what it has.
"""

import datetime
import operator
from collections import deque
from collections.abc import KeysView, Mapping, ValuesView
from typing import Any

OCTETS = (bytes, bytearray, memoryview)
"""What databases give for a text; never base64 of it, as msgspec makes of them."""


def json_form(value: object) -> int | float | str | bytes | dict[Any, Any] | list[Any] | None:
    """For `enc_hook` of msgspec, which asks about types that it does not know: numbers of other libraries (numpy's,
    fractions) as Python's; texts that are translated when they are read, addresses of `ipaddress` and numbers of
    `phonenumbers` as texts; subclasses of dates (pandas', freezegun's) and of bytes and other mappings as what they
    are; arrays, columns and views as lists, pandas' `NA` as nothing. Raises TypeError for anything else.

    >>> json_form(deque([1, 2]))
    [1, 2]
    """
    kind = type(value)
    if issubclass(kind, str):  # Django's lazy objects only say that they are texts
        return str.__str__(value)
    if isinstance(value, datetime.date):  # a datetime is one, too; no other class is called, freezegun replaces them
        return value.isoformat()
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, Mapping):
        return dict(value)
    if (hasattr(value, "casefold") and hasattr(value, "splitlines")) or hasattr(value, "max_prefixlen"):
        return str(value)
    if hasattr(value, "national_number") and hasattr(value, "italian_leading_zero"):
        return _phone(value)
    if isinstance(value, KeysView | ValuesView | deque):
        return list(value)
    if hasattr(value, "__len__") and hasattr(value, "tolist"):
        return value.tolist()  # type: ignore[no-any-return]
    if kind.__name__ == "NAType":
        return None
    if kind.__name__.startswith("bool"):  # numpy's; its float would be an amount
        return bool(value)
    if hasattr(value, "__index__"):
        return operator.index(value)
    if hasattr(value, "__float__"):
        return float(value)
    raise TypeError(f"{kind.__name__}: a value of this type has no JSON form")


def _phone(number: Any) -> str:
    """E.164; of django-phonenumber-field's that is no number, what was typed."""
    if not number.country_code:
        return str(getattr(number, "raw_input", None) or "")
    zeros = "0" * (number.number_of_leading_zeros or 1) if number.italian_leading_zero else ""
    return f"+{number.country_code}{zeros}{number.national_number}"
