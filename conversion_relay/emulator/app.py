"""The stand-in as an ASGI application: Graph API, pixel endpoint, controls and the page that shows what arrived.

The order of checks: path, token, dataset, misbehaviour, body, every event in order; Meta tells only the first error.
"""

import asyncio
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from conversion_relay.emulator import answers, server
from conversion_relay.emulator.answers import Answer
from conversion_relay.emulator.batch import operations_in, played
from conversion_relay.emulator.exchange import Gone, Receive, Scope, Send, body_of, drip, respond, until_gone
from conversion_relay.emulator.faults import Fault, Faults, Misbehave
from conversion_relay.emulator.graph_errors import DATASET_IS_REQUIRED, GraphError
from conversion_relay.emulator.pixel import GIF, read_pixel
from conversion_relay.emulator.quality import dataset_quality
from conversion_relay.emulator.requests import GraphRequest, read_parameters, read_scope
from conversion_relay.emulator.rules import judge
from conversion_relay.emulator.store import Store
from conversion_relay.emulator.versions import MARKETING_API, version_error

logger = logging.getLogger("conversion_relay.emulator")

_EVENTS = re.compile(r"/(v\d{1,3}\.\d{1,3})/(\d+)/events", re.ASCII)
_TOKEN = re.compile(r"/v\d{1,3}\.\d{1,3}/debug_token", re.ASCII)
_ROOT = re.compile(r"/(?:(v\d{1,3}\.\d{1,3})/?)?", re.ASCII)
_QUALITY = re.compile(r"/(v\d{1,3}\.\d{1,3})/dataset_quality", re.ASCII)


def create_app(
    *,
    strict: bool = False,
    latency_ms: int = 0,
    token: str | None = None,
    datasets: frozenset[str] | None = None,
    app_secret: str | None = None,
    clock: Callable[[], float] = time.time,
) -> "Emulator":
    """`token` and `datasets`: the only ones known; any well-formed one when None. `app_secret`: proofs are enforced."""
    return Emulator(strict, Faults(latency_ms), token, datasets, app_secret, clock)


class Emulator:
    """The ASGI callable; its state is what the controls show.

    Over 150 lines: one method for each address of the stand-in, over one state."""

    def __init__(
        self,
        strict: bool,
        faults: Faults,
        token: str | None,
        datasets: frozenset[str] | None,
        app_secret: str | None,
        clock: Callable[[], float],
    ) -> None:
        self._strict, self._token, self._datasets = strict, token, datasets
        self._app_secret, self._clock = app_secret, clock
        self.faults, self.store = faults, Store()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answered(scope, receive, send)
        except Gone:
            logger.info("a client hung up before its whole request had come; nothing of it was taken")

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if scope["method"] == "POST" and (match := _EVENTS.fullmatch(path)):
            await self._events(scope, receive, send, *match.groups())
        elif path in ("/tr", "/tr/"):
            await respond(send, self._pixel(scope, await body_of(receive)))
        elif path.startswith("/_emulator/") or (path == "/" and scope["method"] == "GET"):
            await respond(send, self._control(scope, await body_of(receive)))
        elif match := _QUALITY.fullmatch(path):
            await respond(send, self._quality(match[1], read_scope(scope)))
        elif _TOKEN.fullmatch(path):
            error = self._access_error(read_scope(scope))
            await respond(send, self._refuse(error, {}) if error else answers.json(200, answers.TOKEN))
        elif scope["method"] == "POST" and not scope.get("in_batch") and (match := _ROOT.fullmatch(path)):
            await self._batch(scope, receive, send, match[1] or "")
        else:
            await respond(send, self._refuse(answers.UNKNOWN_PATH, {}))

    async def _batch(self, scope: Scope, receive: Receive, send: Send, version: str) -> None:
        request = read_scope(scope, await body_of(receive))
        operations = operations_in(request) if request.has_batch else answers.UNKNOWN_PATH
        if isinstance(operations, GraphError):
            await respond(send, self._refuse(operations, {}))
        else:
            await respond(send, await played(operations, request, scope, receive, version, self._answered))

    async def _events(self, scope: Scope, receive: Receive, send: Send, version: str, dataset: str) -> None:
        fault = self.faults.next(dataset)
        line: dict[str, Any] = {
            "at": self._clock(),
            "method": "POST",
            "path": scope["path"],
            "fault": fault and fault.mode,
        }
        if fault and fault.mode in ("down", "reset"):
            self.store.note(line)
            (server.close if fault.mode == "down" else server.reset)(scope)
            await until_gone(receive, 5)
            return
        body = await body_of(receive)
        request = read_scope(scope, body)
        line |= {
            "encoding": request.encoding,
            "token_in": request.token_in,
            "events": len(request.events or ()),
            "event_ids": [e.get("event_id") if isinstance(e, dict) else None for e in request.events or ()],
            "body_sha256": hashlib.sha256(body).hexdigest(),
        }
        self.store.note(line)
        await asyncio.sleep(self.faults.latency_ms / 1000)
        answer = self._answer(request, scope, version, dataset, fault, line)
        await self._deliver(scope, receive, send, answer, fault)

    def _answer(
        self,
        request: GraphRequest,
        scope: Scope,
        version: str,
        dataset: str,
        fault: Fault | None,
        line: dict[str, Any],
    ) -> Answer:
        error = version_error(version, f"/{dataset}/events", self._clock())
        error = error or self._access_error(request, dataset) or answers.fault_error(fault, dataset)
        if error is None and fault and fault.mode == "html_503":  # whatever the body is
            line["status"] = 503
            return Answer(503, b"<html><body>Service Unavailable</body></html>", {"content-type": "text/html"})
        events = request.events or []
        error = error or request.unreadable
        if error is None and self.faults.poisons(dataset, events):
            error = answers.POISONED
        error = error or judge(events, self._clock(), strict=self._strict)
        headers = {"facebook-api-version": version, **answers.usage(fault)}
        if error is not None:
            line |= {"status": error.status, "code": error.code, "subcode": error.subcode}
            return self._refuse(error, headers)
        if fault and fault.mode == "hang":
            return Answer(200, b"")
        if fault and fault.mode == "short_count":
            events = events[: max(0, len(events) - 1)]
        self.store.take(dataset, events, "server", self._clock())
        line["status"] = 200
        logger.info("events received", extra={"dataset": dataset, "events": len(events)})
        if fault and fault.mode == "malformed":
            return Answer(200, b'{"events_received":', {"content-type": "application/json", **headers})
        trace = answers.trace()
        taken = {"events_received": len(events), "messages": [], "fbtrace_id": trace}
        return answers.json(200, taken, {"x-fb-trace-id": trace, **headers})

    def _access_error(self, request: GraphRequest, dataset: str | None = None) -> GraphError | None:
        if request.token is None:
            return answers.NO_TOKEN
        if not re.fullmatch(r"[A-Za-z0-9_|.\-]+", request.token):
            return answers.BAD_TOKEN
        if self._token is not None and not hmac.compare_digest(request.token, self._token):
            return answers.OTHER_TOKEN
        if self._app_secret is not None:
            expected = hmac.new(self._app_secret.encode(), request.token.encode(), "sha256").hexdigest()
            if request.proof != expected:
                return answers.BAD_PROOF if request.proof else answers.NO_PROOF
        if self._datasets is not None and dataset is not None and dataset not in self._datasets:
            return answers.unknown_dataset(dataset)
        return None

    async def _deliver(self, scope: Scope, receive: Receive, send: Send, answer: Answer, fault: Fault | None) -> None:
        """Put the answer on the wire, or fail at that."""
        mode = fault.mode if fault else None
        if mode == "hang":
            await until_gone(receive, 60)
            server.close(scope)
        elif mode == "lost_answer":
            server.reset(scope)
            await until_gone(receive, 5)
        elif mode == "drip":
            await drip(send, receive, answer)
        else:
            await respond(send, answer)

    def _refuse(self, error: GraphError, headers: Mapping[str, str]) -> Answer:
        trace = answers.trace()
        more = {
            "x-fb-trace-id": trace,
            "www-authenticate": f'OAuth "Facebook Platform" "invalid_token" "{error.code}"',
        }
        return answers.json(error.status, error.body(trace), {**headers, **more, **error.headers()})

    def _quality(self, version: str, request: GraphRequest) -> Answer:
        error = version_error(version, "/dataset_quality", self._clock(), MARKETING_API)
        dataset = request.query.get("dataset_id", [None])[0]
        error = error or self._access_error(request, dataset) or (None if dataset else DATASET_IS_REQUIRED)
        return self._refuse(error, {}) if error else answers.json(200, dataset_quality(self.store, request.query))

    def _pixel(self, scope: Scope, body: bytes) -> Answer:
        """https://www.facebook.com/tr: the browser's side."""
        dataset, event = read_pixel(read_parameters(scope, body), self._clock())
        if event is not None:
            self.store.take(dataset, [event], "browser", self._clock(), _visitor(scope))
        return Answer(
            200,
            GIF,
            {"content-type": "image/gif", "cache-control": "no-store", "access-control-allow-origin": "*"},
        )

    def _control(self, scope: Scope, body: bytes) -> Answer:
        verb = scope["path"].removeprefix("/_emulator/")
        match scope["method"], verb:
            case "GET", "/":
                return answers.file("page.html")
            case "GET", "page.css" | "page.js":
                return answers.file(verb)
            case "GET", "events":
                return self._arrived(parse_qs(scope["query_string"].decode()))
            case "GET", "requests":
                return answers.json(200, {"requests": list(self.store.requests)})
            case "GET", "state":
                return answers.json(200, self._state())
            case "POST", "reset":
                self.store.reset()
                self.faults.reset()
                return answers.json(200, self._state())
            case "POST", "misbehave":
                return self._misbehave(body)
        return answers.json(404, {"error": {"message": "events, requests, state, reset, misbehave"}})

    def _arrived(self, query: Mapping[str, list[str]]) -> Answer:
        limit = query.get("limit", [""])[0]
        # Python refuses to read a number of more than 4,300 digits.
        newest = int(limit) if limit.isdecimal() and len(limit) < 20 else 0
        events = self.store.events[-newest:]
        return answers.json(200, {"events": [arrived.shown() for arrived in events]})

    def _misbehave(self, body: bytes) -> Answer:
        try:
            asked = _misbehave_decoder.decode(body or b"{}")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return answers.json(400, {"error": {"message": str(error)}})
        if problem := asked.problem():
            return answers.json(400, {"error": {"field": problem[0], "message": f"{problem[0]}: {problem[1]}"}})
        self.faults.ask(asked)
        return answers.json(200, self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "events": self.store.arrived,
            "unique": self.store.unique,
            "forgotten": self.store.forgotten,
            "requests": len(self.store.requests),
            "latency_ms": self.faults.latency_ms,
            "faults": self.faults.active(),
        }


def _visitor(scope: Scope) -> str | None:
    """The browser's address; None on this machine, where it says nothing."""
    headers = dict(scope["headers"])
    forwarded: str = headers.get(b"x-forwarded-for", b"").decode("latin-1").partition(",")[0].strip()
    address: str = forwarded or (scope["client"] or ("",))[0]
    return None if address in ("", "127.0.0.1", "::1") else address


_misbehave_decoder = msgspec.json.Decoder(Misbehave)
