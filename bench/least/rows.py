"""Stored rows: one table in SQLite, fsynced; and the loop that posts them, a thousand a request.

    python -m bench.least.rows FILE URL CALLS     posts and deletes every row

The loop reads rows in order, joins their bytes, posts them, and deletes them when Meta has counted them. It claims
nothing, so a second process would send everything twice; it keeps no book and hears no refusal.
"""

import queue
import sys
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import apsw
import msgspec

BATCH = 1_000


class Rows:
    """One connection, shared under a lock."""

    def __init__(self, path: Path) -> None:
        self._lock, self._db, self._read_to = threading.Lock(), apsw.Connection(str(path)), 0
        self._db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS event (key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, body BLOB)"
        )

    def put(self, rows: Sequence[tuple[str, bytes]]) -> None:
        with self._lock, self._db:
            self._db.executemany("INSERT OR IGNORE INTO event (id, body) VALUES (?, ?)", rows)

    def next(self) -> list[tuple[int, bytes]]:
        with self._lock:
            sql = "SELECT key, body FROM event WHERE key > ? ORDER BY key LIMIT ?"
            rows: list[Any] = self._db.execute(sql, (self._read_to, BATCH)).fetchall()
        if rows:
            self._read_to = rows[-1][0]
        return rows

    def delete(self, rows: Sequence[tuple[int, bytes]]) -> None:
        with self._lock, self._db:
            self._db.execute("DELETE FROM event WHERE key BETWEEN ? AND ?", (rows[0][0], rows[-1][0]))


def post_all(rows: Rows, url: str, calls: int, *, until_empty: bool) -> None:
    """With so many calls in flight; until the table is empty, or for ever."""
    batches: queue.Queue[list[tuple[int, bytes]]] = queue.Queue(calls)
    posting = [threading.Thread(target=_post, args=(rows, url, batches), daemon=True) for _ in range(calls)]
    for thread in posting:
        thread.start()
    while True:
        batch = rows.next()
        if batch:
            batches.put(batch)
        elif until_empty:
            break
        else:
            time.sleep(0.1)
    for _ in posting:
        batches.put([])
    for thread in posting:
        thread.join()


def _post(rows: Rows, url: str, batches: "queue.Queue[list[tuple[int, bytes]]]") -> None:
    host = urlsplit(url)
    connection = HTTPConnection(host.hostname or "", host.port, timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer x"}
    while batch := batches.get():
        body = b'{"data":[' + b",".join([body for _, body in batch]) + b"]}"
        connection.request("POST", "/v27.0/1/events", body, headers)
        said = msgspec.json.decode(connection.getresponse().read())
        assert said["events_received"] == len(batch), said
        rows.delete(batch)


if __name__ == "__main__":
    post_all(Rows(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3]), until_empty=True)
