"""What somebody should look at is told once, shown while it lasts, and told as over: whatever Meta answers between."""

import msgspec
import pytest

from conversion_relay.delivery.attention import needs
from conversion_relay.delivery.installation import known
from conversion_relay.delivery.notify import Notifier
from conversion_relay.delivery.sign_of_life import SignsOfLife
from conversion_relay.delivery.transport import Response
from conversion_relay.delivery.troubles import LASTS, Troubles
from conversion_relay.meta.graph import Unreachable
from conversion_relay.settings import Settings
from tests.delivery.standins import NOW, TOKEN, Meta, delivery, error, numbered, put, states, taken

ENVIRON = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN, "RELAY_NOTIFY": "https://hooks.example/x"}
SETTINGS = Settings.from_env(ENVIRON)
PAGE = Response(200, {}, b"<html>Service Unavailable</html>")


class World:
    """A worker with its notifier, in seconds that pass when a test says so."""

    def __init__(self, outbox, clock, meta) -> None:
        self.outbox, self.clock, self.meta, self.settings = outbox, clock, meta, SETTINGS
        self.told: list[tuple[str, str]] = []
        self.running = delivery(outbox, meta, clock, SETTINGS)
        self._signs = SignsOfLife(outbox, self.running.paces, clock, "w")
        self._notifier = Notifier(outbox, SETTINGS, clock, self._bring, aside=lambda work: work())

    def _bring(self, _, message) -> None:
        self.told.append((message.event, message.cause))

    def use(self, **environ) -> None:
        self.settings = Settings.from_env({**ENVIRON, **environ})
        self.running.use(self.settings)
        self._notifier.use(self.settings)

    def pass_time(self, seconds: int, *, step: int = 4, fresh: bool = False) -> None:
        for n in range(0, seconds, step):
            if fresh and n % 20 == 0:
                put(self.outbox, f"f{self.clock.now}")
            while self.running.step():
                pass
            self._signs()
            self._notifier()
            self.clock.now += step

    def needs(self) -> dict[str, str]:
        settings = msgspec.structs.replace(self.settings, outbox=self.outbox_url)
        return {need.cause: f"{need.what}; {need.fix}" for need in needs(known(self.outbox, settings, self.clock.now))}

    outbox_url = "sqlite:////nowhere/outbox.db"


@pytest.fixture
def world(outbox, clock):
    return World(outbox, clock, Meta())


def says(caplog, *words: str) -> list[int]:
    return [sum(word in record.getMessage() for record in caplog.records) for word in words]


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        pytest.param(error(100, 2804999), "unknown_error", "not known", id="an error that nobody listed"),
        pytest.param(Response(413, {}, b""), "too_large", "too large", id="too large"),
        pytest.param(taken([]), "accounting_mismatch", "do not add up", id="never counted"),
    ],
)
def test_what_one_event_meets_with_each_try_is_told_once_while_others_are_taken(world, caplog, answer, cause, words):
    caplog.set_level("INFO")
    put(world.outbox, "odd")
    world.meta.answer = lambda ids: answer if "odd" in ids else taken(ids)
    world.pass_time(1_800, fresh=True)
    raised = ("raised", f"{cause}:1")
    assert world.told in ([raised], [raised, ("over", f"{cause}:1"), raised])
    assert f"{cause}:1" in world.needs(), "status and pages say so between two tries, too"
    assert says(caplog, words, "Meta takes events again") == [1, 1]
    assert states(world.outbox, "odd") == {"pending": 1} and world.outbox.counts()["1"].delivered >= 85
    world.meta.answer = taken
    world.pass_time(2 * int(LASTS), fresh=True)
    assert world.told[-1] == ("over", f"{cause}:1") and world.needs() == {}


def test_troubles_that_take_turns_are_told_once_each(world, caplog):
    put(world.outbox, "a")
    answers = [error(190), error(9999), error(200), Unreachable("tls", sent=False), Response(302, {}, b"")]
    world.meta.answer = lambda _: answers[len(world.meta.calls) % 5]
    world.pass_time(1_800)
    assert len(world.meta.calls) > 15
    assert sorted(world.told) == sorted({*world.told}) and len(world.told) == 5
    assert says(caplog, "refuses the access token", "refuses this token", "No TLS", "not known") == [1, 1, 1, 1]
    world.meta.answer = taken
    world.pass_time(100)
    assert [event for event, _ in world.told[5:]] == ["over"] * 5


def test_what_is_over_is_news_again_later_and_what_came_back_once_it_stands_for_long():
    troubles = Troubles()
    assert [troubles.meet("unauthorized", at) for at in (0.0, 60.0)] == [True, False]
    assert troubles.end() and not troubles.end() and troubles.shown(60.0) == ()
    assert troubles.meet("unauthorized", 100.0) is False
    assert troubles.shown(100.0) == ("unauthorized",)
    assert [troubles.meet("unauthorized", 100.0 + after) for after in (LASTS, LASTS + 1, LASTS + 2)] == [
        False,
        True,
        False,
    ]
    assert troubles.end() and troubles.meet("unauthorized", 102.0 + 3 * LASTS)


def test_a_success_that_meta_did_not_write_time_after_time_is_an_outage(world):
    """Whatever answers with "Service Unavailable" or a login page: a whole backlog must not be in doubt."""
    ids = numbered(5_000)
    put(world.outbox, *ids)
    world.meta.answer = lambda _: PAGE
    world.pass_time(1_200)
    assert [len(call) for call in world.meta.calls[:4]] == [1_000, 1_000, 1_000, 1] and len(world.meta.calls) < 100
    assert {len(call) for call in world.meta.calls[3:]} == {1}
    assert world.told == [("raised", "outage:1")] and "login page" in world.needs()["outage:1"]
    world.meta.answer = taken
    world.pass_time(60)
    assert world.outbox.counts()["1"].delivered == 5_000
    assert world.told[1:] == [("over", "outage:1")]


def test_one_answer_that_cannot_be_read_pauses_nothing(world):
    put(world.outbox, "a")
    world.meta.answer = lambda _: PAGE
    assert world.running.step() and world.running.paces()["1"].why is None
    put(world.outbox, "b")
    world.meta.answer = taken
    world.pass_time(8)
    assert states(world.outbox, "a", "b") == {"delivered": 2}


@pytest.mark.parametrize(
    "change", [{"META_ACCESS_TOKEN": "EAAnew-token"}, {"META_APP_SECRET": "new"}, {"META_GRAPH_VERSION": "v26.0"}]
)
@pytest.mark.parametrize("said", [error(190, 460), error(200), Response(302, {}, b"")])
def test_what_is_said_of_an_old_token_keeps_no_event_from_the_new_one(world, caplog, change, said):
    """The settings change while a call is on its way."""
    put(world.outbox, "a", "b")

    def answer(_):
        world.use(**change)
        world.meta.answer = taken
        return said

    world.meta.answer = answer
    world.pass_time(4)
    assert states(world.outbox, "a", "b") == {"delivered": 2} and world.clock.now < NOW + 60
    assert not says(caplog, "refuse", "not Meta's")[0] and world.told == []


@pytest.mark.parametrize("change", [{"META_APP_SECRET": "new"}, {"META_GRAPH_VERSION": "v26.0"}])
def test_whatever_changes_the_question_is_asked_at_once(world, change):
    put(world.outbox, "a")
    world.meta.answer = lambda _: error(200)
    world.pass_time(8)
    assert len(world.meta.calls) == 1
    world.meta.answer = taken
    world.use(**change)
    world.pass_time(4)
    assert states(world.outbox, "a") == {"delivered": 1}


def test_a_dataset_that_was_taken_out_of_the_settings_needs_no_token_any_more(world):
    put(world.outbox, "a")
    world.meta.answer = lambda _: error(190)
    world.pass_time(20)
    assert list(world.needs()) == ["unauthorized:1"]
    world.use(META_PIXEL_ID="2")
    world.pass_time(20)
    assert list(world.needs()) == ["stranded:1"]
    assert world.told[1:] == [("raised", "stranded:1"), ("over", "unauthorized:1")]
