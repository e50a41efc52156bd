"""Sample notices of every provider, as their pages show them, with invented persons: for `webhook fixture` and `send`.

They stand in `samples/`, one file for each provider. `@seconds`, `@iso` and `@gmt` (in parts `@date` and `@clock`)
there become the moment that a sample is made for, since a provider's notice is about something that just happened.
"""

import datetime
from pathlib import Path
from typing import Any

import msgspec

SAMPLES = Path(__file__).parent / "samples"


def names_of(provider: str) -> list[str]:
    """Of the samples of one provider."""
    return list(_file(provider))


def sample(provider: str, name: str, at: int) -> dict[str, Any]:
    """The notice, as if it happened at this moment (Unix seconds)."""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    date, _, clock = moment.partition("T")
    tokens = {"@seconds": at, "@iso": f"{moment}Z", "@gmt": moment, "@date": date, "@clock": clock}
    found: dict[str, Any] = _filled(_file(provider)[name], tokens)
    return found


def _file(provider: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((SAMPLES / f"{provider}.json").read_bytes())
    return found


def _filled(document: Any, tokens: dict[str, Any]) -> Any:
    if isinstance(document, dict):
        return {name: _filled(value, tokens) for name, value in document.items()}
    if isinstance(document, list):
        return [_filled(value, tokens) for value in document]
    return tokens.get(document, document) if isinstance(document, str) else document
