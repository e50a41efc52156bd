"""The dispatcher and its threads, on a real outbox and a Meta that a test holds up or lets go."""

import threading
import time

import pytest

from conversion_relay.delivery.dataset_pace import MOST_TURNS
from conversion_relay.delivery.pace import LINGER_SECONDS
from conversion_relay.delivery.turn import Delivery, Turn
from conversion_relay.delivery.worker import Worker
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.settings import Settings
from tests.delivery.standins import SETTINGS, TWO, Clock, Meta, numbered, put, refuse_poison, states, taken
from tests.failures.threads import no_more_threads
from tests.processes import until


def put_now(outbox, *ids: str, dataset: str = "1") -> None:
    put(outbox, *ids, dataset=dataset, expires_in=time.time())


def test_what_is_put_is_sent_without_waiting_for_the_next_look(outbox, working, monkeypatch):
    monkeypatch.setattr("conversion_relay.delivery.worker.POLL_SECONDS", 3_600.0)
    meta, ids = Meta(), numbered(5)
    working(meta)
    for n, name in enumerate(ids, 1):  # most of them while it sleeps
        put_now(outbox, name)
        until(lambda n=n: meta.calls == [[name] for name in ids[:n]])


def test_a_dataset_that_hangs_takes_no_turn_from_another(outbox, working, tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text("".join(f"[[dataset]]\n{TWO.format(i)}" for i in (1, 2)))
    let_go = threading.Event()

    class HalfHung(Meta):
        def send(self, request, deadline):
            if "/1/" in request.url:
                let_go.wait(60)
            return super().send(request, deadline)

    working(HalfHung(), Settings.from_env({"RELAY_CONFIG": str(config)}))
    put_now(outbox, *numbered(5_000), dataset="1")
    for n in range(10):
        put_now(outbox, f"b{n}", dataset="2")
        until(lambda n=n: states(outbox, f"b{n}") == {"delivered": 1})
    assert outbox.counts()["1"].delivered == 0
    let_go.set()
    until(lambda: outbox.counts()["1"].delivered == 5_000)


def test_calls_of_one_dataset_run_at_the_same_time_up_to_the_limit(outbox, working):
    put_now(outbox, *numbered(20_000))
    lock, now, most = threading.Lock(), [0], [0]
    several = threading.Event()

    def answer(ids):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        if most[0] >= 4:
            several.set()
        several.wait(1.0)
        with lock:
            now[0] -= 1
        return taken(ids)

    settings = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_MOST_CALLS": "4"})
    working(Meta(answer), settings)
    until(lambda: outbox.counts()["1"].delivered == 20_000)
    assert most[0] == 4


def test_told_to_stop_it_finishes_the_call_in_flight_and_begins_no_other(outbox, working):
    in_flight, let_go = threading.Event(), threading.Event()

    def answer(ids):
        in_flight.set()
        let_go.wait(60)
        return taken(ids)

    meta = Meta(answer)
    worker = working(meta)
    put_now(outbox, "a")
    assert in_flight.wait(60)
    worker.tell_to_stop()
    put_now(outbox, "b")
    let_go.set()
    worker.stop()
    assert (states(outbox, "a"), states(outbox, "b")) == ({"delivered": 1}, {"pending": 1})
    assert outbox.counts()["1"].leased == 0


def test_an_outbox_in_trouble_is_told_once_and_sending_goes_on_when_it_is_over(outbox, working, monkeypatch, caplog):
    waiting, troubled = outbox.waiting, threading.Event()
    troubled.set()
    looks = []

    def look(now):
        looks.append(now)
        if troubled.is_set():
            raise OutboxUnavailable("the disk is full")
        return waiting(now)

    monkeypatch.setattr(outbox, "waiting", look)
    meta = Meta()
    working(meta)
    put_now(outbox, "a")
    until(lambda: len(looks) >= 3)
    troubled.clear()
    until(lambda: meta.calls == [["a"]])
    assert len([r for r in caplog.records if "nothing is sent" in r.message]) == 1


def test_a_turn_that_fails_is_told_and_the_next_one_gets_its_chance(outbox, working, caplog):
    def answer(ids):
        if "bad" in ids:
            raise ZeroDivisionError
        return taken(ids)

    working(Meta(answer))
    put_now(outbox, "bad")
    until(lambda: any("A turn of the delivery worker failed" in r.message for r in caplog.records))
    put_now(outbox, "good")
    until(lambda: states(outbox, "good") == {"delivered": 1})


def test_house_is_kept_every_second(outbox, working):
    looked = threading.Event()
    working(Meta(), every_second=looked.set)
    assert looked.wait(60)


def test_draining_returns_when_nothing_is_left_that_could_go_now(outbox):
    put_now(outbox, *numbered(2_500))
    reports = Worker(Delivery(outbox, Meta(), SETTINGS), outbox).drain()
    assert sum(report.delivered for report in reports) == 2_500


class Looked:
    """An outbox that counts how often it is asked who waits."""

    def __init__(self, outbox) -> None:
        self.outbox, self.looks = outbox, 0

    def __getattr__(self, name):
        return getattr(self.outbox, name)

    def waiting(self, now):
        self.looks += 1
        return self.outbox.waiting(now)


def test_one_look_serves_a_turn_of_each_of_many_datasets(outbox, tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text("".join(f"[[dataset]]\n{TWO.format(i)}" for i in range(1, 51)))
    for i in range(1, 51):
        put(outbox, f"e{i}", dataset=str(i))
    looked, meta, clock = Looked(outbox), Meta(), Clock()
    settings = Settings.from_env({"RELAY_CONFIG": str(config)})
    delivery = Delivery(looked, meta, settings, clock=clock, steady_clock=clock)
    while turn := delivery.next_turn():
        delivery.deliver(turn)
    assert sorted(meta.datasets, key=int) == [str(i) for i in range(1, 51)] and looked.looks == 2


def test_while_nothing_could_be_claimed_what_is_put_costs_no_look(outbox):
    looked, clock = Looked(outbox), Clock()
    delivery = Delivery(looked, Meta(), SETTINGS, clock=clock, steady_clock=clock)
    put(outbox, "a")
    delivery.step()
    assert delivery.next_turn() is None  # it lingers; the look is for suspects that the turn may have made
    looks = looked.looks
    for n in range(50):
        put(outbox, f"b{n}")
        assert delivery.next_turn() is None and 0 < delivery.rests_for() <= LINGER_SECONDS
    assert looked.looks == looks
    clock.now += delivery.rests_for()
    assert delivery.step() and states(outbox, *(f"b{n}" for n in range(50))) == {"delivered": 50}


def test_how_long_a_worker_may_sleep_costs_no_second_look(outbox):
    """With a thousand datasets of an event each, a third of the looks were these."""
    looked, clock = Looked(outbox), Clock()
    delivery = Delivery(looked, Meta(), SETTINGS, clock=clock, steady_clock=clock)
    assert delivery.next_turn() is None
    looks = looked.looks
    assert delivery.seconds_until_due(1.0) == 1.0 and looked.looks == looks
    put(outbox, "a")
    assert delivery.next_turn()


def test_a_dataset_that_has_all_its_turns_rests_until_one_ends(outbox):
    clock, let_go = Clock(), threading.Event()
    delivery = Delivery(
        outbox, Meta(lambda ids: let_go.wait(60) and taken(ids)), SETTINGS, clock=clock, steady_clock=clock
    )
    put(outbox, *numbered(20_000))
    turns = []
    while turn := delivery.next_turn():
        turns.append(threading.Thread(target=delivery.deliver, args=(turn,)))
        turns[-1].start()
        until(lambda: not delivery.claims.is_under_way("1"), every=0.001)
    assert len(turns) == 8 and delivery.rests_for() == float("inf")
    let_go.set()
    for thread in turns:
        thread.join()
    assert delivery.rests_for() == 0.0 and delivery.next_turn()


def test_suspects_that_a_turn_made_are_looked_for_at_once(outbox):
    clock = Clock()
    delivery = Delivery(outbox, Meta(refuse_poison), SETTINGS, clock=clock, steady_clock=clock)
    put(outbox, "a", "poison")
    delivery.step()
    assert delivery.rests_for() == 0.0 and delivery.next_turn().suspects


def test_no_more_turns_are_begun_than_threads_can_have(outbox):
    let_go, lock = threading.Event(), threading.Lock()
    begun, held = [0], [0]

    class Endless(Delivery):
        """There is always one more turn, and none ends before it is let go."""

        def next_turn(self):
            begun[0] += not let_go.is_set()
            return None if let_go.is_set() else Turn(SETTINGS.datasets[0], 1)

        def deliver(self, turn):
            with lock:
                held[0] += 1
            let_go.wait(60)

    worker = Worker(Endless(outbox, Meta(), SETTINGS), outbox)
    worker.start()
    until(lambda: held[0] == MOST_TURNS)
    worker.wake()
    let_go.set()
    worker.stop()
    assert begun[0] == MOST_TURNS


def test_where_no_thread_can_be_started_events_go_one_call_after_the_other(outbox, working, caplog):
    meta = Meta()
    working(meta)
    with no_more_threads():
        for n in range(3):
            put_now(outbox, f"a{n}")
            until(lambda n=n: states(outbox, f"a{n}") == {"delivered": 1})
    put_now(outbox, "b")
    until(lambda: states(outbox, "b") == {"delivered": 1})
    assert meta.calls == [["a0"], ["a1"], ["a2"], ["b"]]
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == [
        "No thread can be started, so one call to Meta waits for the other"
    ]


def test_a_worker_that_got_one_of_its_threads_gets_the_other_with_the_next_start(outbox):
    looked = threading.Event()
    worker = Worker(Delivery(outbox, Meta(), SETTINGS), outbox, every_second=looked.set)
    with no_more_threads("delivery-house"), pytest.raises(RuntimeError):
        worker.start()
    worker.start()
    try:
        assert looked.wait(60), "nobody keeps house"
    finally:
        worker.stop()


def test_a_run_to_the_end_needs_no_thread(outbox):
    put_now(outbox, *numbered(1_500))
    with no_more_threads():
        reports = Worker(Delivery(outbox, Meta(), SETTINGS), outbox).drain()
    assert sum(report.delivered for report in reports) == 1_500
