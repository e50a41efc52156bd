"""Whether exactly the expected events came out of a page. Pure.

Meta counts a conversion once when pixel and server say the same name and id, so for `sides: both` each side must have
sent each conversion once, under one id. An event that nobody expected is a finding, too: it would be counted.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.cli.expect.plan import Wanted

WHO = {"server": "the server", "browser": "the pixel"}


class Seen(msgspec.Struct, frozen=True):
    """One event as the stand-in got it."""

    event: dict[str, Any]
    source: str
    dataset: str

    @property
    def name(self) -> str:
        return str(self.event.get("event_name", ""))


class Finding(msgspec.Struct, frozen=True):
    event: str
    what: str


def judge(wanted: Sequence[Wanted], seen: Sequence[Seen], pixel: str) -> list[Finding]:
    """What differs; nothing when all is as expected."""
    found: list[Finding] = []
    for expected in wanted:
        mine = [one for one in seen if one.name == expected.event]
        found += [Finding(expected.event, what) for what in _differences(expected, mine)]
    named = {expected.event for expected in wanted}
    for (name, source), n in Counter((one.name, one.source) for one in seen if one.name not in named).items():
        found.append(Finding(name, f"nobody expects it, and {WHO[source]} sent {n}"))
    for dataset in sorted({one.dataset for one in seen} - {pixel}):
        names = ", ".join(sorted({one.name for one in seen if one.dataset == dataset}))
        found.append(Finding(names, f"went to dataset {dataset}; the file names {pixel}"))
    return found


def is_complete(wanted: Sequence[Wanted], seen: Sequence[Seen]) -> bool:
    """As many came as are expected: there is no need to wait longer for the rest."""
    return all(
        sum(one.name == expected.event and one.source == side for one in seen) >= expected.count
        for expected in wanted
        for side in _sides(expected)
    )


def _sides(wanted: Wanted) -> tuple[str, ...]:
    return ("server", "browser") if wanted.sides == "both" else (wanted.sides,)


def _differences(wanted: Wanted, mine: Sequence[Seen]) -> Iterable[str]:
    sides = _sides(wanted)
    for source, who in WHO.items():
        n, expected = sum(one.source == source for one in mine), wanted.count if source in sides else 0
        if n != expected:
            yield f"{who} sent {n}, expected {expected}"
    yield from _ids(wanted, mine)
    for source in sides:
        for one in mine:
            if one.source == source:
                yield from _values(wanted, one.event, WHO[source])
    for one in mine:
        missing = [key for key in wanted.keys if key not in one.event.get("user_data", {})]
        if one.source == "server" and missing:
            yield f"the server's copy carries no {', '.join(missing)}"


def _ids(wanted: Wanted, mine: Sequence[Seen]) -> Iterable[str]:
    ids = {source: [one.event.get("event_id") for one in mine if one.source == source] for source in WHO}
    for source, those in ids.items():
        named = [one for one in those if one]
        if wanted.sides == "both" and len(named) < len(those):
            yield f"{WHO[source]} sent it without an event_id"
        if len(set(named)) < len(named):
            yield f"{WHO[source]} sent one id more than once"
    if wanted.sides == "both" and ids["server"] and ids["browser"] and set(ids["server"]) != set(ids["browser"]):
        yield "pixel and server carry different ids, so Meta counts both"


def _values(wanted: Wanted, event: Mapping[str, Any], who: str) -> Iterable[str]:
    custom = event.get("custom_data", {})
    if wanted.value is not None and not _is_number(custom.get("value"), wanted.value):
        yield f"{who} says value {_shown(custom.get('value'))}, expected {wanted.value:g}"
    if wanted.currency is not None and str(custom.get("currency", "")).upper() != wanted.currency.upper():
        yield f"{who} says currency {_shown(custom.get('currency'))}, expected {wanted.currency.upper()}"
    for name, value in wanted.custom_data.items():
        if not _is_same(custom.get(name), value):
            yield f"{who} says {name} {_shown(custom.get(name))}, expected {_text(value)}"


def _is_same(given: object, expected: object) -> bool:
    if isinstance(expected, list):
        given = _list(given)
        return len(given) == len(expected) and all(map(_is_same, given, expected))
    return _is_number(given, expected) or _text(given) == _text(expected)


def _list(given: object) -> list[object]:
    """The pixel sends a list as JSON text."""
    if isinstance(given, str):
        with contextlib.suppress(msgspec.MsgspecError):
            given = msgspec.json.decode(given)
    return given if isinstance(given, list) else [given]


def _is_number(given: object, expected: object) -> bool:
    """The pixel sends every number as a text."""
    if isinstance(expected, bool) or not isinstance(expected, (int, float)):
        return False
    try:
        return abs(float(str(given)) - float(expected)) < 1e-6
    except ValueError:
        return False


def _text(value: object) -> str:
    """As the pixel writes it: true and false in JSON's spelling."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: object) -> str:
    return "nothing" if value is None else _text(value)[:100]
