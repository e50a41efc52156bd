"""One value of any JSON type as the object or the text that a member needs."""

from collections.abc import Callable
from typing import Any

import msgspec

from conversion_relay.intake.mending import whole_text


class LeftOut(Exception):
    """This member is left out; the argument says why."""


def object_in(given: object) -> dict[str, Any] | None:
    """An object, also as JSON text or alone in a list; None for what is empty. Raises LeftOut.

    >>> object_in('{"a": 1}'), object_in([]), object_in([{"a": 1}])
    ({'a': 1}, None, {'a': 1})
    """
    if isinstance(given, str):
        if not given.strip():
            return None
        try:
            given = _decoder.decode(given)
        except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            raise LeftOut("no object") from None
    if isinstance(given, list) and len(given) == 1:
        (given,) = given
    if not given:
        return None
    if not isinstance(given, dict):
        raise LeftOut("no object")
    return given


def one_text(given: object, mend: Callable[[str], str] = whole_text) -> str:
    """A text as `mend` writes it, a whole number as its digits, or the only one of a list. Raises LeftOut.

    >>> one_text("a"), one_text(42.0), one_text(["a"])
    ('a', '42', 'a')
    """
    if isinstance(given, list) and len(given) == 1:
        (given,) = given
    if isinstance(given, str):
        return mend(given)
    if given is None or given == []:
        return ""
    if isinstance(given, int | float) and not isinstance(given, bool) and given == given // 1 and abs(given) < 2**53:
        return str(int(given))
    raise LeftOut("neither text nor whole number")


_decoder = msgspec.json.Decoder()
