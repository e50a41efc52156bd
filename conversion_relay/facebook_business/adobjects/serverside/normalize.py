"""One value as Meta wants it: by Meta's own text, also where the SDK differs from it."""

import datetime
import hashlib
from typing import Any

from conversion_relay.meta.customer_information import Normalized, normalize

__all__ = ["Normalize"]


class Normalize:
    """`field`: Meta's name of a match key (`em`, `ph`, `zp`). None for a value that cannot be used; a TypeError is for
    a name that is no match key's."""

    @staticmethod
    def normalize_field(field: str, data: Any) -> str | None:
        """Its SHA-256."""
        return _of(field, data).sha256

    @staticmethod
    def normalize_field_skip_hashing(field: str, data: Any) -> str | None:
        """What would be hashed."""
        return _of(field, data).normalized

    @staticmethod
    def hash_sha_256(input: str | None) -> str | None:
        """Of the text as it is."""
        return None if input is None else hashlib.sha256(input.encode("utf-8", "replace")).hexdigest()


def _of(field: str, data: Any) -> Normalized:
    try:
        return normalize(field, "" if data is None else data, today=datetime.datetime.now(datetime.UTC).date())
    except KeyError:
        raise TypeError("field: the name of a match key is needed") from None
