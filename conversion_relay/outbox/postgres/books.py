"""The books: how many events of each dataset are in each state, and the ids of the datasets.

Whatever moves events moves these in the same transaction. One row for each number would be locked from that moment to
the end of the commit, so all processes would commit one after the other. Each number has SLOTS rows instead, a
transaction takes one by chance, and who reads adds them up.

Slots beyond these are of a time in which somebody held an old snapshot (`slots.py`); house-keeping adds them up when it
is over.
"""

from collections import Counter

from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.postgres.slots import SLOTS

Moves = Counter[tuple[int, str]]
"""By dataset and state, how many more there are."""


def move(moves: Moves, dataset: int, source: str, target: str, n: int) -> None:
    moves[dataset, source] -= n
    moves[dataset, target] += n


def write(session: Session, moves: Moves) -> None:
    changed = sorted((cell, n) for cell, n in moves.items() if n)
    if changed:
        datasets, states = [dataset for (dataset, _), _ in changed], [state for (_, state), _ in changed]
        session.run(_WRITE, (session.slots.one(), datasets, states, [n for _, n in changed]))


_WRITE = """
INSERT INTO relay.tally AS t SELECT dataset, state, %b, n
FROM unnest(%b::int[], %b::text[], %b::bigint[]) AS m (dataset, state, n)
ON CONFLICT (dataset, state, slot) DO UPDATE SET n = t.n + excluded.n
"""


class Datasets:
    """The ids of datasets, which never change as long as the database is the same one: who uses a remembered id has
    its name checked in the same statement (`put.py`, `lanes.py`)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: dict[str, int] = {}

    def id(self, name: str) -> int | None:
        """None for a name of which there was never an event."""
        if not self._ids:  # at the beginning, where a worker may need a thousand of them
            self._ids = dict(self._database.read(_FIRST, (AT_BEGINNING,), pinned=True))
        if name not in self._ids:
            self._ids |= dict(self._database.read(_NAMED, (name,), pinned=True))
        return self._ids.get(name)

    def forget(self, name: str | None = None) -> None:
        """`name`: of one of them."""
        if name is None:
            self._ids = {}
        else:
            self._ids.pop(name, None)

    def make(self, name: str) -> int:
        """In a commit of its own: others must not wait for the group in which the name came up."""
        while (number := self.id(name)) is None:
            self._database.read(_MAKE, (name,))
        return number


AT_BEGINNING = 5_000
_FIRST = "SELECT name, id FROM relay.dataset ORDER BY id LIMIT %b"
_NAMED = "SELECT name, id FROM relay.dataset WHERE name = %b"
_MAKE = "INSERT INTO relay.dataset (name) VALUES (%b) ON CONFLICT DO NOTHING RETURNING id"


def gather(database: Database) -> int:
    """Adds up what was counted in slots beyond the usual ones, for some datasets; for how many. Rows that somebody just
    adds to are left for the next time, so nobody waits for anybody."""
    found = 0
    for table, columns in (("tally", "state"), ("meter", "event_name, side")):
        datasets = database.read(_SPREAD.format(table=table), (SLOTS, AT_ONCE))
        for (dataset,) in datasets:
            database.read(_GATHER.format(table=table, columns=columns), {"dataset": dataset, "slots": SLOTS})
        found += len(datasets)
    return found


AT_ONCE = 30
_SPREAD = "SELECT DISTINCT dataset FROM relay.{table} WHERE slot >= %b::int LIMIT %b::int"
_GATHER = """
WITH free AS MATERIALIZED (
  SELECT ctid AS place FROM relay.{table}
  WHERE dataset = %(dataset)b::int AND slot >= %(slots)b::int FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM relay.{table} WHERE ctid = ANY (ARRAY (SELECT place FROM free)) RETURNING *
)
INSERT INTO relay.{table} AS t (dataset, {columns}, slot, n)
SELECT dataset, {columns}, 0, sum(n) FROM gone GROUP BY dataset, {columns} ORDER BY dataset, {columns}
ON CONFLICT (dataset, {columns}, slot) DO UPDATE SET n = t.n + excluded.n RETURNING 1
"""
