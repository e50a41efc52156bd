"""Meta's own match quality and the token's end: asked for with the token that is in use now."""

import threading
from typing import ClassVar

import pytest

from conversion_relay.delivery import dataset_quality
from conversion_relay.delivery.dataset_quality import EVERY, Scores
from conversion_relay.http_client import Response
from conversion_relay.meta.quality import TokenFacts
from conversion_relay.settings import Settings
from tests.failures.threads import no_more_threads
from tests.processes import until

NOW = 1_795_700_000.0
GOOD = TokenFacts(is_valid=True, expires_at=None)
DEAD = TokenFacts(is_valid=False, expires_at=None)
SCORES = b'{"web":[{"event_name":"Lead","event_match_quality":{"composite_score":7.1}}]}'


class Meta:
    """Knows one good token. `waits`: the answer to a token comes when its event is set."""

    asked: ClassVar[list[str]] = []
    waits: ClassVar[dict[str, threading.Event]] = {}

    def get(self, url: str, headers: dict[str, str], _: float) -> Response:
        token = headers["Authorization"].removeprefix("Bearer ")
        self.asked.append(token)
        if token in self.waits:
            self.waits[token].wait()
        if "debug_token" in url:
            return Response(200, {}, b'{"data":{"is_valid":%s}}' % (b"true" if token == "good" else b"false"))
        return Response(200, {}, SCORES) if token == "good" else Response(400, {}, b"{}")


@pytest.fixture(autouse=True)
def meta(monkeypatch):
    Meta.asked, Meta.waits = [], {}
    monkeypatch.setattr(dataset_quality, "HttpClient", Meta)


def settings(token: str) -> Settings:
    return Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": token})


def told(scores: Scores, now: float = NOW) -> tuple:
    return scores.tokens(now).get("1"), scores.known(now).get("1")


def test_a_renewed_token_is_asked_with_at_once_and_the_old_ones_answer_is_forgotten():
    in_use = settings("dead")
    scores = Scores(lambda: in_use)
    until(lambda: told(scores) == (DEAD, None))
    in_use, Meta.waits = settings("good"), {"good": threading.Event()}
    assert "1" not in scores.tokens(NOW + 1), "what Meta said of the old token is not said of the new one"
    Meta.waits["good"].set()
    until(lambda: told(scores, NOW + 2) == (GOOD, {"Lead": 7.1}))
    assert told(scores, NOW + EVERY - 5) == (GOOD, {"Lead": 7.1}) and Meta.asked == ["dead"] * 2 + ["good"] * 2


def test_a_late_answer_to_the_old_token_is_not_the_new_ones():
    in_use, Meta.waits = settings("dead"), {"dead": threading.Event()}
    scores = Scores(lambda: in_use)
    scores.tokens(NOW)
    until(lambda: Meta.asked == ["dead"])
    in_use = settings("good")
    until(lambda: told(scores) == (GOOD, {"Lead": 7.1}))
    Meta.waits["dead"].set()
    until(lambda: Meta.asked.count("dead") == 2)
    until(lambda: not [one for one in threading.enumerate() if one.name == "dataset-quality"])
    assert told(scores) == (GOOD, {"Lead": 7.1})


def test_without_a_thread_nothing_is_known_and_the_next_look_asks():
    scores = Scores(lambda: settings("good"))
    with no_more_threads("dataset-quality"):
        assert told(scores) == (None, None)
    until(lambda: told(scores, NOW + 1) == (GOOD, {"Lead": 7.1}))


def test_each_dataset_is_asked_again_after_a_while():
    in_use = settings("good")
    scores = Scores(lambda: in_use)
    until(lambda: told(scores) == (GOOD, {"Lead": 7.1}))
    until(lambda: told(scores, NOW + EVERY) and len(Meta.asked) == 4)
