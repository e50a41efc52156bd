"""The only file that opens a socket to Meta: one request, one bounded answer, within one total deadline.

A library's timeout bounds each read, not the call: a server that drips one byte at a time holds it for ever, and a
DNS lookup knows no timeout at all. So the exchange runs in a thread of its own, and when the deadline passes its
socket is shut down under it. Redirects are not followed: the token goes to the host in the settings, nowhere else.
"""

import queue
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from conversion_relay.meta.graph import Request, Unreachable

if TYPE_CHECKING:
    import urllib3

MOST_BYTES = 1_048_576
CONNECT_SECONDS = 1.5
USER_AGENT = "conversion-relay/0.1"


class Response(msgspec.Struct, frozen=True):
    """What came back. Header names in lower case; a longer body is cut off at 1 MiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """How delivery reaches Meta; a test may stand in with a function of its own."""

    def send(self, request: Request, deadline: float) -> Response | Unreachable: ...

    def close(self) -> None: ...


class GraphTransport:
    """Keeps connections open between batches; safe to use from several threads."""

    def __init__(self, connections: int = 8) -> None:
        import urllib3

        self._pools = urllib3.PoolManager(num_pools=4, maxsize=connections, retries=False)
        self._pools.pool_classes_by_scheme = _pool_classes()
        self._idle: queue.SimpleQueue[_Runner] = queue.SimpleQueue()

    def send(self, request: Request, deadline: float) -> Response | Unreachable:
        """At most `deadline` seconds, come what may. Any failure is an `Unreachable`, never an exception."""
        exchange = _Exchange(self._pools, request, deadline)
        try:
            runner = self._runner()
        except RuntimeError:  # the system gives us no more threads
            return Unreachable("no_thread", sent=False)
        runner.work.put(exchange)
        if exchange.done.wait(deadline):
            self._idle.put(runner)
            return exchange.result
        exchange.abort()
        runner.work.put(None)
        return Unreachable("deadline", sent=exchange.sent)

    def _runner(self) -> "_Runner":
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return _Runner()

    def close(self) -> None:
        self._pools.clear()
        while not self._idle.empty():
            self._idle.get().work.put(None)


class _Runner:
    """A thread that carries out exchanges; left to die when one of them outlives its deadline."""

    def __init__(self) -> None:
        self.work: queue.SimpleQueue[_Exchange | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="graph-exchange").start()

    def _run(self) -> None:
        while (exchange := self.work.get()) is not None:
            _current.exchange = exchange
            exchange.run()


class _Exchange:
    """One request on its way."""

    def __init__(self, pools: "urllib3.PoolManager", request: Request, deadline: float) -> None:
        self._pools, self._request, self._deadline = pools, request, deadline
        self.result: Response | Unreachable = Unreachable("deadline", sent=False)
        self.done = threading.Event()
        self.sent = False
        self.aborted = False
        self.socket: socket.socket | None = None

    def run(self) -> None:
        import urllib3

        try:
            self.result = self._post()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self.result = Unreachable(_name(error), sent=self.sent)
        except Exception as error:  # whatever the network makes a parser raise must not end the worker
            self.result = Unreachable(_name(error), sent=self.sent)
        finally:
            self.socket = None
            self.done.set()

    def _post(self) -> Response:
        import urllib3

        answer = self._pools.request(
            "POST",
            self._request.url,
            body=self._request.body,
            headers={"User-Agent": USER_AGENT, **self._request.headers},
            # The total deadline ends a read; urllib3's own, per read, only catches what that could not wake.
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, self._deadline), read=self._deadline + 1),
            redirect=False,
            retries=False,
            preload_content=False,
        )
        body = answer.read(MOST_BYTES, decode_content=True)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if answer.read(1):
            answer.close()  # more than we care to read: do not keep the rest waiting in the pool
        else:
            answer.release_conn()
        return Response(answer.status, headers, body)

    def abort(self) -> None:
        """Wake the thread that hangs in a read; one still in a DNS lookup finds itself aborted when it connects."""
        self.aborted = True
        stuck = self.socket
        if stuck is not None:
            try:
                stuck.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it closed by itself meanwhile


class _Current(threading.local):
    exchange: _Exchange


_current = _Current()


def _pool_classes() -> dict[str, Any]:
    """urllib3's own pools, with connections that tell the exchange which socket carries it."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Observed:
        sock: socket.socket | None

        def _new_conn(self) -> socket.socket:
            new: socket.socket = super()._new_conn()  # type: ignore[misc]
            if _current.exchange.aborted:
                new.close()
                raise TimeoutError("the deadline passed before the connection stood")
            _current.exchange.socket = new
            return new

        def putrequest(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:
                _current.exchange.socket = self.sock
            super().putrequest(*args, **kwargs)  # type: ignore[misc]

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()  # type: ignore[attr-defined]
            _current.exchange.sent = True
            super().send(data)  # type: ignore[misc]

    class ObservedHTTP(Observed, HTTPConnection):
        pass

    class ObservedHTTPS(Observed, HTTPSConnection):
        pass

    class HTTPPool(HTTPConnectionPool):
        ConnectionCls = ObservedHTTP

    class HTTPSPool(HTTPSConnectionPool):
        ConnectionCls = ObservedHTTPS

    return {"http": HTTPPool, "https": HTTPSPool}


def _name(error: BaseException) -> str:
    """A short name of what went wrong; never the text, which holds hosts, paths and sometimes headers."""
    cause: BaseException | None = error
    while cause is not None:
        known = _NAMES.get(type(cause).__name__)
        if known:
            return known
        inner = [cause.__cause__, getattr(cause, "reason", None), *cause.args]
        cause = next((one for one in inner if isinstance(one, BaseException)), None)
    return "network"


_NAMES = {
    "NameResolutionError": "dns",
    "gaierror": "dns",
    "ConnectTimeoutError": "connect_timeout",
    "ReadTimeoutError": "read_timeout",
    "TimeoutError": "read_timeout",
    "SSLError": "tls",
    "SSLCertVerificationError": "tls",
    "ConnectionRefusedError": "refused",
    "ConnectionResetError": "reset",
    "RemoteDisconnected": "closed",
    "IncompleteRead": "cut_off",
    "BrokenPipeError": "reset",
}
