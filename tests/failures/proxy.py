"""A TCP proxy between relay and Meta that does what networks do: reset, hang up, swallow, stall, tear."""

import contextlib
import select
import socket
import struct
import threading

MODES = (
    "reset before",  # the connection is reset as soon as it stands
    "reset amid",  # ... after a part of the request
    "reset after",  # ... when Meta has answered, before its answer is passed on
    "half close",  # the request is taken, and then nothing more will come
    "black hole",  # the request is taken, and nothing ever comes
    "answer swallowed",  # Meta gets the request, its answer never arrives
    "answer torn",  # half an answer, then the end
    "slow",  # everything arrives, late
)
PASS = "pass"
PART = 100


class Proxy:
    """Listens on a port of its own; `mode` can be changed at any time and holds for new connections."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.mode = PASS
        self.connections = 0
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.door.getsockname()[1])
        self.open: set[socket.socket] = set()
        threading.Thread(target=self.accept_all, args=(self.door,), daemon=True).start()

    def change(self, mode: str) -> None:
        """Connections that stand are dropped, so that the next request meets the new mode."""
        self.mode = mode
        self.drop()

    def drop(self) -> None:
        for connection in list(self.open):
            _reset(connection)

    def shut(self) -> None:
        """From now on connections are refused."""
        # A thread in accept() would keep the port alive.
        with contextlib.suppress(OSError):
            self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()
        self.drop()

    def reopen(self) -> None:
        self.door = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept_all, args=(self.door,), daemon=True).start()

    def accept_all(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(client)
            threading.Thread(target=self.serve, args=(client, self.mode), daemon=True).start()

    def serve(self, client: socket.socket, mode: str) -> None:
        try:
            with contextlib.suppress(OSError, ValueError):  # ValueError: closed by `change` while we waited
                self.relay(client, mode)
        finally:
            self.open.discard(client)
            client.close()

    def relay(self, client: socket.socket, mode: str) -> None:
        if mode == "reset before":
            _reset(client)
            return
        first = client.recv(PART)
        if mode == "reset amid":
            _reset(client)
            return
        if mode == "half close":
            client.shutdown(socket.SHUT_WR)
        if mode in ("half close", "black hole"):
            while client.recv(65_536):
                pass
            return
        with socket.create_connection(("127.0.0.1", self.upstream)) as meta:
            meta.sendall(first)
            _pump(client, meta, mode)


def _pump(client: socket.socket, meta: socket.socket, mode: str) -> None:
    while True:
        for readable in select.select([client, meta], [], [])[0]:
            data = readable.recv(65_536)
            if not data:
                return
            if readable is client:
                meta.sendall(data)
            elif mode == "reset after":
                _reset(client)
                return
            elif mode == "answer torn":
                client.sendall(data[: len(data) // 2])
                return
            elif mode != "answer swallowed":
                if mode == "slow":
                    threading.Event().wait(0.3)
                client.sendall(data)


def _reset(connection: socket.socket) -> None:
    """RST instead of FIN."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()
