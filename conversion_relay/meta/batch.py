"""How many events go to Meta in one request, and how a refused request is halved.

"You can send up to 1,000 events in data": https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api
Meta documents no limit in bytes; delivery begins with MOST_BYTES and learns (`delivery/request_size.py`).
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Protocol, TypeVar

MOST_EVENTS = 1_000
MOST_BYTES = 4 * 1_048_576


class Sized(Protocol):
    """Anything with the sealed bytes of one event."""

    @property
    def body(self) -> bytes: ...


Packed = TypeVar("Packed", bound=Sized)


def pack(events: Sequence[Packed], most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> list[list[Packed]]:
    """Batches in the order given, each within both limits; an oversized event stands alone."""
    if 0 < len(events) <= most_events and size_of(events) <= most_bytes:  # nearly always
        return [list(events)]
    batches: list[list[Packed]] = []
    size = 0
    for event in events:
        cost = len(event.body) + 1
        if not batches or len(batches[-1]) >= most_events or size + cost > most_bytes:
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += cost
    return batches


def size_of(events: Sequence[Sized]) -> int:
    """Bytes, with a comma for each."""
    return sum(map(len, map(_body, events))) + len(events)


_body = attrgetter("body")


def halve(batch: Sequence[Packed]) -> tuple[list[Packed], list[Packed]]:
    """Both halves of a batch of at least two; each is sent by itself to find what Meta refused.

    >>> from collections import namedtuple
    >>> [len(half) for half in halve([namedtuple("E", "body")(b"")] * 5)]
    [3, 2]
    """
    middle = (len(batch) + 1) // 2
    return list(batch[:middle]), list(batch[middle:])
