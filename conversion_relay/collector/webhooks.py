"""POST /webhooks/{provider}: a payment provider's notice. Neither key nor origin: the signature says who it is."""

from collections.abc import Callable, Mapping
from typing import Any

from conversion_relay.collector.body import receive_body
from conversion_relay.collector.door import headers_of
from conversion_relay.collector.limits import holder_of
from conversion_relay.collector.reply import HttpError, Receive, Send, not_durable, respond, written
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.relay.threads import in_thread
from conversion_relay.webhooks import MOST_BYTES, WebhookAnswer, Webhooks

PREFIX = "/webhooks/"
Facts = Callable[[Mapping[str, str], str | None], RequestFacts]
"""`Door.facts`."""


class WebhooksEndpoint:
    """Plain ASGI: the bytes must come as they were sent, and nothing else is asked of the request."""

    def __init__(self, webhooks: Webhooks, facts: Facts) -> None:
        self._webhooks, self._facts = webhooks, facts

    async def serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            said = await self._answer(scope, receive)
        except HttpError as error:
            answer = written(error)
            await respond(send, answer.status, answer.body, answer.headers, ())
        else:
            body = b"" if scope["method"] == "HEAD" else said.content
            await respond(send, said.status, body, {"content-type": said.content_type, **said.headers}, ())

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> WebhookAnswer:
        provider = scope["path"].removeprefix(PREFIX).rstrip("/")
        if scope["method"] in ("GET", "HEAD"):
            return self._webhooks.tried(provider)
        if scope["method"] != "POST":
            raise HttpError(405, "method_not_allowed", "method", "send it with POST", allow="POST, GET, HEAD")
        headers = headers_of(scope["headers"])
        raw = await receive_body(headers, receive, MOST_BYTES)
        query = scope.get("query_string", b"").decode("latin-1")
        # It waits for a commit, and may ask the provider back.
        try:
            peer = scope["client"][0] if scope.get("client") else None
            network = holder_of(self._facts(headers, peer).client_ip_address)
            return await in_thread(self._webhooks.answer, provider, raw, headers, query=query, network=network)
        except OutboxUnavailable:
            raise not_durable("nothing could be stored now") from None
