"""What a look and an erasure cost, in pages of PostgreSQL: not in time, which a busy machine changes."""

import time
from collections import Counter

import pytest

from conversion_relay.outbox import Search
from conversion_relay.outbox.postgres import look, operator
from conversion_relay.outbox.verdict import Hold, RetryAt, Suspect
from tests.outbox.postgres.server import needs_postgres
from tests.outbox.suite import claim, sealed

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]
FAR = 2_000_000_000


def pages(outbox, asked: Search) -> tuple[int, look.Found]:
    read, taken = outbox._database.read, []

    def counted(sql, values=None):
        ((plan,),) = read(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
        taken.append(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])
        return read(sql, values)

    found = look.search(counted, asked)
    return sum(taken), found


@pytest.mark.parametrize("is_analyzed", [False, True])
@pytest.mark.parametrize("lane", [RetryAt, Suspect, Hold])
def test_a_page_of_events_that_wait_reads_their_lane_once(outbox, lane, is_analyzed):
    """The lanes of those that wait for a time can only be searched: that must not be done for each event."""
    now, wait = time.time(), 60
    verdict = Hold("late") if lane is Hold else lane(now + wait, "limit") if lane is RetryAt else lane(now + wait)
    events = 6_000
    outbox.put([sealed(f"e{n}", expires_in=FAR) for n in range(events)], now)
    lease = claim(outbox, events, now=now)
    outbox.settle(lease, [(verdict, lease.events)], None, now)
    if is_analyzed:
        outbox._database.transact(lambda session: session.run("ANALYZE relay.queue, relay.event"))
    (one, _), (page, found) = (pages(outbox, Search(limit=limit)) for limit in (1, 50))
    due_at = 1_700_000_000 + FAR if lane is Hold else now + wait
    assert [story.due_at for story in found.stories] == [due_at] * 50
    assert page < 5 * one, "the lane is searched once, not for each of fifty"


class Counted:
    """A session that counts the pages of each statement before it runs it."""

    def __init__(self, session) -> None:
        self._session, self.pages = session, 0

    def __getattr__(self, name: str):
        return getattr(self._session, name)

    def read(self, sql, values=None):
        self._count(sql, values)
        return self._session.read(sql, values)

    def run(self, sql, values=None):
        self._count(sql, values)
        return self._session.run(sql, values)

    def _count(self, sql, values) -> None:
        self._session.run("SAVEPOINT before")
        ((plan,),) = self._session.read(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
        self._session.run("ROLLBACK TO before")
        self.pages += plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]


@pytest.mark.parametrize("lane", [RetryAt, Suspect])
def test_an_erasure_searches_the_later_lanes_once_for_all_of_its_events(outbox, lane):
    now, events, chosen = time.time(), 6_000, 100
    outbox.put([sealed(f"e{n}", expires_in=FAR) for n in range(events)], now)
    lease = claim(outbox, events, now=now)
    verdict = lane(now + 60, "limit") if lane is RetryAt else lane(now + 60)
    outbox.settle(lease, [(verdict, lease.events)], None, now)
    outbox._database.transact(lambda session: session.run("ANALYZE relay.queue, relay.event"))
    counted: list[Counted] = []

    def erase(session) -> int:
        counted.append(Counted(session))
        return operator.erase(counted[-1], [event.key for event in lease.events[:chosen]], (), now, Counter())

    assert outbox._database.transact(erase) == chosen
    assert counted[-1].pages < 60 * chosen, "the lane alone is a hundred pages"
