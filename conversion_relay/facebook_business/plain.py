"""Values of whatever types a shop passes, as values that the door reads.

What could go wrong: NumPy's numbers, bytes of a database, generators, sets, or an object of the shop's own in one
member refuse the whole event, where docs/from-facebook-business.md says that the member alone is left out; or bytes are
hashed in another form than the text that they hold. So each value becomes JSON's, a Decimal or a date its
text, or LeftOut says why not, without the value. Total and bounded: no foreign method that raises goes
further than here, no list is read beyond MOST values, nothing deeper than DEEPEST.
"""

import datetime
import operator
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Any

import msgspec

from conversion_relay.intake.printable import printable_name
from conversion_relay.intake.values import LeftOut

Told = list[tuple[str, str]]
"""(path, reason) of what is left out; never a value."""
MOST, DEEPEST = 10_000, 30
_TEXTS = (datetime.time, datetime.timedelta, uuid.UUID)


def plain(value: Any) -> Any:
    """Raises LeftOut.

    >>> plain((b"a", {1})), plain(Decimal("9.50"))
    (['a', [1]], '9.50')
    """
    try:
        return _plain(value, 0)
    except LeftOut:
        raise
    except Exception:
        raise LeftOut("a value of a type that cannot be read") from None


def listed(values: Iterable[Any]) -> list[Any]:
    """Raises LeftOut for more than MOST, and where the list cannot be read."""
    try:
        found = list(islice(values, MOST + 1))
    except Exception:
        raise LeftOut("a list of a type that cannot be read") from None
    if len(found) > MOST:
        raise LeftOut(f"more than {MOST} values")
    return found


def is_several(value: Any) -> bool:
    """A list of any type; a text is one value."""
    return isinstance(value, (Sequence, Set, Iterator, ValuesView)) and not isinstance(
        value, str | bytes | bytearray | memoryview
    )


def given(shape: Any) -> dict[str, Any]:
    return {one.name: value for one in fields(shape) if (value := getattr(shape, one.name)) is not None}


def read(shape: Any, path: str, told: Told, but: Sequence[str] = ()) -> dict[str, Any]:
    """The members as plain values, without those that cannot be read. Also what a program set that is no member of the
    SDK's class, where it is lost in silence: the door reads it, or says that it has no such member."""
    names = [name for name, value in vars(shape).items() if value is not None and not name.startswith("_")]
    kept = {name: keep_a_list(shape, name) for name in names if name not in but}
    return read_all(kept, path, told)


def read_all(members: Mapping[Any, Any], path: str, told: Told) -> dict[str, Any]:
    found = {}
    for name, value in members.items():
        try:
            found[plain(name)] = plain(value)
        except LeftOut as why:
            shown = printable_name(name) if isinstance(name, str) else "*"
            told.append((f"{path}.{shown}" if path else shown, str(why)))
    return found


def keep_a_list(shape: Any, name: str) -> Any:
    """A generator gives its values once, and `normalize` and `execute` both ask: it becomes a list in its shape."""
    value = getattr(shape, name)
    if isinstance(value, Iterator):
        try:
            value = list(islice(value, MOST + 1))
        except Exception:
            value = object()
        setattr(shape, name, value)
    return value


def _plain(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise LeftOut(f"nested more than {DEEPEST} deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, depth + 1)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _text_of(bytes(value))
    if isinstance(value, datetime.date):  # also a datetime, and what pandas, pendulum and freezegun make of both
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(Decimal(value))
    if isinstance(value, _TEXTS):
        return msgspec.to_builtins(value)
    if isinstance(value, Mapping):
        pairs = listed(value.items())
        return {_plain(name, depth + 1): _plain(one, depth + 1) for name, one in pairs}
    if is_several(value):
        return [_plain(one, depth + 1) for one in listed(value)]
    return _plain(_of_its_type(value), depth + 1)


def _of_its_type(value: Any) -> Any:
    """NumPy's scalars, arrays and pandas' series; then any whole number, then any number."""
    kind = type(value)
    if isinstance(value, type):
        raise LeftOut("a class where a value belongs")
    if hasattr(kind, "tolist"):
        return value.tolist()
    if hasattr(kind, "__index__"):
        return operator.index(value)
    if hasattr(kind, "__float__"):
        return float(value)
    raise LeftOut("no text, number, list or object")


def _number(value: int | float) -> int | float:
    if isinstance(value, float):
        return float(value)
    if not -(2**63) <= value < 2**64:
        raise LeftOut("a whole number of more than 64 bits")
    return int(value)


def _text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise LeftOut("bytes that are no UTF-8") from None
