"""POST /events: read, judge, make durable, answer. Nothing is answered 202 before it is fsynced.

Plain ASGI without a framework: one request costs what its events cost.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from conversion_relay.collector.limits import TokenBuckets
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import STANDARD_EVENT_NAMES, SealedEvent
from conversion_relay.intake import Refused, RequestFacts, Sender
from conversion_relay.reading import read_event, read_events
from conversion_relay.relay import Relay
from conversion_relay.request_facts import request_facts
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import Counters

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_BYTES = 4 * 1_048_576
MOST_DRAINED = 4 * MOST_BYTES
"""A body up to here is read and dropped before the 413, so that a client which is still sending can hear it."""
BODY_SECONDS = 10.0
"""No ASGI server drops a body that stalls half-way, so we do."""
RETRY_AFTER = "5"


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    index: int
    event_id: str
    duplicate: bool
    dropped: tuple[str, ...] = ()
    """Match keys that were left out, each with its reason."""


class Rejected(msgspec.Struct, frozen=True):
    index: int
    reason: str
    field: str
    message: str


class Answer(msgspec.Struct, frozen=True):
    """The body of every answer of POST /events that read the events."""

    accepted: list[Accepted]
    refused: list[Rejected]


class Problem(msgspec.Struct, frozen=True):
    """The body of an answer to a request of which nothing could be read."""

    reason: str
    field: str
    message: str


class Stop(Exception):
    """Ends the request with this answer; raised and caught in this file alone."""

    def __init__(self, status: int, reason: str, field: str, message: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.problem = Problem(reason, field, message)
        self.headers = headers


class EventsEndpoint:
    """The ASGI callable."""

    def __init__(self, relay: Relay, counters: Counters, buckets: TokenBuckets) -> None:
        self._relay, self._counters, self._buckets = relay, counters, buckets
        self._by_origin = {o: d for d in reversed(relay.settings.datasets) for o in d.allowed_origins}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        cors = self._cors(headers)
        try:
            if scope["method"] == "OPTIONS":
                status, body, more = 204, b"", {"access-control-max-age": "7200"}
            else:
                status, answer = await self._post(scope, headers, receive)
                body, more = _encode(answer), _reasons(answer)
        except Stop as stop:
            status, body = stop.status, _encode(stop.problem)
            more = {"x-relay-reason": stop.problem.reason, **stop.headers}
            self._counters.add("relay_events_rejected_total", reason=stop.problem.reason)
        self._counters.add("relay_intake_requests_total", route="/events", code=str(status))
        await _respond(send, status, body, {**cors, **more})

    async def _post(self, scope: dict[str, Any], headers: Mapping[str, str], receive: Receive) -> tuple[int, Answer]:
        if scope["method"] != "POST":
            raise Stop(405, "method_not_allowed", "method", "send events with POST", allow="POST, OPTIONS")
        peer = scope["client"][0] if scope.get("client") else None
        facts = request_facts(headers, peer, self._relay.settings.trusted_proxies)
        sender, dataset = self._authorize(headers)
        if sender == "browser" and not self._buckets.take(facts.client_ip_address):
            raise Stop(429, "too_many", "client_ip_address", "too many events; wait a little", **{"retry-after": "1"})
        submitted = read_events(await _body(headers, receive))
        if isinstance(submitted, Refused):
            status = 413 if submitted.reason == "too_many_events" else 400
            raise Stop(status, submitted.reason, submitted.field, submitted.message)
        sealed: list[tuple[int, SealedEvent]] = []
        refused: list[Rejected] = []
        # A backend's own address and browser are not the visitor's.
        facts = facts if sender == "browser" else RequestFacts()
        for index, raw in enumerate(submitted):
            if index % 100 == 99:
                await asyncio.sleep(0)
            verdict = self._seal(raw, facts, sender, dataset)
            if isinstance(verdict, Refused):
                refused.append(Rejected(index, verdict.reason, verdict.field, verdict.message))
            else:
                sealed.append((index, verdict))
        return await self._keep(sealed, refused)

    def _seal(self, raw: msgspec.Raw, facts: RequestFacts, sender: Sender, dataset: Dataset) -> SealedEvent | Refused:
        event = read_event(raw)
        if isinstance(event, Refused):
            return event
        return self._relay.seal(event, facts, sender=sender, dataset=dataset)

    async def _keep(self, sealed: list[tuple[int, SealedEvent]], refused: list[Rejected]) -> tuple[int, Answer]:
        for rejected in refused:
            self._counters.add("relay_events_rejected_total", reason=rejected.reason)
        if not sealed:
            return 422, Answer([], refused)
        try:
            receipts = await asyncio.wrap_future(self._relay.put_soon([event for _, event in sealed]))
        except OutboxUnavailable:
            message = "the events could not be made durable; send them again"
            raise Stop(503, "not_durable", "outbox", message, **{"retry-after": RETRY_AFTER}) from None
        accepted = []
        for (index, event), receipt in zip(sealed, receipts, strict=True):
            accepted.append(Accepted(index, receipt.event_id, receipt.duplicate, event.dropped))
            name = event.event_name if event.event_name in STANDARD_EVENT_NAMES else "other"
            self._counters.add(f"relay_events_{'duplicate' if receipt.duplicate else 'accepted'}_total", event=name)
        return 202, Answer(accepted, refused)

    def _authorize(self, headers: Mapping[str, str]) -> tuple[Sender, Dataset]:
        """Which dataset, and how far the sender is trusted. An API key outranks an Origin."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme:
            for dataset in self._relay.settings.datasets:
                for known in dataset.api_keys:
                    if scheme.lower() == "bearer" and _same(known.reveal(), key.strip()):
                        return "backend", dataset
            raise Stop(401, "unauthorized", "authorization", "unknown API key; RELAY_API_KEYS lists the known ones")
        origin = headers.get("origin", "")
        if not origin:
            message = "send Authorization: Bearer <api key> (RELAY_API_KEYS), or call from an allowed origin"
            raise Stop(401, "unauthorized", "authorization", message, **{"www-authenticate": "Bearer"})
        allowed = self._by_origin.get(origin.lower())
        if allowed is None:
            raise Stop(403, "origin_not_allowed", "origin", "add this site's exact origin to RELAY_ALLOWED_ORIGINS")
        return "browser", allowed

    def _cors(self, headers: Mapping[str, str]) -> dict[str, str]:
        origin = headers.get("origin", "")
        if origin.lower() not in self._by_origin:
            return {"vary": "origin"}
        return {
            "access-control-allow-origin": origin,
            "access-control-allow-headers": "authorization, content-type",
            "access-control-allow-methods": "POST, OPTIONS",
            "access-control-expose-headers": "x-relay-reason",
            "vary": "origin",
        }


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Stop(415, "unsupported_encoding", "content-encoding", "send the body uncompressed")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > MOST_DRAINED:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Stop(400, "cut_off", "body", "the connection closed before the body was complete")
                more = message.get("more_body", False)
                size += len(message.get("body", b""))
                if size <= MOST_BYTES:
                    parts.append(message.get("body", b""))
                elif size > MOST_DRAINED:
                    break
    except TimeoutError:
        late = f"the body did not arrive within {BODY_SECONDS:.0f} seconds"
        raise Stop(408, "too_slow", "body", late, connection="close") from None
    if size > MOST_BYTES:
        raise _too_large()
    return b"".join(parts)


def _too_large() -> Stop:
    return Stop(413, "too_large", "body", f"send at most {MOST_BYTES} bytes in one request", connection="close")


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if key in headers:
            text = f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}"
        headers[key] = text
    return headers


def _reasons(answer: Answer) -> dict[str, str]:
    reasons = dict.fromkeys(rejected.reason for rejected in answer.refused)
    return {"x-relay-reason": ", ".join(reasons)} if reasons else {}


async def _respond(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    pairs = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    pairs += [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _same(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode(), given.encode("utf-8", "surrogatepass"))


_encode = msgspec.json.Encoder().encode
