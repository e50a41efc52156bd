"""What the routes that take something in have in common: who may send, from which page, how often, how much.

Plain ASGI without a framework: one request costs what its events cost. Where our own server has a whole request in
hand (`direct.py`), `admit` and `say` do the same without ASGI (`whole.py`).
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec

from conversion_relay.collector import limits
from conversion_relay.collector.body import length_of, receive_body
from conversion_relay.collector.limits import TokenBuckets
from conversion_relay.collector.reply import HttpError, Receive, Reply, Send, Written, respond, too_many, written
from conversion_relay.intake.accept import Sender
from conversion_relay.intake.browser import PREFLIGHT_SECONDS, cors_headers, listed_origin
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts, is_trusted, request_facts
from conversion_relay.relay import Relay
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import CounterKey, Counters, counter

KEY_USED = "relay_api_key_used_timestamp_seconds"
"""By dataset and the key's place in RELAY_API_KEYS: of the key itself, nothing stands anywhere."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends a request, as far as its head says so."""

    sender: Sender
    dataset: Dataset
    facts: RequestFacts
    """The visitor's own; empty for a backend, whose address and browser are not the visitor's."""
    host: str
    is_secure: bool
    """The browser came by https, as far as we or a trusted proxy can tell."""


class Admitted(Caller, frozen=True, kw_only=True):
    """A request that was let in."""

    body: bytes


Handle = Callable[[Admitted], Awaitable[Reply]]


def in_dataset(admitted: Admitted, pixel_id: str, datasets: Sequence[Dataset]) -> Admitted:
    """The same request for the dataset of this pixel. Raises HttpError where the page's origin may not send there."""
    if not pixel_id or admitted.sender != "browser" or pixel_id == admitted.dataset.pixel_id:
        return admitted
    for dataset in datasets:
        if dataset.pixel_id == pixel_id and listed_origin(admitted.facts.origin or "", dataset.allowed_origins):
            return msgspec.structs.replace(admitted, dataset=dataset)
    message = "this origin may not send to this pixel's dataset; list the origin with that dataset in RELAY_CONFIG"
    raise HttpError(403, "unknown_dataset", "dataset", message)


class Door:
    """Lets a request in to its route, and gives every request one answer."""

    def __init__(self, relay: Relay, counters: Counters, buckets: TokenBuckets) -> None:
        self._settings, self._counters, self._buckets = relay.settings, counters, buckets
        datasets = tuple(reversed(relay.settings.datasets))
        self._by_origin = {o: d for d in datasets for o in d.allowed_origins}
        self.origins = frozenset(self._by_origin)
        self._policy = relay.settings.told_policy
        # By digest: what time the look-up takes then says nothing about a key.
        self._by_key = {_digest(key.reveal()): d for d in datasets for key in d.api_keys}
        self._uses = {
            _digest(key.reveal()): counter(KEY_USED, dataset=d.pixel_id, key=str(n))
            for d in datasets
            for n, key in enumerate(d.api_keys, 1)
        }

    async def serve(self, scope: dict[str, Any], receive: Receive, send: Send, handle: Handle) -> None:
        headers, route = headers_of(scope["headers"]), scope["path"]
        if scope["method"] == "OPTIONS":
            answer = Written(204, b"", {"access-control-max-age": PREFLIGHT_SECONDS})
            self.count(route, 204)
        else:
            answer = self.say(route, await self._reply(scope, headers, receive, handle))
        given = self.given(headers.get("origin"))
        await respond(send, answer.status, answer.body, {**given, **answer.headers}, answer.cookies)

    async def _reply(
        self, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive, handle: Handle
    ) -> Reply | HttpError:
        try:
            peer = scope["client"][0] if scope.get("client") else None
            caller = self.caller(scope["method"], headers, peer, scope.get("scheme"))
            if caller.sender == "browser":
                body = await self._from_browser(headers, receive, caller.facts)
            else:
                body = await receive_body(headers, receive)
            return await handle(_admitted(caller, body))
        except HttpError as error:
            return error

    def say(self, route: str, reply: Reply | HttpError) -> Written:
        """What is to be sent; counted here."""
        if isinstance(reply, HttpError):
            self._counters.add(f"relay_{route[1:].replace('-', '_')}_rejected_total", reason=reply.body.reason)
        self.count(route, reply.status)
        return written(reply)

    def count(self, route: str, status: int) -> None:
        self._counters.count(_answered(route, status))

    def caller(self, method: str, headers: Mapping[str, str], peer: str | None, scheme: str | None) -> Caller:
        """Raises HttpError for who is not let in. The same head of the same peer is the same caller."""
        if method != "POST":
            raise HttpError(405, "method_not_allowed", "method", "send it with POST", allow="POST, OPTIONS")
        sender, dataset = self._authorize(headers)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpError(415, "unsupported_encoding", "content-encoding", "send the body uncompressed")
        is_browser = sender == "browser"
        return Caller(
            sender=sender,
            dataset=dataset,
            facts=self._facts(headers, peer) if is_browser else NO_FACTS,
            host=headers.get("host", ""),
            is_secure=self._is_secure(scheme, headers, peer),
        )

    def _facts(self, headers: Mapping[str, str], peer: str | None) -> RequestFacts:
        settings = self._settings
        return request_facts(headers, peer, settings.trusted_proxies, viewer_header=settings.viewer_header)

    def admit(self, caller: Caller, body: bytes) -> Admitted:
        """A request whose body is here already. Raises HttpError."""
        if caller.sender == "browser" and not self._buckets.take(caller.facts.client_ip_address, 1, len(body)):
            raise too_many()
        return _admitted(caller, body)

    async def _from_browser(self, headers: Mapping[str, str], receive: Receive, facts: RequestFacts) -> bytes:
        """The body's bytes are paid for before they are read, or many requests at once would share one look."""
        address, told = facts.client_ip_address, headers.get("content-length")
        size = limits.MOST_BYTES if told is None else length_of(told, limits.MOST_BYTES)
        if not self._buckets.take(address, 1, size):
            raise too_many()
        read = 0
        try:
            body = await receive_body(headers, receive, limits.MOST_BYTES)
            read = len(body)
        finally:
            self._buckets.take(address, 0, read - size)
        return body

    def _is_secure(self, scheme: str | None, headers: Mapping[str, str], peer: str | None) -> bool:
        if scheme == "https":
            return True
        told = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip()
        return told == "https" and is_trusted(peer, self._settings.trusted_proxies)

    def _authorize(self, headers: Mapping[str, str]) -> tuple[Sender, Dataset]:
        """Which dataset, and how far the sender is trusted. An API key outranks an Origin."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme:
            digest = _digest(key.strip())
            dataset = self._by_key.get(digest) if scheme.lower() == "bearer" else None
            if dataset is not None:
                self._counters.latest(self._uses[digest], time.time())
                return "backend", dataset
            raise HttpError(
                401, "unauthorized", "authorization", "unknown API key; RELAY_API_KEYS lists the known ones"
            )
        if not headers.get("origin"):
            message = "send Authorization: Bearer <api key> (RELAY_API_KEYS), or call from an allowed origin"
            raise HttpError(401, "unauthorized", "authorization", message, **{"www-authenticate": "Bearer"})
        allowed = listed_origin(headers["origin"], self._by_origin)
        if allowed is None:
            raise HttpError(
                403, "origin_not_allowed", "origin", "add this site's exact origin to RELAY_ALLOWED_ORIGINS"
            )
        return "browser", self._by_origin[allowed]

    def given(self, origin: str | None) -> dict[str, str]:
        """Headers of every answer to this origin: those of CORS, and the policy."""
        cors = cors_headers(
            origin,
            self._by_origin,
            request_headers="authorization, content-type",
            # Without credentials a browser keeps no cookie of an answer to a page's script.
            credentials=self._settings.set_cookies,
        )
        return cors | self._policy


def _admitted(caller: Caller, body: bytes) -> Admitted:
    return Admitted(
        sender=caller.sender,
        dataset=caller.dataset,
        facts=caller.facts,
        host=caller.host,
        is_secure=caller.is_secure,
        body=body,
    )


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """`pairs`: names in lower case."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = str(name, "latin-1"), str(value, "latin-1")
        headers[key] = text if key not in headers else f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}"
    return headers


@cache
def _answered(route: str, status: int) -> CounterKey:
    return counter("relay_intake_requests_total", route=route, code=str(status))


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()
