"""Requests that arrive while the outbox commits share one job, and none shares another one's fate."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

from conversion_relay.collector import gather
from conversion_relay.collector.gather import Gather
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import Secret
from tests import asgi
from tests.outbox.suite import sealed

DATASET = Dataset(pixel_id="1", access_token=Secret("EAA"))


class Slow:
    """A relay whose commits end when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[list[str]] = []
        self.pairs: list[tuple[str, str]] = []
        self.open: list[Future[list[Receipt]]] = []
        self.refuses: set[str] = set()

    def put_soon(self, events):
        self.jobs.append([event.event_id for event in events])
        self.open.append(Future())
        return self.open[-1]

    def note_pixel(self, dataset, pairs):
        self.pairs += pairs
        raise OutboxUnavailable("the disk is full")

    def commit(self, error: Exception | None = None) -> None:
        ids, future = self.jobs[len(self.jobs) - len(self.open)], self.open.pop(0)
        if error is None and self.refuses & set(ids):
            error = ValueError("a mistake of one request")
        if error:
            future.set_exception(error)
        else:
            future.set_result([Receipt(event_id) for event_id in ids])


def put(door: Gather, events) -> "asyncio.Future[list[Receipt]]":
    """What it is told, in a future, as for a coroutine."""
    return asyncio.ensure_future(door.durable(events), loop=door.loop)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def told(answers: list["asyncio.Future[list[Receipt]]"]) -> list[object]:
    return [
        None if not a.done() else (type(a.exception()) if a.exception() else [r.event_id for r in a.result()])
        for a in answers
    ]


def in_a_loop(scenario):
    async def run() -> None:
        relay, counted = Slow(), []
        door = Gather(relay, asyncio.get_running_loop(), lambda events, receipts: counted.append(len(receipts)))
        await scenario(relay, door, counted)

    asgi.run(run())


def test_what_arrives_during_a_commit_is_the_next_job_and_is_counted_as_one():
    async def scenario(relay, door, counted):
        answers = [put(door, [sealed("a")])]
        await turns()
        answers += [put(door, [sealed(name), sealed(name * 2)]) for name in "bcd"]
        await turns()
        assert relay.jobs == [["a"]] and told(answers) == [None] * 4, "nobody is answered before the commit"
        relay.commit()
        await turns()
        assert relay.jobs[1:] == [["b", "bb", "c", "cc", "d", "dd"]] and told(answers) == [["a"], None, None, None]
        relay.commit()
        await turns()
        assert told(answers)[1:] == [["b", "bb"], ["c", "cc"], ["d", "dd"]]
        assert counted == [1, 6] and not relay.open

    in_a_loop(scenario)


def test_a_request_that_fails_fails_alone():
    async def scenario(relay, door, counted):
        relay.refuses = {"bad"}
        answers = [put(door, [sealed(name)]) for name in ("a", "bad", "b")]
        await turns()
        relay.commit()
        await turns()
        assert told(answers) == [None] * 3 and relay.jobs[1:] == [["a"], ["bad"], ["b"]]
        for _ in range(3):
            relay.commit()
        await turns()
        assert told(answers) == [["a"], ValueError, ["b"]] and counted == [1, 1]

    in_a_loop(scenario)


def test_when_nothing_can_be_recorded_all_of_the_job_hear_it_and_the_next_job_is_tried():
    async def scenario(relay, door, counted):
        answers = [put(door, [sealed("a")]), put(door, [sealed("b")])]
        await turns()
        answers.append(put(door, [sealed("c")]))
        relay.commit(OutboxUnavailable("locked"))
        await turns()
        assert told(answers) == [OutboxUnavailable, OutboxUnavailable, None] and counted == []
        relay.commit()
        await turns()
        assert told(answers)[2] == ["c"]

    in_a_loop(scenario)


def test_a_job_is_bounded_but_for_a_single_request(monkeypatch):
    monkeypatch.setattr(gather, "MOST_EVENTS", 3)

    async def scenario(relay, door, counted):
        sizes = {"a": 5, "b": 1, "c": 2, "d": 1}
        answers = [put(door, [sealed(f"{name}{n}") for n in range(size)]) for name, size in sizes.items()]
        for _ in range(3):
            await turns()
            relay.commit()
        await turns()
        assert [len(job) for job in relay.jobs] == [5, 3, 1] and all(answer.done() for answer in answers)

    in_a_loop(scenario)


def test_a_request_that_was_given_up_leaves_the_others_their_answers():
    async def scenario(relay, door, counted):
        answers = [put(door, [sealed(name)]) for name in "abc"]
        await turns()
        answers[1].cancel()
        relay.commit()
        await turns()
        assert [answers[0].result()[0].event_id, answers[2].result()[0].event_id] == ["a", "c"]

    in_a_loop(scenario)


def test_the_pixels_reports_go_with_the_next_job_and_fail_nobody():
    async def scenario(relay, door, counted):
        door.note_pixel(DATASET, [("Lead", "x")])
        answer = put(door, [sealed("a")])
        door.note_pixel(DATASET, [("Lead", "y")])
        await turns()
        assert relay.pairs == [("Lead", "x"), ("Lead", "y")]
        relay.commit()
        assert [receipt.event_id for receipt in await answer] == ["a"]
        door.note_pixel(DATASET, [("Lead", "z")])
        await turns()
        assert relay.pairs[2:] == [("Lead", "z")], "a report alone waits for no event"

    in_a_loop(scenario)


def test_a_loop_that_is_closed_before_the_commit_is_no_error_of_the_writing_thread():
    relay = Slow()

    def scenario():
        loop = asyncio.new_event_loop()
        answer = put(Gather(relay, loop, lambda events, receipts: None), [sealed("a")])
        loop.run_until_complete(turns())
        loop.close()
        return answer

    with ThreadPoolExecutor(1) as thread:  # Playwright leaves a running loop in the one that runs the browser's tests
        answer = thread.submit(scenario).result()
    relay.commit()
    assert not answer.done()
