"""The only file that sends to Meta: one request, one bounded answer, within one total deadline (`http_client.py`)."""

from typing import Protocol

from conversion_relay.http_client import MOST_BYTES, HttpClient, Response
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
        return _unpacked(answer) if isinstance(answer, Response) else Unreachable(answer.why, sent=answer.sent)

    def close(self) -> None:
        self._client.close()


def _unpacked(answer: Response) -> Response:
    """We ask for plain bytes, and a proxy on the way may pack them all the same. Unread, what Meta took would be sent
    again and again, and what it refused would hold up its dataset."""
    if answer.headers.get("content-encoding", "").strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return answer
    import zlib  # for such a proxy alone

    try:
        body = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(answer.body, MOST_BYTES)
    except zlib.error:
        return answer
    return Response(answer.status, answer.headers, body)
