"""How far this machine's clock is from the database's, by which all machines agree.

What could go wrong. One machine of a fleet starts with a clock that is a month ahead. It takes each ledger row and each
visitor for old, and prunes them for all; the fleet then sends each copy as if it were new.

The rule. Where a time decides over what others wrote, it is the database's: `here` less `ahead_of`. Both are compared
just then, since a clock may be set at any moment.
"""

import time

NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
MOST_ON_THE_WAY = 2.0


def ahead_of(database_now: float) -> float:
    """Seconds; zero where only the way could be the reason."""
    ahead = time.time() - database_now
    return ahead if abs(ahead) >= MOST_ON_THE_WAY else 0.0
