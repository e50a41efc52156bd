"""The books: how many events of each dataset are in each state, and the ids of the datasets.

Whatever moves events moves these in the same transaction. One row for each number would be locked from that moment to
the end of the commit, so all processes would commit one after the other. Each number has SLOTS rows instead, a
transaction takes one by chance, and who reads adds them up.
"""

import random
from collections import Counter

from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.session import Session

SLOTS = 16
Moves = Counter[tuple[int, str]]
"""By dataset and state, how many more there are."""


def slot() -> int:
    return random.randrange(SLOTS)


def move(moves: Moves, dataset: int, source: str, target: str, n: int) -> None:
    moves[dataset, source] -= n
    moves[dataset, target] += n


def write(session: Session, moves: Moves) -> None:
    changed = sorted((cell, n) for cell, n in moves.items() if n)
    if changed:
        datasets, states = [dataset for (dataset, _), _ in changed], [state for (_, state), _ in changed]
        session.run(_WRITE, (slot(), datasets, states, [n for _, n in changed]))


_WRITE = """
INSERT INTO relay.tally AS t SELECT dataset, state, %b, n
FROM unnest(%b::int[], %b::text[], %b::bigint[]) AS m (dataset, state, n)
ON CONFLICT (dataset, state, slot) DO UPDATE SET n = t.n + excluded.n
"""


class Datasets:
    """The ids of datasets, which never change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: dict[str, int] = {}

    def id(self, name: str) -> int | None:
        """None for a name of which there was never an event."""
        if name not in self._ids:
            found = self._database.read("SELECT id FROM relay.dataset WHERE name = %b", (name,))
            if found:
                self._ids[name] = found[0][0]
        return self._ids.get(name)

    def make(self, name: str) -> int:
        """In a commit of its own: others must not wait for the group in which the name came up."""
        if self.id(name) is None:
            self._database.read(_MAKE, (name,))
            self._ids.update(dict(self._database.read("SELECT name, id FROM relay.dataset WHERE name = %b", (name,))))
        return self._ids[name]


_MAKE = "INSERT INTO relay.dataset (name) VALUES (%b) ON CONFLICT DO NOTHING RETURNING id"
