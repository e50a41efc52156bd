"""What the routes that take something in have in common: who may send, from which page, how often, how much.

Plain ASGI without a framework: one request costs what its events cost. Where our own server has a whole request in
hand (`direct.py`), `admit` and `say` do the same without ASGI (`whole.py`).
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from conversion_relay.collector import limits
from conversion_relay.collector.body import length_of, receive_body
from conversion_relay.collector.limits import TokenBuckets
from conversion_relay.collector.reply import HttpError, Receive, Reply, Send, Written, respond, too_many, written
from conversion_relay.intake.accept import Sender
from conversion_relay.intake.browser import PREFLIGHT_SECONDS, asked_headers, cors_headers, listed_origin
from conversion_relay.intake.reading import Submitted
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts, is_trusted, request_facts
from conversion_relay.relay import Relay
from conversion_relay.settings import Dataset, Settings
from conversion_relay.settings.dataset import HASHED
from conversion_relay.telemetry import CounterKey, Counters, Secret, counter

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
    datasets: tuple[Dataset, ...] = ()
    """All that list the caller's key or origin; `dataset` is the first of them."""


class Admitted(Caller, frozen=True, kw_only=True):
    """A request that was let in."""

    body: bytes
    named: tuple[Dataset, ...] = ()
    """Further datasets that the caller named."""


Handle = Callable[[Admitted], Awaitable[Reply]]
_NO_KEY = "send Authorization: Bearer <api key> (RELAY_API_KEYS), or call from an allowed origin"
_UNKNOWN_KEY = "unknown API key; RELAY_API_KEYS lists the known ones"
_NO_BEARER = "send Authorization: Bearer <api key> (RELAY_API_KEYS); no other scheme is read"


def in_dataset(admitted: Admitted, submitted: Submitted) -> Admitted:
    """The same request for the datasets that it names. Raises HttpError for one whose table does not list the caller's
    key or origin."""
    names = submitted.datasets or (submitted.dataset,)
    if names == (admitted.dataset.pixel_id,) or not names[0]:
        return admitted
    listing = {dataset.pixel_id: dataset for dataset in admitted.datasets}
    found = [listing[name] for name in names if name in listing]
    if len(found) < len(names):
        what = "this origin" if admitted.sender == "browser" else "this API key"
        message = f"{what} may not send to this pixel's dataset; list it with that dataset in RELAY_CONFIG"
        raise HttpError(403, "unknown_dataset", "datasets" if submitted.datasets else "dataset", message)
    return msgspec.structs.replace(admitted, dataset=found[0], named=tuple(found[1:]))


class Rules(NamedTuple):
    """Who may send what, by the settings; replaced as a whole when they change."""

    settings: Settings
    by_origin: dict[str, tuple[Dataset, ...]]
    by_key: dict[bytes, tuple[Dataset, ...]]
    """By digest: what time the look-up takes then says nothing about a key."""
    uses: dict[bytes, tuple[CounterKey, ...]]
    """By digest, where the time of the key's last use is noted."""
    policies: dict[str, dict[str, str]]
    """By origin, the header that tells a page's script its policy."""
    policy: dict[str, str]
    """The same for everybody else."""


def rules_of(settings: Settings) -> Rules:
    by_origin: dict[str, tuple[Dataset, ...]] = {}
    by_key: dict[bytes, tuple[Dataset, ...]] = {}
    uses: dict[bytes, tuple[CounterKey, ...]] = {}
    for dataset in settings.datasets:
        for origin in dataset.allowed_origins:
            by_origin[origin] = (*by_origin.get(origin, ()), dataset)
        for n, digest in enumerate(map(_digest_of, dataset.api_keys), 1):
            by_key[digest] = (*by_key.get(digest, ()), dataset)
            uses[digest] = (*uses.get(digest, ()), counter(KEY_USED, dataset=dataset.pixel_id, key=str(n)))
    policies = {origin: settings.strictest(listing).told_policy for origin, listing in by_origin.items()}
    return Rules(settings, by_origin, by_key, uses, policies, settings.told_policy)


class Door:
    """Lets a request in to its route, and gives every request one answer.

    Over 150 lines: whom it lets in and what it answers rest on the same rules."""

    def __init__(self, relay: Relay, counters: Counters, buckets: TokenBuckets) -> None:
        self._counters, self._buckets = counters, buckets
        self.rules = rules_of(relay.settings)

    def use(self, settings: Settings) -> None:
        """New settings, from any thread: the next request comes under them."""
        before, self.rules = self.rules, rules_of(settings)
        # A use is noted by the place of its key, and in some places stands another key now.
        was, now = (
            {use: digest for digest, uses in rules.uses.items() for use in uses} for rules in (before, self.rules)
        )
        for use in (use for use, digest in was.items() if now.get(use) != digest):
            self._counters.latest(use, 0)

    async def serve(self, scope: dict[str, Any], receive: Receive, send: Send, handle: Handle) -> None:
        headers, route = headers_of(scope["headers"]), scope["path"]
        if scope["method"] == "OPTIONS":
            answer = Written(204, b"", {"access-control-max-age": PREFLIGHT_SECONDS})
            self.count(route, 204)
        else:
            answer = self.say(route, await self._reply(scope, headers, receive, handle))
        given = self.given(headers.get("origin"), headers.get("access-control-request-headers"))
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
        sender, datasets = self._authorize(headers)
        if headers.get("content-encoding", "").lower() not in ("", "identity"):
            raise HttpError(415, "unsupported_encoding", "content-encoding", "send the body uncompressed")
        is_browser = sender == "browser"
        return Caller(
            sender=sender,
            dataset=datasets[0],
            datasets=datasets,
            facts=self.facts(headers, peer) if is_browser else NO_FACTS,
            host=headers.get("host", ""),
            is_secure=self._is_secure(scheme, headers, peer),
        )

    def facts(self, headers: Mapping[str, str], peer: str | None) -> RequestFacts:
        """By the settings in use now."""
        settings = self.rules.settings
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
        return told == "https" and is_trusted(peer, self.rules.settings.trusted_proxies)

    def _authorize(self, headers: Mapping[str, str]) -> tuple[Sender, tuple[Dataset, ...]]:
        """Which datasets, and how far the sender is trusted. An API key outranks an Origin."""
        rules = self.rules
        scheme, _, key = headers.get("authorization", "").partition(" ")
        # What is no Bearer beside an Origin is the browser's own: a site behind a password, and the relay on its path.
        is_bearer = scheme.lower() == "bearer"
        if scheme and (is_bearer or not headers.get("origin")):
            digest = _digest(key.strip())
            datasets = rules.by_key.get(digest) if is_bearer else None
            if datasets is not None:
                for use in rules.uses[digest]:
                    self._counters.latest(use, time.time())
                return "backend", datasets
            raise _unauthorized(_UNKNOWN_KEY if is_bearer else _NO_BEARER)
        if not headers.get("origin"):
            raise _unauthorized(_NO_KEY)
        allowed = listed_origin(headers["origin"], rules.by_origin)
        if allowed is None:
            raise HttpError(
                403, "origin_not_allowed", "origin", "add this site's exact origin to RELAY_ALLOWED_ORIGINS"
            )
        return "browser", rules.by_origin[allowed]

    def given(self, origin: str | None, asked: str | None = None) -> dict[str, str]:
        """Headers of every answer to this origin: those of CORS, and the policy. `asked`: by a preflight."""
        rules = self.rules
        cors = cors_headers(
            origin,
            rules.by_origin,
            request_headers=asked_headers(asked, "authorization, content-type"),
            # Without credentials a browser keeps no cookie of an answer to a page's script. Where no cookie is set,
            # too: a page may send its own along with each request, and could then read no answer. Nothing here is
            # allowed by a cookie.
            credentials=True,
        )
        return cors | rules.policies.get(listed_origin(origin, rules.by_origin) or "", rules.policy)


def _unauthorized(message: str) -> HttpError:
    """Android's client shows neither status nor message of a 401 that names no scheme."""
    return HttpError(401, "unauthorized", "authorization", message, **{"www-authenticate": "Bearer"})


def _admitted(caller: Caller, body: bytes) -> Admitted:
    return Admitted(
        sender=caller.sender,
        dataset=caller.dataset,
        datasets=caller.datasets,
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


def _digest_of(key: Secret) -> bytes:
    """Of a key of the settings, which may be a digest already."""
    text = key.reveal()
    if text.startswith(HASHED):
        return bytes.fromhex(text.removeprefix(HASHED))
    return _digest(text)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()
