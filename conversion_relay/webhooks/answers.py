"""The answers that a provider can hear, each with the word under which it is counted."""

import msgspec

from conversion_relay.relay import Tracked
from conversion_relay.telemetry import without_persons


class WebhookAnswer(msgspec.Struct, frozen=True):
    """`content` is what is sent. `body` says it as an object, for a log or a program that answers JSON by itself."""

    status: int
    body: dict[str, str]
    headers: dict[str, str] = {}
    text: str = ""
    """Where the sender reads no JSON: the word that it takes for "received"."""
    uncounted: str | None = None
    """Of a notice that is genuine and counts for nothing: what it is about, for the log."""

    @property
    def content(self) -> bytes:
        return self.text.encode() if self.text else msgspec.json.encode(self.body)

    @property
    def content_type(self) -> str:
        return "text/plain; charset=utf-8" if self.text else "application/json"


Answered = tuple[WebhookAnswer, str]
"""And the word."""


def taken(tracked: Tracked) -> Answered:
    body: dict[str, str] = {"message": tracked.state}
    if tracked.event_id:
        body["event_id"] = tracked.event_id
    return WebhookAnswer(200, body), tracked.state


def quiet(message: str, why: str, what: str, **more: str) -> Answered:
    return WebhookAnswer(200, {"message": message, "reason": why, **more}, uncounted=kind_shown(what)), why


def kind_shown(what: str) -> str:
    """A notice's type for a line of the log. It stands where the provider, or the table of a source, says it does."""
    return without_persons(what)[:100]


def refused(status: int, reason: str, field: str, message: str, *, retry_after: int | None = None) -> Answered:
    """`retry_after`: seconds."""
    body = {"error": reason, "reason": reason, "field": field, "message": message}
    headers = {"X-Relay-Reason": reason} | ({"Retry-After": str(retry_after)} if retry_after else {})
    return WebhookAnswer(status, body, headers), reason


def again(reason: str, message: str) -> Answered:
    return refused(503, reason, "body", f"{message}; send it again", retry_after=5)
