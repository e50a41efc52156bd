"""JSON that a strict decoder refuses: read all the same, and brought into a form that can be sent.

What stands in real traffic and is no JSON, or none that Meta could be sent: `NaN` and `Infinity` (Python's json writes
them), half of a surrogate pair (a text that was cut in an emoji), bytes of another charset, numbers that no 64 bits
hold. What is certain stays: the half becomes U+FFFD, as browsers and Meta do it. What has no meaning is left out, told.

https://datatracker.ietf.org/doc/html/rfc8259#section-8.2
"""

import math
import re
from collections.abc import Callable
from typing import Any

import msgspec

from conversion_relay.patterns import seldom

DEEPEST = 32
"""Objects and lists within each other: parsers and encoders, ours and Meta's, have a limit."""
_MOST_DIGITS = 400
_PAIR = seldom(r"[\ud800-\udbff][\udc00-\udfff]")
_HALF_PAIR = seldom(r"[\ud800-\udfff]")
NOT_A_NUMBER = "no number of JSON's with at most 64 bits"
SMALLEST, LARGEST = -(2**63), 2**64 - 1
"""What 64 bits hold. Readers in most languages make a float of what is larger, and one id of two."""
Tell = Callable[[str, str], None]
"""Is given the path and the reason of what is left out."""


def decode(raw: bytes) -> object:
    """The value, however odd its tokens. Raises ValueError for what is no JSON, RecursionError for what is too deep.

    >>> decode(b'{"a": NaN, "b": 1}'), decode(b'"Mug \\\\ud83d"').encode("utf-8", "replace")
    ({'a': nan, 'b': 1}, b'Mug ?')
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        import json  # for what is odd alone: every program would pay for it at its start

        # A byte of another charset becomes half of a pair that only it has: `kept_apart` still tells it from others.
        return json.loads(raw.decode("utf-8", "surrogateescape"), parse_int=_integer)


def _integer(digits: str) -> int | float:
    # Python reads a number of n digits in n**2 steps.
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def mended(value: Any, path: str, tell: Tell, text: Callable[[str], str] | None = None) -> Any:
    """The value as it can be sent; None for a number that cannot. At most DEEPEST + 1 levels may be in it. `text`: how
    its texts are written, in place of `whole_text`.

    >>> told = []
    >>> mended({"a": ["\\ud83d", float("nan")], "b": 2**70, "c": 1}, "custom_data", lambda *what: told.append(what))
    {'a': ['\ufffd'], 'c': 1}
    >>> [path for path, _ in told]
    ['custom_data.a', 'custom_data.b']
    """
    if isinstance(value, str):
        return (text or whole_text)(value)
    if isinstance(value, dict):
        kept = (
            (whole_text(str(name)), mended(member, f"{path}.{name[:100]}", tell, _OF_IDS.get(name, text)))
            for name, member in value.items()
        )
        return {name: member for name, member in kept if member is not None}
    if isinstance(value, list | tuple):
        return [kept for item in value if (kept := mended(item, path, tell, text)) is not None]
    if (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and not fits_64_bits(value)):
        tell(path, NOT_A_NUMBER)
        return None
    return value


def decode_mended(raw: bytes) -> Any:
    """`decode`, then `mended`, of what may be of any depth; nobody is told what is left out. Raises as `decode`.

    >>> decode_mended(b'{"a": ["Mug \\\\ud83d", NaN]}')
    {'a': ['Mug \ufffd']}
    """
    found = decode(raw)
    if is_too_deep(found):
        raise RecursionError
    return mended(found, "", lambda *_: None)


def whole_text(text: str) -> str:
    """The text with U+FFFD where half of a surrogate pair stood.

    >>> whole_text("Mug \\ud83d"), whole_text("\\ud83d\\ude00")
    ('Mug \ufffd', '😀')
    """
    if _HALF_PAIR.search(text) is None:
        return text
    # Not by the codecs: with "replace" they take a microsecond for each half.
    return _HALF_PAIR.sub("\ufffd", _PAIR.sub(_joined, text))


def kept_apart(text: str) -> str:
    r"""The text of an id, with each half of a surrogate pair written out: by one mark for all of them two ids would be
    one, and Meta counts one event of two. In a text that is JSON it is an escape, and is read as what it was.

    >>> kept_apart("kurs-\udce9"), kept_apart("\ud83d\ude00")
    ('kurs-\\udce9', '😀')
    """
    if _HALF_PAIR.search(text) is None:
        return text
    return _HALF_PAIR.sub(lambda half: f"\\u{ord(half[0]):x}", _PAIR.sub(_joined, text))


_OF_IDS = dict.fromkeys(("event_id", "event_ids", "order_id", "key"), kept_apart)
"""`key`: of a visitor, who is known by the order's id or by the end of the event's."""


def _joined(pair: re.Match[str]) -> str:
    high, low = map(ord, pair[0])
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def is_too_deep(value: object, left: int = DEEPEST + 1) -> bool:
    """Whether objects or lists are nested deeper than `left`.

    >>> is_too_deep([[1]], 1), is_too_deep([[1]], 2)
    (True, False)
    """
    if isinstance(value, dict):
        return left == 0 or any(is_too_deep(member, left - 1) for member in value.values())
    if isinstance(value, list):
        return left == 0 or any(is_too_deep(member, left - 1) for member in value)
    return False


def fits_64_bits(number: int) -> bool:
    """
    >>> fits_64_bits(2**64 - 1), fits_64_bits(2**64)
    (True, False)
    """
    return SMALLEST <= number <= LARGEST


def may_be_too_large(encoded: bytes) -> bool:
    """Whether this JSON could hold a whole number that 64 bits do not.

    >>> may_be_too_large(b'[18446744073709551616]'), may_be_too_large(b'["a-12345"]')
    (True, False)
    """
    return encoded.translate(_DIGITS_AS_ZEROS).find(_MANY_ZEROS) >= 0


# An expression would look at each digit anew: a tenth of the careful way.
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_MANY_ZEROS = b"0" * 19
_decoder = msgspec.json.Decoder()
