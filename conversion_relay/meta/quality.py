"""How well Meta can match our events: coverage of the match keys, an estimate of the score, and what to add.

Meta's own score (Event Match Quality, 0 to 10) has no published formula; it comes from which keys arrive and how many
of them match. So what stands here is an *estimate*, and is called so. Meta's help page names three classes of keys
(high: email, click id; medium: birth date, country, phone, external id, browser id; low: names and places), and the
developer pages add IP address and user agent. The weights follow these classes; a key counts as often as it comes.
https://www.facebook.com/business/help/765081237991954

Meta's figure itself is read by the Dataset Quality API, of web events and the last 48 hours, where the token may:
https://developers.facebook.com/docs/marketing-api/conversions-api/dataset-quality-api
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from conversion_relay.meta.graph import appsecret_proof

_WEIGHTS = {
    "em": 3.0,
    "fbc": 2.2,
    "ph": 1.4,
    "external_id": 0.9,
    "fbp": 0.9,
    "client_ip_address": 0.8,
    "fb_login_id": 0.8,
    "client_user_agent": 0.4,
    "db": 0.5,
    "country": 0.3,
    "fn": 0.3,
    "ln": 0.3,
    "ct": 0.2,
    "st": 0.2,
    "zp": 0.3,
    "ge": 0.1,
    "lead_id": 0.3,
}
HIGHEST = 10.0
NAMES = {
    "em": "email",
    "ph": "phone",
    "fbc": "click id (fbc)",
    "fbp": "browser id (fbp)",
    "external_id": "external id",
    "client_ip_address": "IP address",
    "client_user_agent": "user agent",
    "db": "birth date",
    "zp": "zip",
    "fn": "first name",
    "ln": "last name",
    "ct": "city",
    "st": "state",
    "ge": "gender",
    "country": "country",
}
_ASKABLE = (
    "em",
    "ph",
    "fbc",
    "fbp",
    "external_id",
    "client_ip_address",
    "client_user_agent",
    "fn",
    "ln",
    "zp",
    "country",
)
"""What a site can add; the rest comes by itself or is rarely known."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Of one event name."""

    sampled: int
    coverage: dict[str, float]
    """By key, 0 to 1."""
    estimate: float
    """0 to 10; an estimate of ours, not Meta's figure."""
    advice: str | None
    """What to add first, and by how much the estimate would rise."""


def quality(sampled: int, keys: dict[str, int]) -> Quality | None:
    """None of no events. `keys`: how many of the sampled events carried each.

    >>> found = quality(10, {"em": 10, "client_ip_address": 10, "client_user_agent": 10})
    >>> found.estimate, found.advice
    (4.2, 'add click id (fbc): +2.2')
    """
    if sampled <= 0:
        return None
    coverage = {key: min(1.0, keys.get(key, 0) / sampled) for key in _WEIGHTS}
    score = min(HIGHEST, sum(weight * coverage[key] for key, weight in _WEIGHTS.items()))
    gains = [(_WEIGHTS[key] * (1 - coverage[key]), key) for key in _ASKABLE]
    gain, key = max(gains, key=lambda pair: pair[0])
    gain = min(gain, HIGHEST - score)
    advice = f"add {NAMES.get(key, key)}: +{gain:.1f}" if gain >= 0.1 else None
    return Quality(sampled=sampled, coverage=coverage, estimate=round(score, 1), advice=advice)


def quality_request(
    url: str, version: str, dataset: str, token: str, app_secret: str = ""
) -> tuple[str, dict[str, str]]:
    """Address and headers of a GET that asks for Meta's own figure."""
    query = {"dataset_id": dataset, "fields": "web{event_name,event_match_quality{composite_score}}"}
    if app_secret:
        query["appsecret_proof"] = appsecret_proof(token, app_secret)
    return f"{url}/{version}/dataset_quality?{urlencode(query)}", {"Authorization": f"Bearer {token}"}


def read_quality(status: int, body: bytes) -> dict[str, float] | None:
    """Meta's score by event name; None where it did not tell (a token without the right gets an error).

    >>> read_quality(200, b'{"web":[{"event_name":"Purchase","event_match_quality":{"composite_score":6.2}}]}')
    {'Purchase': 6.2}
    >>> read_quality(200, b'{"web":[{"event_name":"Lead"}, 7]}'), read_quality(403, b"{}"), read_quality(200, b"<html>")
    ({}, None, None)
    """
    try:
        answer = msgspec.json.decode(body) if status == 200 else None
    except msgspec.DecodeError:
        return None
    events = answer.get("web") if isinstance(answer, dict) else None
    return dict(filter(None, map(_scored, events))) if isinstance(events, list) else None


def _scored(event: Any) -> tuple[str, float] | None:
    quality = event.get("event_match_quality") if isinstance(event, Mapping) else None
    score = quality.get("composite_score") if isinstance(quality, Mapping) else None
    name = event.get("event_name") if isinstance(event, Mapping) else None
    if not isinstance(name, str) or isinstance(score, bool) or not isinstance(score, int | float):
        return None
    return (name[:100], round(float(score), 1)) if 0 <= score <= HIGHEST else None


class TokenFacts(msgspec.Struct, frozen=True):
    """What Meta says of an access token. `expires_at` in Unix seconds; None where it never ends."""

    is_valid: bool
    expires_at: int | None


def token_request(url: str, version: str, token: str, app_secret: str = "") -> tuple[str, dict[str, str]]:
    """https://developers.facebook.com/docs/graph-api/reference/debug_token: the token asks about itself."""
    query: dict[str, str | bytes] = {"input_token": token.encode("utf-8", "replace")}
    if app_secret:
        query["appsecret_proof"] = appsecret_proof(token, app_secret)
    return f"{url}/{version}/debug_token?{urlencode(query)}", {"Authorization": f"Bearer {token}"}


def read_token(status: int, body: bytes) -> TokenFacts | None:
    """None where Meta did not tell. Of two ends (of the token, of its access to data) the earlier one counts.

    >>> read_token(200, b'{"data":{"is_valid":true,"expires_at":0,"data_access_expires_at":1800000000}}')
    TokenFacts(is_valid=True, expires_at=1800000000)
    >>> read_token(200, b'{"data":{"is_valid":true,"expires_at":0}}'), read_token(400, b"{}"), read_token(200, b"[]")
    (TokenFacts(is_valid=True, expires_at=None), None, None)
    """
    try:
        told = _told.decode(body).data if status == 200 else None
    except msgspec.MsgspecError:
        return None
    if told is None:
        return None
    ends = [end for end in (told.expires_at, told.data_access_expires_at) if end]
    return TokenFacts(told.is_valid, min(ends, default=None))


class _OfToken(msgspec.Struct, frozen=True):
    is_valid: bool
    expires_at: int = 0
    data_access_expires_at: int = 0


class _Told(msgspec.Struct, frozen=True):
    data: _OfToken


_told = msgspec.json.Decoder(_Told)
