"""Which of its rows a counter is added to, and when others are taken.

What could go wrong. While somebody holds an old snapshot, each version of a row stays, and whoever updates it steps
over all of them. After eight minutes of a hundred events at a time, a settlement took more than twice as long.

The rule: SLOTS rows of each number, by chance, so that two processes do not wait for each other's commit. While rows
cannot be cleaned away, rows of a process's own, and others after MOST_USES. Who reads adds all of them up.
"""

import random

SLOTS = 16
OWN_SLOTS, MOST_USES = 4, 1_000


class Slots:
    """Of one process. Threads need no lock: a use more or less of a row does no harm."""

    def __init__(self) -> None:
        self.is_crowded = False
        self._first, self._uses = 0, 0

    def one(self) -> int:
        if not self.is_crowded:
            return random.randrange(SLOTS)
        if not self._first or self._uses >= MOST_USES:
            self._first, self._uses = random.randrange(SLOTS, 2**30), 0
        self._uses += 1
        return self._first + random.randrange(OWN_SLOTS)
