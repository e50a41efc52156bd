"""Group commit without a server: what one caller does to its future concerns nobody else."""

import threading
import weakref
from collections.abc import Sequence

from conversion_relay.event import Receipt
from conversion_relay.outbox.postgres.group import Groups, Job
from tests.outbox.suite import NOW, sealed
from tests.processes import until


def receipts(jobs: Sequence[Job]) -> list[list[Receipt]]:
    return [[Receipt(event.event_id) for event in job.events] for job in jobs]


def test_a_caller_that_goes_away_while_its_group_is_committed_takes_no_answer_from_others():
    under_way, go_on = threading.Event(), threading.Event()

    def commit(jobs: Sequence[Job]) -> list[list[Receipt]]:
        under_way.set()
        go_on.wait()
        return receipts(jobs)

    groups = Groups(commit)
    gone = groups.submit([sealed("a")], NOW)
    under_way.wait()
    assert not gone.cancel(), "cancelled between a look and the answer, it would end the thread that answers all"
    go_on.set()
    assert gone.result(60) == [Receipt("a")]
    assert groups.submit([sealed("b")], NOW).result(60) == [Receipt("b")]
    groups.close()


def test_what_was_cancelled_before_its_turn_is_not_carried_out_and_the_next_one_is():
    under_way, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def commit(jobs: Sequence[Job]) -> list[list[Receipt]]:
        seen.extend(event.event_id for job in jobs for event in job.events)
        under_way.set()
        go_on.wait()
        return receipts(jobs)

    groups = Groups(commit)
    first = groups.submit([sealed("a")], NOW)
    under_way.wait()
    gone = groups.submit([sealed("b")], NOW)
    assert gone.cancel()
    go_on.set()
    assert first.result(60) == [Receipt("a")]
    assert groups.submit([sealed("c")], NOW).result(60) == [Receipt("c")]
    assert seen == ["a", "c"]
    groups.close()


def test_what_was_written_is_let_go():
    """Whom the answer is for holds a request, and that a person; until the next one may come hours pass."""

    class Request:
        def told(self, _: object) -> None:
            pass

    groups, request = Groups(receipts), Request()
    is_held = weakref.ref(request)
    groups.submit([sealed("a")], NOW, [request.told]).result(60)
    del request
    until(lambda: is_held() is None)
    groups.close()
