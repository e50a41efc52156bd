"""What SQLite says of the file, told to the operator: what is wrong, and what to do about it."""

import errno
import os
from pathlib import Path

import apsw

from conversion_relay.errors import TOO_FEW_FILES, is_short_of_files

BY_ITSELF = "it is tried again by itself"
FULL = f"the disk of {{}} is full, or a quota is; free some space, {BY_ITSELF}"

NOT_BUNDLED = (
    "{} of conversion_relay is not in this program's bundle; tell the tool that made it to take the package's data "
    "along (PyInstaller: --collect-data conversion_relay)"
)


def explain(path: Path, error: apsw.Error) -> str:
    """An SQLite error as a line for the operator, with a remedy."""
    match error:
        case apsw.BusyError():
            return f"{path.name} is locked by another process; end that one or wait, {BY_ITSELF}"
        case apsw.ReadOnlyError():
            return f"{path.name} or its file system is read-only; make it writable, {BY_ITSELF}"
        case apsw.FullError():
            return FULL.format(path.name)
        case apsw.CantOpenError():
            return f"{path.name} cannot be opened{_why(path)}"
        case apsw.IOError() if getattr(error, "extendedresult", 0) in _NOT_SHARED:
            return NOT_SHARED.format(path.name)
        case apsw.IOError():
            return f"the disk under {path.name} fails to write or read ({error}); look at it, {BY_ITSELF}"
    return f"{path.name}: {error}"


NOT_SHARED = (
    "{} cannot be locked, or its log not be mapped into memory: keep it on a local disk, not on a mount from elsewhere"
    f" (on a local one memory is short); {BY_ITSELF}"
)
_NOT_SHARED = (
    apsw.SQLITE_IOERR_LOCK,
    apsw.SQLITE_IOERR_RDLOCK,
    apsw.SQLITE_IOERR_SHMLOCK,
    apsw.SQLITE_IOERR_SHMMAP,
    apsw.SQLITE_IOERR_SHMOPEN,
)


def may_pass(error: apsw.Error | OSError) -> bool:
    """Whether the same file may be opened later, with nothing set otherwise: it is locked, its disk is full or fails,
    the process has no descriptor left."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) or is_short_of_files(error)
    if isinstance(error, apsw.IOError):
        return getattr(error, "extendedresult", 0) not in _NOT_SHARED
    return isinstance(error, apsw.BusyError | apsw.FullError)


def why_not_opened(path: Path, error: OSError) -> str:
    """What a file beside the database ran into, at a start."""
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        return told_once(NOT_SHARED.format(path.name))
    if is_short_of_files(error):
        return f"{path.name} cannot be opened: {TOO_FEW_FILES}"
    return f"the folder of {path.name} is not writable: {error.strerror}"


def _why(path: Path) -> str:
    """What the system says, which SQLite keeps to itself: too many open files, for one. Asked of the folder: who closes
    any descriptor of the file itself drops SQLite's locks on it (https://sqlite.org/howtocorrupt.html)."""
    try:
        os.close(os.open(path.parent, os.O_RDONLY))
    except OSError as error:
        if is_short_of_files(error):
            return f": {TOO_FEW_FILES}"
        return f" ({error.strerror}); check its folder and its owner"
    return "; check its folder and its owner"


def told_once(text: str) -> str:
    """What `explain` says, for what ends with this error and tries nothing again."""
    return text.replace(BY_ITSELF, "then try again")


def is_full(error: apsw.Error, db: apsw.Connection | None) -> bool:
    """Whether the disk takes no more: also by a quota or a limit of a file's size, which SQLite tells as it tells a
    disk that fails. Only of a write; what an fsync did not take may be lost, whatever the reason."""
    if not isinstance(error, apsw.IOError) or db is None:
        return isinstance(error, apsw.FullError)
    is_of_write = getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_WRITE
    return is_of_write and db.system_errno in (errno.EDQUOT, errno.EFBIG)
