"""Which event of a request, and which of its members, an error of Meta's names. Mostly it names none.

The sentences around a path are translated, the path is not. Total: any JSON in any member of the error gives an answer.
"""

import re
from collections.abc import Mapping
from typing import Any

from conversion_relay.meta.headers import parse

_PATH = re.compile(r"\['data'\]\[([0-9]{1,4})\]((?:\['[A-Za-z0-9_]{1,64}'\]|\[[0-9]{1,4}\]){0,8})")
_MEMBER = re.compile(r"'([A-Za-z0-9_]+)'")
_LONGEST_TEXT = 1_000


def blamed(error: Mapping[str, Any]) -> tuple[int | None, tuple[str, ...]]:
    """The event's place in the batch and its member, from a JSON path in a text; else the member alone, from
    `error_data`.

    >>> blamed({"error_user_msg": "The parameter $['data'][3]['user_data']['em'] is required"})
    (3, ('user_data', 'em'))
    """
    for key in ("message", "error_user_msg", "error_user_title"):
        text = error.get(key)
        found = _PATH.search(text[:_LONGEST_TEXT]) if isinstance(text, str) else None
        if found:
            return int(found[1]), tuple(_MEMBER.findall(found[2]))
    return None, _field(error.get("error_data"))


def _field(data: object) -> tuple[str, ...]:
    """`error_data` is an object, or a text that holds one: {"blame_field_specs": [["custom_data", "currency"]]}."""
    if isinstance(data, str):
        data = parse(data.encode(errors="replace"))
    specs = data.get("blame_field_specs") if isinstance(data, dict) else None
    first = specs[0] if isinstance(specs, list) and specs else None
    if not isinstance(first, list) or not all(isinstance(part, str) for part in first):
        return ()
    return tuple(part[:64] for part in first[:8])
