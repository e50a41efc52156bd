"""The verdict of each row, in a file beside the imported one; it is also what a second call goes on from.

What could go wrong. An import of a million rows is stopped at a random moment, by Ctrl-C or by a power cut. Whoever
starts it again must neither lose a row nor accept one twice, and wants one verdict for each row.

The rule. A batch is committed to the outbox first, then its verdicts are written. A row without a verdict is read
again. Ids do not depend on the run, so what was committed without a verdict is known to the outbox as a duplicate. The
file's first line names the imported file by size and digest and the options; a file that does not fit is not gone on
with.

Cells that a spreadsheet would take for a formula get an apostrophe: https://owasp.org/www-community/attacks/CSV_Injection
"""

import contextlib
import csv
import fcntl
import io
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

HEADINGS = ("row", "verdict", "event_id", "reason", "field", "message")
Verdict = tuple[int, str, str, str, str, str]
END = "# done"


class Verdicts:
    """One verdict file, opened for appending. `done_rows`: so many rows have their verdict; `is_done`: all of them."""

    def __init__(self, path: Path, mark: str, *, anew: bool = False) -> None:
        """`mark`: names the imported file and how it is read. Raises ValueError for verdicts of something else, and
        BlockingIOError while another import writes them."""
        self._first = f"# {mark}\n"
        self.done_rows, self.is_done = 0, False
        self._path = path
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _lock(handle)
            keeps = 0 if anew else self._look(path)
        except (BlockingIOError, ValueError):
            os.close(handle)
            raise
        self.is_resumed = self.done_rows > 0
        os.ftruncate(handle, keeps)
        self._file = os.fdopen(handle, "ab")
        if not keeps:
            self._file.write((self._first + ",".join(HEADINGS) + "\n").encode())

    def _look(self, path: Path) -> int:
        """How many bytes are kept: the last line may be cut off."""
        kept = 0
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if number == 0 and not self._first.encode().startswith(line):
                    raise ValueError(path.name)
                if not line.endswith(b"\n"):
                    break
                if number > 1:
                    if line.startswith(END.encode()):
                        self.done_rows, self.is_done = 0, True
                        return 0
                    self.done_rows = int(line.partition(b",")[0])
                kept += len(line)
        return kept

    def write(self, verdicts: Sequence[Verdict]) -> None:
        """Of the next rows, in their order."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(verdicts)
        self._write(text.getvalue())

    def finish(self) -> None:
        self._write(f"{END}\n")

    def _write(self, text: str) -> None:
        """An OSError names the file: a full disk does not say which of several it is."""
        try:
            self._file.write(text.encode())
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def __enter__(self) -> "Verdicts":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # what could not be written was told by `_write`
            self._file.close()


def _lock(handle: int) -> None:
    """Until the file is closed. Raises BlockingIOError where another import has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return
