"""OpenAPI 3.1 of the collector, generated from the Structs that decode requests and encode answers."""

from functools import cache
from typing import Any

import msgspec

from conversion_relay import __version__
from conversion_relay.collector.reply import ErrorBody
from conversion_relay.collector.rows import EventsAnswer
from conversion_relay.collector.scripts import scripts
from conversion_relay.collector.view_content import ViewContentAnswer
from conversion_relay.collector.visitors import Remembered, VisitorBody, Withdrawal, Withdrawn
from conversion_relay.event import Event
from conversion_relay.intake.naming import MOST_DATASETS
from conversion_relay.intake.reading import MOST_EVENTS, MOST_REPORTED
from conversion_relay.intake.view_content import ViewContentBody


@cache
def document() -> dict[str, Any]:
    (event, answer, problem, *others), components = msgspec.json.schema_components(
        [Event, EventsAnswer, ErrorBody, *_OTHERS],
        ref_template="#/components/schemas/{name}",
    )
    visitor, remembered, withdrawal, withdrawn, view, viewed = others
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Conversion Relay",
            "version": __version__,
            "description": "A 202 is durable: every accepted event ends delivered, dead, expired or erased.",
        },
        "paths": {
            "/events": {"post": _post_events(event, answer, problem)},
            "/visitors": {"post": _post(_VISITORS, visitor, remembered, problem, _NOT_EVERYWHERE)},
            "/withdraw": {"post": _post(_WITHDRAW, withdrawal, withdrawn, problem, _NOT_EVERYWHERE)},
            "/view-content": {"post": _post(_VIEW_CONTENT, view, viewed, problem, status="200")},
            **{f"/{name}": {"get": _plain("The page's script.")} for name in scripts()},
            "/livez": {"get": _plain("The process answers.")},
            "/readyz": {"get": _plain("An event could be made durable now.", unready=True)},
            "/metrics": {"get": _plain("Prometheus' text format.", for_operators=True)},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _post_events(event: dict[str, Any], answer: dict[str, Any], problem: dict[str, Any]) -> dict[str, Any]:
    many = {"type": "array", "items": event, "minItems": 1, "maxItems": MOST_EVENTS}
    pair = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
    envelope = {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": event, "maxItems": MOST_EVENTS},
            "pixel": {"type": "array", "items": pair, "maxItems": MOST_REPORTED},
            "hosted_mirror": {"type": "boolean"},
            "dataset": {"type": "string"},
            "datasets": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_DATASETS},
            "test_event_code": {"type": "string"},
            "partner_agent": {"type": "string"},
        },
        "required": ["data"],
        # What else Meta's API takes (`access_token`, `upload_tag`) stands in the answer's `ignored`.
        "additionalProperties": True,
    }
    described = _post(_EVENTS, {"anyOf": [event, many, envelope]}, answer, problem)
    described["responses"]["422"] = _response("Every event was refused.", answer)
    return described


_OTHERS = (VisitorBody, Remembered, Withdrawal, Withdrawn, ViewContentBody, ViewContentAnswer)
_EVENTS = ("Accept events", "Without a key: the public event names, from an allowed origin.", "They are durable.")
_VISITORS = (
    "Remember a visitor",
    "For 7 days, or 90 where the visitor agreed, for the events that a webhook or a backend sends for the same order.",
    "Remembered, or not where the visitor's choice forbids it.",
)
_WITHDRAW = (
    "Take events back",
    "Those with public names that Meta does not have yet.",
    "So many will never be sent.",
)
_VIEW_CONTENT = (
    "Accept a ViewContent",
    "In the shape that sendViewContentEvent of the page's script posts.",
    "It is durable, or withheld where the visitor's choice forbids it.",
)


def _post(
    texts: tuple[str, str, str],
    body: dict[str, Any],
    answer: dict[str, Any],
    problem: dict[str, Any],
    more_problems: dict[str, str] | None = None,
    status: str = "202",
) -> dict[str, Any]:
    """`texts`: summary, description, and what `status` says."""
    summary, description, accepted = texts
    return {
        "summary": summary,
        "description": description,
        "security": [{"api_key": []}, {}],
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": body} for kind in ("application/json", "text/plain")},
        },
        "responses": {
            status: _response(accepted, answer),
            **{code: _response(text, problem) for code, text in (_PROBLEMS | (more_problems or {})).items()},
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
_FOR_OPERATORS = {
    "401": "By HTTP Basic: any user name, and RELAY_ADMIN_PASSWORD.",
    "403": "Without a password, for this machine alone.",
    "429": "Too many wrong passwords.",
}
_NOT_EVERYWHERE = {"501": "The kind of outbox here cannot do it; the message says what to do instead."}


def _response(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _plain(text: str, *, unready: bool = False, for_operators: bool = False) -> dict[str, Any]:
    responses = {"200": {"description": text}}
    if for_operators:
        responses |= {code: {"description": why} for code, why in _FOR_OPERATORS.items()}
    if unready:
        responses["503"] = {"description": "Nothing can be recorded."}
    return {"summary": text, "responses": responses}
