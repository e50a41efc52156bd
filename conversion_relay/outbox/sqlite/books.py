"""The books of the SQLite outbox: how many events of each dataset are in each state. Whatever moves events moves these
with them, in the same transaction."""

from collections.abc import Callable
from typing import Any

import apsw

Rows = list[tuple[Any, ...]]
Read = Callable[..., Rows]
"""`read(sql, values)` on a connection that sees committed rows."""


def dataset_id(db: apsw.Connection, name: str) -> int | None:
    found = read(db, "SELECT id FROM dataset WHERE name = ?", (name,))
    return found[0][0] if found else None


def read(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    return db.execute(sql, values).fetchall()


def move(db: apsw.Connection, dataset: int, source: str, target: str, n: int) -> None:
    if n and source != target:
        db.execute(f"INSERT INTO tally VALUES (?, ?, ?), (?, ?, ?) {_ADD}", (dataset, source, -n, dataset, target, n))


_ADD = "ON CONFLICT DO UPDATE SET n = n + excluded.n"


def make_dataset_id(db: apsw.Connection, name: str) -> int:
    found = read(db, "SELECT id FROM dataset WHERE name = ?", (name,))
    if not found:
        found = read(db, "INSERT INTO dataset (name) VALUES (?) RETURNING id", (name,))
    return int(found[0][0])
