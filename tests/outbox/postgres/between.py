"""What may stand between a process and its server: a wire that is cut, a pooler."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

from tests.outbox.postgres.server import Server, as_postgres
from tests.processes import free_port, until

needs_pooler = pytest.mark.skipif(
    shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin") is None, reason="PgBouncer is not installed"
)


class Wire:
    """TCP to the server. `cut`: connections are reset and refused; or `silently`: they stand, and nothing passes.
    `lose_clients`: those that stand end for the client, and the server does not hear of it. `ends_before`: the
    connection that next sends these bytes ends, and the server gets none of them. `ends_after`: the same, but it ends
    when the server has answered, and the client gets none of that."""

    def __init__(self, upstream: int) -> None:
        self.upstream, self.state = upstream, "whole"
        self.pairs: list[socket.socket] = []
        self.unheard: set[socket.socket] = set()
        self.ends_before: bytes | None = None
        self.ends_after: bytes | None = None
        self.unanswered: set[socket.socket] = set()
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.door.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self.door.accept()
            if self.state == "cut":
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                client.close()
                continue
            self.pairs += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self.ends_before and self.ends_before in data:
                    self.ends_before = None
                    break
                if self.ends_after and self.ends_after in data:
                    self.ends_after = None
                    self.unanswered.add(target)
                if source in self.unanswered:
                    break
                while self.state == "silent":
                    time.sleep(0.02)
                target.sendall(data)
        for end in {source, target} - self.unheard:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def lose_clients(self) -> None:
        clients, servers = self.pairs[::2], self.pairs[1::2]
        self.unheard.update(servers)
        for end in clients:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self, *, silently: bool) -> None:
        self.state = "silent" if silently else "cut"
        if not silently:
            for end in self.pairs:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self.pairs.clear()

    def heal(self) -> None:
        self.state = "whole"


class Pooler:
    """PgBouncer in transaction mode before a server."""

    def __init__(self, server: Server) -> None:
        self.server, self.port = server, free_port()
        self.folder = server.folder
        (self.folder / "users.txt").write_text('"postgres" ""\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\npostgres = host={server.folder} port={server.port or 5432}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nauth_type = trust\n"
            f"auth_file = {self.folder}/users.txt\n"
            "pool_mode = transaction\ndefault_pool_size = 4\nunix_socket_dir =\nserver_round_robin = 1\n"
        )
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres?pooler=transaction"
        self.popen: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin") or "pgbouncer"
        with (self.folder / "pooler.log").open("ab") as log:
            self.popen = subprocess.Popen(
                as_postgres(program, "-q", self.folder / "pgbouncer.ini"),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        if self.popen is not None:
            self.popen.terminate()
            self.popen.wait()
            until(lambda: not self._answers())

    def restart(self) -> None:
        self.stop()
        self.start()
