"""One HTTP client, for Meta, AWS and payment providers: one request, one bounded answer, one total deadline.

What could go wrong. A socket's timeout bounds each read, not the call: a server that drips one byte a second holds a
call for ever. A DNS lookup knows no timeout at all. A body may be endless. A kept connection may have been closed by
its other end. After a failure the caller must know whether the request left: if it did, Meta may have taken the events.

The rules.
1. *Total deadline.* The exchange runs in a thread of its own, while the caller waits for the deadline and no longer.
   Then the socket is shut down under the thread, which wakes it from any read. A thread that hangs in a lookup is left
   behind; when it comes back it finds its exchange aborted and sends nothing. Connecting has a shorter limit.
2. *Nothing is raised.* Whatever the network does is a `NoAnswer` with a short name, and `sent`: true from the moment
   that the first byte of the request may have left. A server that answers and closes before it has read everything
   (413) is heard all the same.
3. *Bounded reading.* At most `most_bytes` of a body; a longer one is cut off, and its connection is not kept. A body
   that ends before its announced length is no answer.
4. *A kept connection is looked at before it is used.* Whatever can be read from an idle connection is its end.
5. *A proxy only where the environment names one* (`http_proxy.py`); what is wrong with it is told as the proxy's fault.
6. *Redirects are not followed.* A token goes to the host that the caller named, nowhere else. Bodies are not
   decompressed: the request asks for none that are, and a bomb stays small (for one of Meta's: `transport.py`).

Built on `http.client` (docs/adr/0012): urllib3 needs private overrides to tell which socket carries a call, and its
import costs a function's cold start more than all of this. Nothing of a host, path or header is in an error's text.
"""

import contextlib
import os
import queue
import socket
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from conversion_relay.http_connections import Connections, NoWayOut

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

    from conversion_relay.http_proxy import Proxy

CONNECT_SECONDS = 1.5
MOST_BYTES = 1_048_576


class Response(msgspec.Struct, frozen=True):
    """What came back. Header names in lower case, repeated ones joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(msgspec.Struct, frozen=True):
    """Nobody answered, or not in time. `sent`: the request may have been read all the same."""

    why: str
    sent: bool


class HttpClient:
    """Keeps connections open between calls. Safe to use from several threads; the child of a fork begins anew."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._runners: queue.SimpleQueue[_Runner] = queue.SimpleQueue()
        self._connections = Connections()
        weakref.finalize(self, _end, self._runners).atexit = False  # for whoever drops a client without closing it

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, deadline: float, most_bytes: int = MOST_BYTES
    ) -> Response | NoAnswer:
        """At most `deadline` seconds, come what may. `url`: http or https, with host and path."""
        return self._exchange("POST", url, headers, body, deadline, most_bytes)

    def get(self, url: str, headers: Mapping[str, str], deadline: float) -> Response | NoAnswer:
        """The same, for what is only read."""
        return self._exchange("GET", url, headers, b"", deadline, MOST_BYTES)

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, deadline: float, most_bytes: int
    ) -> Response | NoAnswer:
        if self._process != os.getpid():
            self._begin()  # threads and connections stayed with the parent
        exchange = _Exchange(self._connections, method, url, headers, body, deadline, most_bytes)
        try:
            runner = self._runner()
        except RuntimeError:  # the system gives us no more threads
            return NoAnswer("no_thread", sent=False)
        runner.work.put(exchange)
        if exchange.done.wait(deadline):
            self._runners.put(runner)
            return exchange.result
        exchange.abort()
        runner.work.put(None)
        return NoAnswer("deadline", sent=exchange.sent)

    def _runner(self) -> "_Runner":
        try:
            return self._runners.get_nowait()
        except queue.Empty:
            return _Runner()

    def close(self) -> None:
        """Idle connections and threads end; a call under way ends by itself."""
        self._connections.close()
        _end(self._runners)


def _end(runners: "queue.SimpleQueue[_Runner]") -> None:
    with contextlib.suppress(queue.Empty):  # a call that begins meanwhile may take one between a look and a `get`
        while True:
            runners.get_nowait().work.put(None)


class _Runner:
    """A thread that carries out exchanges; left behind when one of them outlives its deadline."""

    def __init__(self) -> None:
        self.work: queue.SimpleQueue[_Exchange | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="http-exchange").start()

    def _run(self) -> None:
        while (exchange := self.work.get()) is not None:
            exchange.run()
            del exchange  # an idle thread must not hold a megabyte of events


class _Exchange:
    """One request on its way."""

    def __init__(
        self,
        connections: Connections,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
        most_bytes: int,
    ) -> None:
        self._connections, self._method, self._url = connections, method, url
        self._headers, self._body = headers, body
        self._deadline, self._most_bytes = deadline, most_bytes
        self.result: Response | NoAnswer = NoAnswer("deadline", sent=False)
        self.done = threading.Event()
        self.sent = False
        self._aborted = False
        self._socket: socket.socket | None = None

    def run(self) -> None:
        try:
            self.result = self._carry_out()
        except Exception as error:  # whatever the network makes a parser raise must not end the caller
            self.result = NoAnswer(_name(error), sent=self.sent)
        finally:
            self._socket = None
            self.done.set()

    def _carry_out(self) -> Response:
        parts = urlsplit(self._url)
        host = (parts.scheme, parts.netloc)
        connection = self._connections.take(host)
        try:
            self._connect(connection, parts.scheme == "https")
            # The total deadline ends a read; the socket's own only catches what shutting it down could not wake.
            connection.sock.settimeout(self._deadline + 1)
            self._ask(connection, f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")
            answer = _final(connection.getresponse())
            body = _read(answer, self._most_bytes)
        except BaseException:
            connection.close()
            raise
        if answer.isclosed() and not answer.will_close and not self._aborted:
            self._connections.keep(host, connection)
        else:
            connection.close()  # there is more than we care to read
        return Response(answer.status, _joined(answer), body)

    def _connect(self, connection: "HTTPConnection", is_secure: bool) -> None:
        """Step by step, so that the deadline can end each of them."""
        if connection.sock is not None:
            self._watch(connection.sock)
            return
        seconds = min(CONNECT_SECONDS, self._deadline)
        try:
            proxy = _proxy_for(connection.host) if is_secure else None
            if proxy is None:
                connection.sock = self._connections.open(connection.host, connection.port, seconds)
            else:
                reached = self._connections.open
                connection.sock = proxy.connect(reached, connection.host, connection.port, seconds, self._deadline)
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._watch(connection.sock)
            if is_secure:
                secure = self._connections.tls().wrap_socket(
                    connection.sock, server_hostname=connection.host, do_handshake_on_connect=False
                )
                connection.sock = secure
                self._watch(secure)
                secure.do_handshake()
        except TimeoutError:
            raise _ConnectTimeout from None

    def _watch(self, connected: socket.socket) -> None:
        self._socket = connected
        if self._aborted:
            raise TimeoutError

    def _ask(self, connection: "HTTPConnection", target: str) -> None:
        names = {name.lower() for name in self._headers}
        connection.putrequest(self._method, target, skip_host="host" in names)
        for name, value in self._headers.items():
            connection.putheader(name, value)
        if "content-length" not in names and self._method != "GET":
            connection.putheader("Content-Length", str(len(self._body)))
        self.sent = True
        with contextlib.suppress(BrokenPipeError):  # its answer may be there: it had read enough to refuse
            connection.endheaders(self._body)

    def abort(self) -> None:
        """Wake the thread that hangs in a read; one still in a lookup finds itself aborted when it has connected."""
        self._aborted = True
        stuck = self._socket
        if stuck is not None:
            try:
                # Not SSLSocket's own: it takes the encryption away first, and the other thread may still be sending.
                socket.socket.shutdown(stuck, socket.SHUT_RDWR)
            except OSError:
                return  # it closed by itself meanwhile


def _proxy_for(host: str) -> "Proxy | None":
    if not (os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")):
        return None
    from conversion_relay.http_proxy import proxy_for  # most have none, and a cold start need not pay for it

    return proxy_for(host, os.environ)


def _final(answer: "HTTPResponse") -> "HTTPResponse":
    """Past what a server says before its answer (102, 103); `http.client` passes over 100 alone. The answer would be
    lost, or be read as the one to the next request. https://www.rfc-editor.org/rfc/rfc9110#section-15.2"""
    while 100 <= answer.status < 200 and answer.status != 101:
        answer.headers = None  # type: ignore[assignment]  # begin() returns at once where there are some
        answer.begin()
    return answer


def _read(answer: "HTTPResponse", most_bytes: int) -> bytes:
    from http.client import IncompleteRead

    body = answer.read(most_bytes)
    if answer.length and len(body) < most_bytes:  # http.client says nothing of a body that ends too soon
        raise IncompleteRead(body, answer.length)
    return body


def _joined(answer: "HTTPResponse") -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in answer.getheaders():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


class _ConnectTimeout(Exception):
    """Nobody took the connection in time."""


def _name(error: BaseException) -> str:
    """A short name of what went wrong; never the text, which may hold hosts, paths and headers."""
    if isinstance(error, NoWayOut):
        return str(error)
    for kind in type(error).__mro__:
        if kind.__name__ in _NAMES:
            return _NAMES[kind.__name__]
    return "network"


_NAMES = {
    "_ConnectTimeout": "connect_timeout",
    "gaierror": "dns",
    "TimeoutError": "read_timeout",
    "SSLError": "tls",
    "ConnectionRefusedError": "connection_refused",
    "RemoteDisconnected": "closed",
    "ConnectionResetError": "reset",
    "BrokenPipeError": "reset",
    "IncompleteRead": "cut_off",
}
