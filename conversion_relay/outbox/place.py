"""Where RELAY_OUTBOX lies: a file of this machine, by its whole path, or elsewhere; and whose its files are.

A service runs as a user of its own, and root asks and repairs by hand: `erase`, `restore`, `import`. A file that stayed
root's would be closed to the service, which then refuses to start. So what root makes is given to the owner of its
folder, as SQLite gives its log to the owner of the database. Only what the call itself made: a name that is there
already may be a link that the folder's owner laid.
"""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE = "sqlite:///"
NO_FILES = (":memory:", "file:")
"""SQLite's own names for what ends with the process, or has options that loosen what an outbox promises."""

ELSEWHERE = ("postgresql", "postgres", "sqs")
"""Schemes of the stores that are no file of this machine."""


def misaddressed(url: str) -> str | None:
    """Why no outbox can be at this address; None where one may be. Nothing is opened.

    >>> misaddressed("sqlite://relay.db")[:39], misaddressed("sqlite:///relay.db")
    ('RELAY_OUTBOX: expected sqlite:///file.d', None)
    """
    if url.partition(":")[0].lower() in ELSEWHERE:
        return None
    path = url.removeprefix(FILE)
    if path in ("", url):
        return "RELAY_OUTBOX: expected sqlite:///file.db (four slashes for an absolute path), postgresql://... or sqs://..."
    if path.startswith(NO_FILES):
        return (
            "RELAY_OUTBOX: an outbox is a file, by its plain path; one in memory would lose what it confirmed "
            "(in tests use Relay.testing())"
        )
    if path.rpartition("/")[2] in ("", ".", ".."):
        return "RELAY_OUTBOX: that is a folder; name the file in it, such as sqlite:////var/lib/relay/relay.db"
    return None


def located(url: str) -> str:
    """RELAY_OUTBOX with a relative file named from the root, for a program that may change its folder later.

    A daemon goes to `/` once it is started, and a process that forks opens its file again: both mean the file that
    was meant at the start. Other stores stay as they are.

    >>> located("sqlite:////var/lib/relay.db"), located("sqs://sqs.eu-north-1.amazonaws.com/1/q")
    ('sqlite:////var/lib/relay.db', 'sqs://sqs.eu-north-1.amazonaws.com/1/q')
    """
    path = url.removeprefix(FILE)
    if path == url or misaddressed(url):
        return url
    try:
        found = os.path.abspath(path)  # noqa: PTH100 - the same rules as where the file is opened
        # SQLite keeps its log beside the file that a link leads to, and everything else of ours belongs there, too.
        return FILE + (os.path.realpath(found) if os.path.islink(found) else found)  # noqa: PTH114
    except OSError:  # the folder is gone; opening the file says so
        return url


def opened(path: "Path", flags: int) -> int:
    """A descriptor of a file that is made where there is none, readable by its owner alone. Raises OSError."""
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(path, flags | os.O_CREAT, 0o600)
    if os.geteuid() == 0:
        give(file, path.parent)
    return file


def make_folder(path: "Path") -> None:
    """For files that processes share, closed to other users; it may be there already."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        path.mkdir(exist_ok=True)  # says so where it is no folder
        return
    if os.geteuid() == 0:
        made = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            give(made, path.parent)
        finally:
            os.close(made)


def give(file: int, folder: "Path") -> None:
    """What root just made in this folder becomes its owner's. A file system without owners keeps it as it is."""
    try:
        owner = folder.stat()
        if owner.st_uid != 0:
            os.fchown(file, owner.st_uid, owner.st_gid)
    except OSError:
        return


def bring_to_disk(file: int) -> None:
    """fsync; on macOS, where that leaves the bytes in the disk's own memory, fcntl(2)'s F_FULLFSYNC. Raises OSError."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
            return
        except OSError:  # a file system that does not know it
            pass
    os.fsync(file)


def file_of(url: str) -> "Path | None":
    """The file, by its whole path; None where the outbox is no file.

    >>> file_of("sqlite:////var/lib/relay.db").name, file_of("postgresql://host/db")
    ('relay.db', None)
    """
    from pathlib import Path  # not at the start of a program that only tracks

    path = located(url).removeprefix(FILE)
    return None if path == url or misaddressed(url) else Path(path)
