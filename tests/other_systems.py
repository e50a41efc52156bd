"""`python -m tests.other_systems macos|bare VERB ...`: the command line without what some systems have not got.

`macos`: what typeshed says of the platform is asked by `make lint` (mypy --platform darwin); this runs it. Not played:
its file systems, its event queue, its C library. `bare`: a Python that was built where libffi, SQLite and others were
missing, as pyenv does with a warning.
"""

import fcntl
import os
import resource
import signal
import socket
import sys
import time
from typing import Any

OPEN_MAX = 10_240
ABSENT: dict[Any, tuple[str, ...]] = {
    os: ("posix_fallocate", "posix_fadvise", "memfd_create", "eventfd", "splice", "getxattr"),
    time: ("CLOCK_BOOTTIME", "CLOCK_TAI"),
    socket: ("SO_PEERCRED", "TCP_USER_TIMEOUT", "TCP_DEFER_ACCEPT", "AF_NETLINK", "MSG_NOSIGNAL"),
    signal: ("sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGPOLL"),
    resource: ("prlimit",),
    fcntl: ("F_OFD_SETLK", "F_OFD_GETLK", "F_OFD_SETLKW"),
}


BARE = ("_ctypes", "ctypes", "_sqlite3", "sqlite3", "_lzma", "lzma", "_bz2", "bz2", "readline", "_curses", "_dbm")


def bare() -> None:
    sys.modules.update(dict.fromkeys(BARE, None))  # type: ignore[arg-type]


def macos() -> None:
    for module, names in ABSENT.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    setrlimit = resource.setrlimit

    def refusing(which: int, limits: tuple[int, int]) -> None:
        if which == resource.RLIMIT_NOFILE and limits[0] > OPEN_MAX:
            raise ValueError("current limit exceeds maximum limit")
        setrlimit(which, limits)

    resource.setrlimit = refusing
    resource.getrlimit = lambda _which: (256, resource.RLIM_INFINITY)


if __name__ == "__main__":
    {"macos": macos, "bare": bare}[sys.argv.pop(1)]()
    from conversion_relay.__main__ import main

    main()
