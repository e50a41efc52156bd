"""The datasets that a request names beside its `data`."""

from typing import Annotated

import msgspec

from conversion_relay.event import Rejection

MOST_DATASETS = 10
"""That a caller may name for an event."""


def page_pixel(told: bytes | msgspec.Raw) -> str:
    """`dataset`: the pixel of a page that has several; "" for what is none.

    >>> page_pixel(b'"12"'), page_pixel(b"12"), page_pixel(b"{}")
    ('12', '12', '')
    """
    digits = bytes(told).strip(b'"')
    return digits.decode() if digits.isdigit() and len(digits) <= 20 else ""


def named_datasets(told: bytes | msgspec.Raw) -> tuple[str, ...] | Rejection:
    """`datasets`: pixel ids, as texts or numbers. What is none is no reason to send the event somewhere else.

    >>> named_datasets(msgspec.Raw(b'["1", 2, "1"]')), named_datasets(msgspec.Raw(b'"1"')).reason
    (('1', '2'), 'wrong_type')
    """
    try:
        names = tuple(dict.fromkeys(map(str, _decode(told))))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        names = ("",)
    if not all(name.isascii() and name.isdigit() for name in names):
        return Rejection("wrong_type", "datasets", f"datasets is an array of 1 to {MOST_DATASETS} pixel ids")
    return names


_PixelId = Annotated[str, msgspec.Meta(max_length=20)] | Annotated[int, msgspec.Meta(ge=0)]
_Ids = Annotated[list[_PixelId], msgspec.Meta(min_length=1, max_length=MOST_DATASETS)]
_decode = msgspec.json.Decoder(_Ids).decode
