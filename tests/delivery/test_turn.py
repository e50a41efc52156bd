"""One turn of delivery against a Meta that answers as it is told, over a real outbox file."""

import json
import logging
from collections import Counter

import pytest

from conversion_relay.delivery.transport import Response
from conversion_relay.delivery.turn import Delivery
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import SealedEvent
from conversion_relay.meta.graph import Unreachable
from conversion_relay.outbox import open_outbox
from conversion_relay.settings import Settings

NOW = 1_795_435_200.0
TOKEN = "EAAcanary-token"
SETTINGS = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN})
TWO = "META_PIXEL_ID = '{}'\nMETA_ACCESS_TOKEN = '" + TOKEN + "'\n"


def error(code: int, subcode: int | None = None, status: int = 400, **more) -> Response:
    said = {"message": "Invalid parameter", "code": code, "error_subcode": subcode, "fbtrace_id": "Atrace", **more}
    return Response(status, {}, json.dumps({"error": said}).encode())


def taken(ids: list[str]) -> Response:
    return Response(200, {}, json.dumps({"events_received": len(ids), "fbtrace_id": "Aok"}).encode())


def refuse_poison(ids: list[str]) -> Response:
    return error(100, 2804036) if any(i.startswith("poison") for i in ids) else taken(ids)


class Meta:
    """Takes the transport's place: one function from the batch's ids to an answer."""

    def __init__(self, answer=taken) -> None:
        self.answer = answer
        self.calls: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.datasets: list[str] = []

    def send(self, request, deadline):
        ids = [event["event_id"] for event in json.loads(request.body)["data"]]
        self.calls.append(ids)
        self.bodies.append(request.body)
        self.datasets.append(request.url.split("/")[-2])
        return self.answer(ids)

    def close(self) -> None:
        pass


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def outbox(tmp_path):
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    yield outbox
    outbox.close()


def wire(event_id: str, name: str = "Lead", event_time: int = int(NOW)) -> bytes:
    event = {"event_name": name, "event_id": event_id, "event_time": event_time, "action_source": "website"}
    return json.dumps(event | {"user_data": {"em": ["0" * 64]}}).encode()


def put(outbox, *ids: str, dataset: str = "1", name: str = "Lead", expires_in: float = 600_000) -> None:
    events = [
        SealedEvent(
            dataset=dataset,
            event_name=name,
            event_id=i,
            event_time=int(NOW),
            expires_at=int(NOW + expires_in),
            body=wire(i, name),
        )
        for i in ids
    ]
    outbox.put(events, NOW)


def delivery(outbox, meta: Meta, clock, settings: Settings = SETTINGS) -> Delivery:
    return Delivery(outbox, meta, settings, clock=clock, steady_clock=clock, jitter=lambda: 0.5)


def drain(running: Delivery) -> None:
    """Every event that is due now, one turn after the other in this thread."""
    while running.step():
        pass


def states(outbox, *ids: str) -> Counter[str]:
    return Counter(story.state for i in ids for story in outbox.find(i))


def numbered(n: int, prefix: str = "e") -> list[str]:
    return [f"{prefix}{i}" for i in range(n)]


def test_a_thousand_events_are_one_request_with_their_own_bytes(outbox, clock):
    ids = numbered(1000)
    put(outbox, *ids)
    meta = Meta()
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [ids]
    assert wire("e7") in meta.bodies[0]
    assert states(outbox, *ids) == {"delivered": 1000}


def test_one_bad_event_of_a_thousand_costs_at_most_21_calls_and_nobody_else(outbox, clock):
    ids = [*numbered(700), "poison", *numbered(299, "f")]
    put(outbox, *ids)
    meta = Meta(refuse_poison)
    drain(delivery(outbox, meta, clock))
    assert len(meta.calls) <= 21
    assert states(outbox, *ids) == {"delivered": 999, "dead": 1}
    (story,) = outbox.find("poison")
    assert story.reason == "meta_100_2804036"
    assert (story.history[-1].code, story.history[-1].subcode, story.history[-1].fbtrace_id) == (100, 2804036, "Atrace")


def test_ten_bad_events_cost_at_most_140_calls(outbox, clock):
    ids = [f"poison{i}" if i % 100 == 37 else f"e{i}" for i in range(1000)]
    put(outbox, *ids)
    meta = Meta(refuse_poison)
    drain(delivery(outbox, meta, clock))
    assert len(meta.calls) <= 140
    assert states(outbox, *ids) == {"delivered": 990, "dead": 10}


def test_when_every_event_is_refused_the_dataset_is_parked_after_32_calls_with_one_alert(outbox, clock, caplog):
    ids = [f"poison{i}" for i in range(1000)]
    put(outbox, *ids)
    meta = Meta(refuse_poison)
    running = delivery(outbox, meta, clock)
    drain(running)
    assert len(meta.calls) <= 32
    assert states(outbox, *ids)["pending"] >= 950
    assert running.paces()["1"].why == "all_refused"
    assert [r.levelname for r in caplog.records if "refuses every event" in r.message] == ["ERROR"]


def test_when_meta_names_the_event_it_is_taken_out_without_halving(outbox, clock):
    ids = ["e0", "e1", "bad", "e3"]
    put(outbox, *ids)

    def answer(batch):
        if "bad" not in batch:
            return taken(batch)
        where = f"The parameter $['data'][{batch.index('bad')}]['event_time'] is required"
        return error(100, 2804019, error_user_msg=where)

    meta = Meta(answer)
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [ids, ["e0", "e1", "e3"]]
    assert states(outbox, *ids) == {"delivered": 3, "dead": 1}


@pytest.mark.parametrize("code", [190, 102])
def test_a_dead_token_parks_the_dataset_alerts_once_and_resumes_by_itself(outbox, clock, caplog, code):
    put(outbox, "a", "b")
    meta = Meta(lambda _: error(code, 463))
    running = delivery(outbox, meta, clock)
    for _ in range(5):
        drain(running)
        clock.now += 61
    assert states(outbox, "a", "b") == {"pending": 2}
    assert [len(call) for call in meta.calls] == [2, 2, 2, 1, 1], "one small look a minute"
    assert len([r for r in caplog.records if "access token" in r.message]) == 1
    meta.answer = taken
    drain(running)
    assert states(outbox, "a", "b") == {"delivered": 2}
    assert all(story.attempts == 1 for i in "ab" for story in outbox.find(i)), "a dead token spends no attempt"


def test_silence_stops_the_dataset_and_loses_nothing(outbox, clock):
    put(outbox, *numbered(10))
    meta = Meta(lambda _: Unreachable("connect", sent=False))
    running = delivery(outbox, meta, clock)
    for _ in range(30):
        drain(running)
        clock.now += 301
    assert states(outbox, *numbered(10)) == {"pending": 10}
    meta.answer = taken
    drain(running)
    assert states(outbox, *numbered(10)) == {"delivered": 10}


def test_every_attempt_sends_the_same_bytes(outbox, clock):
    put(outbox, "a")
    answers = iter([Unreachable("reset", sent=True), error(2, status=500), Response(200, {}, b'{"events_rec')])
    meta = Meta(lambda ids: next(answers, None) or taken(ids))
    running = delivery(outbox, meta, clock)
    for _ in range(8):
        drain(running)
        clock.now += 301
    assert len(meta.calls) == 4 and len(set(meta.bodies)) == 1
    assert states(outbox, "a") == {"delivered": 1}


def test_what_grew_too_old_while_it_waited_is_expired_unsent(outbox, clock, caplog):
    caplog.set_level(logging.INFO)
    put(outbox, "old", expires_in=10)
    put(outbox, "young")
    clock.now += 11
    meta = Meta()
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [["young"]]
    assert (states(outbox, "old"), states(outbox, "young")) == ({"expired": 1}, {"delivered": 1})


def view(event_id: str) -> SealedEvent:
    """A browser's, so that its visitor may take it back."""
    return SealedEvent(
        dataset="1",
        event_name="ViewContent",
        event_id=event_id,
        event_time=int(NOW),
        expires_at=int(NOW) + 600_000,
        body=wire(event_id, "ViewContent"),
    )


def test_what_is_taken_back_or_erased_between_claim_and_call_is_not_sent(outbox, clock, monkeypatch):
    outbox.put([view("a"), view("b"), view("c" * 64), view("d")], NOW)
    claim = outbox.claim

    def claim_and_hear(*arguments):
        lease = claim(*arguments)
        outbox.withdraw("1", ["b"], NOW)
        outbox.erase(["c" * 64], NOW)
        return lease

    monkeypatch.setattr(outbox, "claim", claim_and_hear)
    meta = Meta()
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [["a", "d"]]
    assert states(outbox, "a", "b", "d") == {"delivered": 2, "erased": 1}
    book = outbox.counts()["1"]
    assert (book.erased, book.leased, book.pending, book.imbalance) == (2, 0, 0, 0)


def test_what_is_taken_back_during_a_call_that_fails_is_not_sent_again(outbox, clock):
    outbox.put([view("a"), view("b")], NOW)

    def withdrawn_meanwhile(ids):
        outbox.withdraw("1", ["a"], NOW)
        return Unreachable("deadline", sent=True)

    meta = Meta(withdrawn_meanwhile)
    running = delivery(outbox, meta, clock)
    drain(running)
    assert states(outbox, "a", "b") == {"erased": 1, "pending": 1}
    meta.answer = taken
    clock.now += 600
    drain(running)
    assert meta.calls == [["a", "b"], ["b"]] and states(outbox, "b") == {"delivered": 1}


def test_while_the_outbox_cannot_be_read_nothing_is_sent(outbox, clock, monkeypatch, caplog):
    outbox.put([view("a")], NOW)
    revoked, looks = outbox.revoked, []
    meta = Meta()

    def revoked_at_the_third_look(events):
        looks.append(len(meta.calls))
        if len(looks) < 3:
            raise OutboxUnavailable("it is opened anew")
        return revoked(events)

    monkeypatch.setattr(outbox, "revoked", revoked_at_the_third_look)
    monkeypatch.setattr("conversion_relay.delivery.sitting.RECORD_AGAIN_EVERY", 0.0)
    drain(delivery(outbox, meta, clock))
    assert looks == [0, 0, 0] and meta.calls == [["a"]]
    assert len([record for record in caplog.records if "Nothing is sent" in record.message]) == 1


def test_what_waited_without_consent_is_forgotten_unsent_once_the_operator_asks_for_it(outbox, clock, caplog):
    granted = SealedEvent(
        dataset="1",
        event_name="Lead",
        event_id="granted",
        event_time=int(NOW),
        expires_at=int(NOW) + 600_000,
        body=wire("granted"),
        consent="granted",
    )
    put(outbox, "silent", "silent too")
    outbox.put([granted], NOW)
    meta = Meta(lambda _: Unreachable("connect", sent=False))
    running = delivery(outbox, meta, clock)
    drain(running)
    environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN, "RELAY_CONSENT": "withhold"}
    running.use(Settings.from_env(environ))
    meta.calls.clear()
    meta.answer = taken
    clock.now += 301
    drain(running)
    assert meta.calls == [["granted"]]
    assert (states(outbox, "silent", "silent too"), outbox.find("silent")[0].reason) == ({"erased": 2}, "withheld")
    assert outbox.counts()["1"].imbalance == 0
    assert "did not agree" in caplog.text


def test_a_body_that_the_disk_changed_is_not_sent_and_said(outbox, clock, caplog):
    put(outbox, "a", "b")
    outbox._database.submit(lambda db: db.execute("UPDATE body SET body = x'00' WHERE key = 1")).result()
    meta = Meta()
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [["b"]]
    assert outbox.find("a")[0].reason == "corrupt"
    assert "Error sending Meta Conversions API Lead event" in caplog.text


def test_the_three_sentences_come_once_per_outcome_and_only_after_the_commit(outbox, clock, caplog):
    caplog.set_level(logging.INFO)
    put(outbox, "good", name="Purchase")
    put(outbox, "poison", name="Contact")
    meta = Meta(refuse_poison)
    drain(delivery(outbox, meta, clock))
    said = [record.message for record in caplog.records if "Meta Conversions API" in record.message]
    assert sorted(said) == [
        "Failed to send Meta Conversions API Contact event",
        "Meta Conversions API Purchase event sent successfully",
    ]
    (failed,) = [r for r in caplog.records if r.message.startswith("Failed")]
    assert (failed.code, failed.subcode, failed.fbtrace_id, failed.event_id) == (100, 2804036, "Atrace", "poison")
    assert TOKEN not in caplog.text


def test_nothing_is_said_when_it_could_not_be_recorded(outbox, clock, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    put(outbox, "a")

    def full(*_):
        running.stop()
        raise OutboxUnavailable("FullError")

    running = delivery(outbox, Meta(), clock)
    monkeypatch.setattr(outbox, "settle", full)
    with pytest.raises(OutboxUnavailable):
        running.step()
    assert "sent successfully" not in caplog.text


def test_a_parked_dataset_does_not_hold_up_another(outbox, clock, tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text("".join(f"[[dataset]]\n{TWO.format(i)}" for i in (1, 2)))
    settings = Settings.from_env({"RELAY_CONFIG": str(config)})
    put(outbox, "a", dataset="1")
    put(outbox, "b", dataset="2")
    meta = Meta()
    meta.answer = lambda ids: error(190) if "a" in ids else taken(ids)
    drain(delivery(outbox, meta, clock, settings))
    assert (states(outbox, "a"), states(outbox, "b")) == ({"pending": 1}, {"delivered": 1})
    assert sorted(meta.datasets) == ["1", "2"]


def test_halving_that_an_outage_interrupts_goes_on_where_it_was(outbox, clock):
    ids = [*numbered(999), "poison"]
    put(outbox, *ids)
    meta = Meta()
    count = iter(range(1000))

    def flaky(batch):
        return Unreachable("reset", sent=True) if next(count) % 3 == 2 else refuse_poison(batch)

    meta.answer = flaky
    running = delivery(outbox, meta, clock)
    for _ in range(60):
        drain(running)
        clock.now += 301
    assert states(outbox, *ids) == {"delivered": 999, "dead": 1}
    assert len(meta.calls) <= 60


def test_the_suspects_are_sent_apart_so_that_three_old_events_cost_few_calls(outbox, clock):
    """Meta's clock runs ahead of ours: it finds too old what we found just young enough."""
    old = int(NOW) - 7 * 86_400 + 1_800

    def sealed(i: int) -> SealedEvent:
        event_time = old if i in (13, 500, 999) else int(NOW)
        body = wire(f"e{i}", event_time=event_time)
        return SealedEvent(
            dataset="1", event_name="Lead", event_id=f"e{i}", event_time=event_time, expires_at=int(NOW) + 99, body=body
        )

    outbox.put([sealed(i) for i in range(1000)], NOW)
    meta = Meta(lambda ids: error(100, 2804003) if {"e13", "e500", "e999"} & set(ids) else taken(ids))
    drain(delivery(outbox, meta, clock))
    assert states(outbox, *numbered(1000)) == {"delivered": 997, "dead": 3}
    assert len(meta.calls) <= 7
    assert meta.calls[1] == ["e13", "e500", "e999"]


def test_near_a_limit_the_dataset_rests_and_says_why(outbox, clock):
    put(outbox, "a")
    answer = taken(["a"])
    usage = {"x-app-usage": '{"call_count":90,"total_time":1,"total_cputime":1}'}
    running = delivery(outbox, Meta(lambda _: Response(200, usage, answer.body)), clock)
    drain(running)
    assert states(outbox, "a") == {"delivered": 1}
    assert (running.paces()["1"].parked_seconds, running.paces()["1"].why) == (30, "near_limit")
    put(outbox, "b")
    assert running.step() is None
    clock.now += 31
    drain(running)
    assert states(outbox, "b") == {"delivered": 1}


def test_a_meta_that_refuses_is_a_meta_that_is_there(outbox, clock):
    """Outages between refusals do not add up to a long silence."""
    ids = [*numbered(63), "poison"]
    put(outbox, *ids)
    count = iter(range(1000))
    running = delivery(
        outbox, Meta(lambda b: Unreachable("reset", True) if next(count) % 2 else refuse_poison(b)), clock
    )
    for _ in range(20):
        drain(running)
        assert running.paces()["1"].parked_seconds <= 1
        clock.now += 1
    assert states(outbox, *ids) == {"delivered": 63, "dead": 1}


DAY = 86_400


def late_delivery(outbox, clock, meta):
    """Both events went out, and nothing came back, until Meta has forgotten that it may know them."""
    put(outbox, "p", name="Purchase")
    put(outbox, "l", name="Lead")
    running = delivery(outbox, meta, clock)
    drain(running)
    clock.now += 2 * DAY
    meta.answer = taken
    drain(running)
    return running


def test_a_purchase_that_meta_may_have_for_two_days_is_held_and_everything_else_is_sent_again(outbox, clock, caplog):
    meta = Meta(lambda _: Unreachable("deadline", sent=True))
    running = late_delivery(outbox, clock, meta)
    assert (states(outbox, "p"), states(outbox, "l")) == ({"pending": 1}, {"delivered": 1})
    assert [story.event_id for story in outbox.held()] == ["p"] and outbox.held()[0].reason == "ambiguous_late"
    assert [r.levelname for r in caplog.records if getattr(r, "reason", "") == "ambiguous_late"] == ["ERROR"]
    assert outbox.replay(clock.now, ["p"]) == 1
    clock.now += 1
    drain(running)
    assert states(outbox, "p") == {"delivered": 1}


def test_what_meta_surely_does_not_have_is_not_held_however_late(outbox, clock):
    late_delivery(outbox, clock, Meta(lambda _: error(2, status=500)))
    assert (states(outbox, "p"), states(outbox, "l")) == ({"delivered": 1}, {"delivered": 1})


def test_which_events_are_held_is_a_setting(outbox, clock):
    settings = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN, "RELAY_HOLD_LATE": ""})
    put(outbox, "p", name="Purchase")
    meta = Meta(lambda _: Unreachable("deadline", sent=True))
    running = delivery(outbox, meta, clock, settings)
    drain(running)
    clock.now += 3 * DAY
    meta.answer = taken
    drain(running)
    assert states(outbox, "p") == {"delivered": 1}


def test_answers_that_do_not_add_up_are_told_once_and_the_events_are_sent_on_until_they_do(outbox, clock, caplog):
    put(outbox, "a", "b")
    meta = Meta(lambda ids: taken(ids[:-1]))
    running = delivery(outbox, meta, clock)
    for _ in range(12):
        drain(running)
        clock.now += 301
    assert states(outbox, "a", "b") == {"pending": 2}
    assert len([r for r in caplog.records if "do not add up" in r.message]) == 1
    meta.answer = taken
    drain(running)
    assert states(outbox, "a", "b") == {"delivered": 2} and len(set(meta.bodies)) == 1


def test_in_an_outage_one_event_at_a_time_asks_whether_meta_is_back(outbox, clock):
    put(outbox, *numbered(3_000))
    meta = Meta(lambda _: Unreachable("deadline", sent=True))
    running = delivery(outbox, meta, clock)
    for _ in range(10):
        drain(running)
        clock.now += 31
    assert [len(call) for call in meta.calls] == [1_000, 1_000, 1_000, 1, 1, 1, 1, 1, 1, 1]
    meta.answer = taken
    drain(running)
    assert [len(call) for call in meta.calls[10:]] == [1, 4, 16, 64, 256, 1_000, 1_000, 659]


def test_an_event_that_makes_meta_fail_is_soon_alone_and_holds_up_nobody(outbox, clock):
    """Asked with this event in it, Meta answers 500, every time; nobody said that it was this one."""
    put(outbox, *numbered(500), "stumbling block", *numbered(1_500, "f"), expires_in=500_000)
    meta = Meta(lambda ids: error(1, status=500) if "stumbling block" in ids else taken(ids))
    running = delivery(outbox, meta, clock)
    began = clock.now
    while outbox.counts()["1"].delivered < 2_000:
        drain(running)
        clock.now += 1
    assert clock.now - began < 300 and len(meta.calls) < 100
    calls = len(meta.calls)
    for n in range(60):
        put(outbox, f"later{n}", expires_in=500_000)
        while states(outbox, f"later{n}") != {"delivered": 1}:
            drain(running)
            clock.now += 1
    assert clock.now - began < 1_500 and len(meta.calls) - calls < 200
    assert states(outbox, "stumbling block") == {"pending": 1}


def test_retries_are_spread_by_chance(outbox, clock):
    put(outbox, "a")
    chances = iter([0.25, 0.75])
    running = Delivery(
        outbox,
        Meta(lambda _: Unreachable("reset", sent=False)),
        SETTINGS,
        clock=clock,
        steady_clock=clock,
        jitter=lambda: next(chances),
    )
    drain(running)
    assert running.paces()["1"].parked_seconds == 0.25
    clock.now += 1
    drain(running)
    assert running.paces()["1"].parked_seconds == 1.5


def test_a_new_token_is_used_at_once_and_only_by_the_dataset_that_got_it(outbox, clock):
    put(outbox, "a")
    meta = Meta(lambda _: error(190))
    running = delivery(outbox, meta, clock)
    drain(running)
    assert running.step() is None, "a minute's pause"
    running.use(SETTINGS)
    assert running.step() is None, "the same token again is no reason"
    meta.answer = taken
    running.use(Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAnew-token"}))
    drain(running)
    assert states(outbox, "a") == {"delivered": 1}


def test_told_to_stop_between_two_batches_it_lets_go_of_the_rest(outbox, clock):
    put(outbox, *numbered(999), "poison")
    meta = Meta()
    running = delivery(outbox, meta, clock)

    def answer(batch):
        running.stop()
        return refuse_poison(batch)

    meta.answer = answer
    drain(running)
    assert len(meta.calls) == 1
    book = outbox.counts()["1"]
    assert (book.pending, book.leased, book.imbalance) == (1_000, 0, 0)


def test_a_lease_is_extended_while_a_bad_batch_is_taken_apart(outbox, clock, monkeypatch):
    put(outbox, *numbered(63), "poison")
    extended = []
    monkeypatch.setattr(outbox, "extend", lambda lease, seconds: extended.append(seconds))

    def slow(batch):
        clock.now += 15
        return refuse_poison(batch)

    drain(delivery(outbox, Meta(slow), clock))
    assert extended and set(extended) == {60.0}
    assert states(outbox, *numbered(63), "poison") == {"delivered": 63, "dead": 1}
