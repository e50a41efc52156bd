"""How much SQLite does for something: not how long it takes, which a busy machine changes."""

from collections.abc import Callable

import apsw


def steps(db: apsw.Connection, work: Callable[[], object], each: int = 100) -> int:
    """Hundreds of its instructions, or `each` so many (https://sqlite.org/c3ref/progress_handler.html)."""
    taken: list[int] = []
    db.set_progress_handler(lambda: bool(taken.append(1)), each)
    try:
        work()
    finally:
        db.set_progress_handler(None)
    return len(taken)
