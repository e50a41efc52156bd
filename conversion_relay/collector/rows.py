"""The answer of POST /events, row by row."""

from collections.abc import Iterable

import msgspec


class CopyRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of an event's copy for one further dataset: taken (`duplicate` says whether it was known there), or
    not, with the reason."""

    dataset: str
    event_id: str | None = None
    duplicate: bool | None = None
    dropped: tuple[str, ...] = ()
    reason: str | None = None
    field: str | None = None
    message: str | None = None


class AcceptedRow(msgspec.Struct, frozen=True, omit_defaults=True):
    index: int
    event_id: str
    duplicate: bool
    dropped: tuple[str, ...] = ()
    """What was left out or completed, each by its path and with its reason."""
    copies: tuple[CopyRow, ...] = ()


class RefusedRow(msgspec.Struct, frozen=True, omit_defaults=True):
    index: int
    reason: str
    field: str
    message: str
    copies: tuple[CopyRow, ...] = ()
    """A further dataset may have taken what this one refused."""


class EventsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every answer of POST /events that read the events."""

    accepted: list[AcceptedRow]
    refused: list[RefusedRow]
    ignored: tuple[str, ...] = ()
    """Members beside `data` that nothing here reads."""


def reasons(codes: Iterable[str]) -> dict[str, str]:
    """As a header, where there are any."""
    said = ", ".join(dict.fromkeys(codes))
    return {"x-relay-reason": said} if said else {}
