"""A machine that has no memory left for a request."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests import asgi
from tests.collector.test_direct import Server, post


def test_it_is_not_called_a_request_that_cannot_be_read(monkeypatch):
    """The parser hides what its callbacks raise; whoever is told 400 throws the event away."""

    def no_memory(*_: object) -> None:
        raise MemoryError

    async def answers():
        return await Server({}).answers([post(b"{}")])

    monkeypatch.setattr(HttpToolsProtocol, "on_body", no_memory)
    ((status, body),) = asgi.run(answers())
    assert (status, b"send it again" in body) == (b"503", True)
