"""A TCP server on loopback that answers with whatever bytes a test wants, as slowly as it wants."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import contextmanager


@contextmanager
def serving(answer: Callable[[socket.socket], None]):
    """`answer` gets each accepted connection; its URL is yielded."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def handle(connection: socket.socket) -> None:
        with connection:
            try:
                answer(connection)
            except OSError:
                return  # the client went away, which is what some tests are about

    def accept() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def read_request(connection: socket.socket) -> bytes:
    """Headers and body of one request. Raises ConnectionError once the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += received(connection)
    return head + b"\r\n\r\n" + body


def received(connection: socket.socket) -> bytes:
    """Nothing is the end of a connection; a loop that went on reading would occupy a core for ever."""
    if not (data := connection.recv(65536)):
        raise ConnectionError("the client closed the connection")
    return data


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
