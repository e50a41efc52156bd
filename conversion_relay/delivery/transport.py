"""The only file that sends to Meta: one request, one bounded answer, within one total deadline (`http_client.py`)."""

from typing import Protocol

from conversion_relay.http_client import HttpClient, Response
from conversion_relay.meta.graph import Request, Unreachable

__all__ = ["GraphTransport", "Response", "Transport"]
USER_AGENT = "conversion-relay/0.1"


class Transport(Protocol):
    """How delivery reaches Meta; a test may stand in with a function of its own."""

    def send(self, request: Request, deadline: float) -> Response | Unreachable:
        """At most `deadline` seconds; never raises."""

    def close(self) -> None: ...


class GraphTransport:
    """Keeps connections open between batches; safe to use from several threads."""

    def __init__(self) -> None:
        self._client = HttpClient()

    def send(self, request: Request, deadline: float) -> Response | Unreachable:
        """At most `deadline` seconds, come what may. Any failure is an `Unreachable`, never an exception."""
        headers = {"User-Agent": USER_AGENT, **request.headers}
        answer = self._client.post(request.url, headers, request.body, deadline)
        return answer if isinstance(answer, Response) else Unreachable(answer.why, sent=answer.sent)

    def close(self) -> None:
        self._client.close()
