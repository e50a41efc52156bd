"""OpenAPI 3.1 of the collector, from the very Structs that decode and answer."""

from functools import cache
from typing import Any

import msgspec

from conversion_relay import __version__
from conversion_relay.collector.events import Answer, Problem
from conversion_relay.event import Event


@cache
def document() -> dict[str, Any]:
    (event, answer, problem), components = msgspec.json.schema_components(
        [Event, Answer, Problem], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Conversion Relay",
            "version": __version__,
            "description": "A 202 is durable: every accepted event ends delivered, dead, expired or erased.",
        },
        "paths": {
            "/events": {"post": _post_events(event, answer, problem)},
            "/livez": {"get": _plain("The process answers.")},
            "/readyz": {"get": _plain("An event could be made durable now.", unready=True)},
            "/metrics": {"get": _plain("Prometheus' text format.")},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _post_events(event: dict[str, Any], answer: dict[str, Any], problem: dict[str, Any]) -> dict[str, Any]:
    many = {"type": "array", "items": event, "minItems": 1, "maxItems": 1000}
    envelope = {
        "type": "object",
        "properties": {"data": many},
        "required": ["data"],
        "additionalProperties": False,
    }
    return {
        "summary": "Accept events",
        "description": "Without a key: the public event names, from an allowed origin.",
        "security": [{"api_key": []}, {}],
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"anyOf": [event, many, envelope]}} for kind in ("application/json", "text/plain")
            },
        },
        "responses": {
            "202": _response("At least one event is durable.", answer),
            "422": _response("Every event was refused.", answer),
            **{status: _response(text, problem) for status, text in _PROBLEMS.items()},
        },
    }


_PROBLEMS = {
    "400": "Unreadable.",
    "401": "No key, or an unknown one.",
    "403": "The origin is not on the allow-list.",
    "405": "Only POST and OPTIONS.",
    "408": "The body did not arrive in time.",
    "413": "Too large.",
    "415": "The body is compressed.",
    "429": "Too many requests.",
    "503": "It cannot be made durable now; send it again after Retry-After.",
}


def _response(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _plain(text: str, *, unready: bool = False) -> dict[str, Any]:
    responses = {"200": {"description": text}}
    if unready:
        responses["503"] = {"description": "Nothing can be recorded."}
    return {"summary": text, "responses": responses}
