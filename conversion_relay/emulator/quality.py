"""GET /{version}/dataset_quality, computed from what arrived.

https://developers.facebook.com/docs/marketing-api/conversions-api/dataset-quality-api
"""

from collections.abc import Iterable, Mapping
from typing import Any

from conversion_relay.emulator.store import Arrived, Store

# Meta publishes no formula for the score. These weights follow the order of keys on its help page, no more.
_WEIGHTS = {
    "em": 2.5,
    "fbc": 2.0,
    "ph": 1.5,
    "external_id": 1.0,
    "fbp": 1.0,
    "client_ip_address": 0.5,
    "client_user_agent": 0.5,
}
_NAMES = {"em": "email", "ph": "phone", "client_ip_address": "ip_address", "client_user_agent": "user_agent"}


def dataset_quality(store: Store, query: Mapping[str, list[str]]) -> dict[str, Any]:
    dataset = query.get("dataset_id", [""])[0]
    mine = [arrived for arrived in store.events if not dataset or arrived.dataset == dataset]
    names = dict.fromkeys(arrived.event["event_name"] for arrived in mine)
    return {"web": [_event_quality(name, [a for a in mine if a.event["event_name"] == name]) for name in names]}


def _event_quality(name: str, arrived: list[Arrived]) -> dict[str, Any]:
    server = [a for a in arrived if a.source == "server" and a.event.get("action_source", "website") == "website"]
    browser = [a for a in arrived if a.source == "browser"]
    keys = dict.fromkeys(key for a in server for key in a.event["user_data"])
    coverage = {key: _percent(key in a.event["user_data"] for a in server) for key in keys}
    score = 1 + sum(weight * coverage.get(key, 0) / 100 for key, weight in _WEIGHTS.items())
    feedback = [{"identifier": _NAMES.get(k, k), "coverage": {"percentage": p}} for k, p in coverage.items()]
    return {
        "event_name": name,
        "event_match_quality": {"composite_score": round(score, 1), "match_key_feedback": feedback},
        "dedupe_key_feedback": [_dedupe(key, browser, server) for key in ("event_id", "external_id", "fbp")],
        "data_freshness": {"upload_frequency": "real_time"},
    }


def _dedupe(key: str, browser: list[Arrived], server: list[Arrived]) -> dict[str, Any]:
    def has(arrived: Arrived) -> bool:
        return bool(arrived.event.get(key) or arrived.event["user_data"].get(key))

    return {
        "dedupe_key": key,
        "browser_events_with_dedupe_key": {"percentage": _percent(map(has, browser))},
        "server_events_with_dedupe_key": {"percentage": _percent(map(has, server))},
    }


def _percent(hits: Iterable[bool]) -> float:
    each = list(hits)
    return round(100 * sum(each) / len(each), 1) if each else 0.0
