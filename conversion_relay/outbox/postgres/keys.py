"""The two numbers of an event: its key, which says when it came, and its digest, by which a copy is known.

`key` is the number of the two days in which the event was accepted, then a number from the database's sequence. So
the order of keys is nearly the order of time, and a range of keys is one part of `event`, which is dropped whole.

`digest` takes 16 bytes instead of three texts: the unique index is 0.4 times as large. Its first half is of the event
id alone, so that an id is found by a range of the same index, whatever its dataset and name.
"""

import hashlib
import uuid

PERIOD_SECONDS = 2 * 86_400
NUMBER_BITS = 38
BLOCK = 1_024
"""Numbers that a process takes at once."""


def period_of(at: float) -> int:
    return int(at // PERIOD_SECONDS)


def first_key(period: int) -> int:
    return period << NUMBER_BITS


def digest(dataset: str, event_name: str, event_id: str) -> uuid.UUID:
    return uuid.UUID(bytes=digest_bytes(dataset, event_name, event_id))


def digest_bytes(dataset: str, event_name: str, event_id: str) -> bytes:
    whole = hashlib.blake2b("\0".join((dataset, event_name, event_id)).encode(), digest_size=8)
    return _of_id(event_id) + whole.digest()


def digests_of_id(event_id: str) -> tuple[uuid.UUID, uuid.UUID]:
    """The first and the last digest that an event of this id can have."""
    half = _of_id(event_id)
    return uuid.UUID(bytes=half + bytes(8)), uuid.UUID(bytes=half + b"\xff" * 8)


def _of_id(event_id: str) -> bytes:
    return hashlib.blake2b(event_id.encode(), digest_size=8).digest()
