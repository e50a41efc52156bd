"""Tables that long runs leave in a page of the documents, with the day and the machine."""

import datetime
import os
import platform
from pathlib import Path

import apsw


def keep(page: Path, mark: str, lines: str) -> None:
    """Puts them between `<!-- mark: begin -->` and `<!-- mark: end -->`, in place of those of the run before; a page
    without these marks gets them at its end."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    before, _, rest = page.read_text("utf-8").partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}Run of {_where()}.\n\n{lines}{end}{after}", "utf-8")


def _where() -> str:
    today = datetime.datetime.now(datetime.UTC).date()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    kernel = platform.release().partition("-")[0]
    return (
        f"{today}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {kernel}, "
        f"CPython {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    )
