"""PostgreSQL for the tests: servers of their own on sockets of their own, started once and ended with the process.

`make test` skips what needs a server where Debian's packages are not; in CI (`CI=true`) nothing is skipped.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import psycopg
import pytest

from tests.processes import until

CHEAP = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
"""Tests of what is answered need no disk; tests of what is lost turn it on. And no autovacuum, which comes when it
likes: while it analyses a table, no deleted row of the database can be forgotten."""


def programs() -> Path | None:
    """Where the newest server on this machine is, or that of TEST_POSTGRES."""
    if named := os.environ.get("TEST_POSTGRES"):
        return Path(named)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


needs_postgres = pytest.mark.skipif(
    programs() is None and os.environ.get("CI") != "true", reason="PostgreSQL is not installed"
)


def as_postgres(*command: str | Path) -> list[str]:
    """The server refuses to run as root."""
    return [*(("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()), *map(str, command)]


class Server:
    """One cluster. `url` names its database by a socket, `port` is where it listens on loopback, if it does."""

    def __init__(
        self, *, port: int = 0, settings: dict[str, str] | None = None, copy_of: "Server | None" = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="relay-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.data, self.port = self.folder / "data", port
        self.settings = {"max_connections": "200", "max_wal_size": "1GB", **(settings or {})}
        self.popen: subprocess.Popen[bytes] | None = None
        if copy_of is None:
            run(
                "initdb",
                "-D",
                self.data,
                "-U",
                "postgres",
                "--no-sync",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            )
        else:
            self.base_backup(copy_of)
        atexit.register(self.remove)

    def base_backup(self, primary: "Server") -> None:
        """Its data are a copy of the primary's, and it follows it as a standby."""
        source = ("-h", primary.folder, "-p", str(primary.port or 5432), "-U", "postgres")
        run("pg_basebackup", "-D", self.data, *source, "-R", "-X", "stream", "-c", "fast")

    def start(self) -> "Server":
        listen = {"listen_addresses": "127.0.0.1" if self.port else "", "port": str(self.port or 5432)}
        given = {"unix_socket_directories": str(self.folder), **listen, **self.settings}
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.popen = subprocess.Popen(
                as_postgres(_program("postgres"), "-D", self.data, *options),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        until(self.answers, seconds=60)
        return self

    def answers(self) -> bool:
        try:
            psycopg.connect(self.conninfo, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def conninfo(self) -> str:
        return f"host={self.folder} port={self.port or 5432} user=postgres dbname=postgres"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port or 5432}"

    @property
    def tcp_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def children(self) -> Sequence[str]:
        return _children(self.pid())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown; SIGQUIT: immediate, as a crash; SIGKILL: it and all its sessions at once."""
        if self.popen is None:
            return
        pid = self.pid()
        children = [int(text) for text in _children(pid)] if how == signal.SIGKILL else []
        for each in (pid, *children):
            os.kill(each, how)
        self.popen.wait(60)
        if how == signal.SIGKILL:
            until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), seconds=30)
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.popen = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def promote(self) -> None:
        run("pg_ctl", "promote", "-D", self.data, "-w")

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


def run(program: str, *arguments: str | Path) -> None:
    subprocess.run(as_postgres(_program(program), *arguments), check=True, stdout=subprocess.DEVNULL, cwd="/")


def _program(name: str) -> Path:
    folder = programs()
    assert folder is not None, "PostgreSQL is not installed"
    own = folder / name
    return own if own.exists() else Path(shutil.which(name) or own)


def _children(pid: int) -> Sequence[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@cache
def cheap() -> Server:
    """For all tests of this process."""
    return Server(settings=CHEAP).start()
