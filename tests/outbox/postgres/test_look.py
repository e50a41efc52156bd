"""What a page of the store costs, in pages of PostgreSQL: not in time, which a busy machine changes."""

import time

import pytest

from conversion_relay.outbox import Search
from conversion_relay.outbox.postgres import look
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
    assert page - one < 1_000, "a look at the lane is a hundred pages"
