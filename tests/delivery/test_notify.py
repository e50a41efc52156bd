"""RELAY_NOTIFY: a person is told once for each cause, by one process, and once more when it is over."""

import http.server
import json
import threading

import pytest

from conversion_relay.delivery import notify
from conversion_relay.delivery.attention import needs
from conversion_relay.delivery.installation import known
from conversion_relay.delivery.notify import Message, Notifier, deliver
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.delivery.sign_of_life import SignsOfLife, alive
from conversion_relay.errors import SettingsError
from conversion_relay.outbox import open_outbox
from conversion_relay.settings import Settings
from tests.failures.threads import no_more_threads
from tests.processes import until

NOW = 1_795_700_000.0
DEAD_TOKEN = PaceNow(60.0, "unauthorized", 0, 1)
WELL = PaceNow(0.0, None, 1, 4)


class Installation:
    def __init__(self, path) -> None:
        self.now, self.pace, self.arrives = NOW, WELL, True
        self.told: list[tuple[str, str]] = []
        self.tried = 0
        self.outbox = open_outbox(f"sqlite:///{path}")
        self.signs = SignsOfLife(self.outbox, lambda: {"1": self.pace}, lambda: self.now, "w")

        environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_NOTIFY": "mailto:ops@example.com"}
        self.settings = Settings.from_env(environ)

    def notifier(self) -> Notifier:
        return Notifier(self.outbox, self.settings, lambda: self.now, self.bring, aside=lambda work: work())

    def bring(self, address: str, message: Message) -> str | None:
        if not self.arrives:
            self.tried += 1
            return "answered 500"
        self.told.append((message.event, message.cause))
        return None

    def pass_time(self, seconds: int, *notifiers: Notifier) -> None:
        for _ in range(seconds):
            self.now += 1
            self.signs()
            for notifier in notifiers:
                notifier()


@pytest.fixture
def here(tmp_path):
    installation = Installation(tmp_path / "outbox.db")
    yield installation
    installation.outbox.close()


def test_a_cause_is_told_once_and_its_end_once(here):
    notifier = here.notifier()
    here.pass_time(5, notifier)
    assert here.told == []
    here.pace = DEAD_TOKEN
    here.pass_time(120, notifier)
    assert here.told == [("raised", "unauthorized:1")]
    here.pace = WELL
    here.pass_time(30, notifier)
    assert here.told == [("raised", "unauthorized:1"), ("over", "unauthorized:1")]
    here.pace = DEAD_TOKEN
    here.pass_time(10, notifier)
    assert here.told[2:] == [("raised", "unauthorized:1")]


def test_a_token_that_is_dead_on_one_machine_alone_is_told_once_and_names_it(here):
    """Whoever gave the latest sign was believed: it was raised, and over, every ten seconds."""
    other, notifier = PaceNow(0.0, None, 1, 4), here.notifier()
    forgotten = SignsOfLife(here.outbox, lambda: {"1": other}, lambda: here.now, "forgotten-1")
    for _ in range(12):
        here.pass_time(5, notifier)
        forgotten()
    assert here.told == []
    other = DEAD_TOKEN
    for _ in range(30):
        here.pass_time(5, notifier)
        forgotten()
    assert here.told == [("raised", "unauthorized:1")]
    (need,) = needs(known(here.outbox, here.settings, here.now))
    assert need.what.endswith("is wrong; so says forgotten-1 alone, the other workers send"), need.what
    other = WELL
    forgotten()
    here.pass_time(30, notifier)
    assert here.told[1:] == [("over", "unauthorized:1")]


def test_of_several_processes_one_tells_it_and_a_restart_does_not_tell_it_again(here):
    here.pace = DEAD_TOKEN
    here.pass_time(20, here.notifier(), here.notifier(), here.notifier())
    here.pass_time(20, here.notifier())
    assert here.told == [("raised", "unauthorized:1")]


def test_what_could_not_be_brought_is_tried_again(here):
    here.pace, here.arrives = DEAD_TOKEN, False
    notifier = here.notifier()
    here.pass_time(10, notifier)
    here.arrives = True
    here.pass_time(30, notifier)
    assert here.told == [("raised", "unauthorized:1")]


def test_what_ended_while_nobody_ran_is_told_as_over_and_the_next_time_is_told_again(here):
    """A token is renewed by a restart: the process that starts never saw the cause."""
    here.pace = DEAD_TOKEN
    here.pass_time(20, here.notifier())
    here.pace, after = WELL, here.notifier()
    here.pass_time(200, after)
    assert here.told == [("raised", "unauthorized:1"), ("over", "unauthorized:1")]
    here.pace = DEAD_TOKEN
    here.pass_time(20, after)
    assert here.told[2:] == [("raised", "unauthorized:1")]


def test_a_cause_that_is_found_again_soon_after_a_restart_is_not_over(here):
    here.pace = DEAD_TOKEN
    here.pass_time(20, here.notifier())
    here.pace, after = WELL, here.notifier()
    here.pass_time(60, after)  # until the first event is refused
    here.pace = DEAD_TOKEN
    here.pass_time(200, after)
    assert here.told == [("raised", "unauthorized:1")]


def test_what_one_machine_alone_can_see_is_not_over_for_another(here, monkeypatch):
    """Such as its disk."""
    sees, other = here.notifier(), here.notifier()

    def sees_nothing() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(notify, "needs", lambda _: [])
            other()

    here.pace = DEAD_TOKEN
    here.pass_time(600, sees, sees_nothing)
    assert here.told == [("raised", "unauthorized:1")]
    here.pass_time(600, sees_nothing)  # the one that saw it is gone
    assert here.told[1:] == [("over", "unauthorized:1")]


def test_an_end_that_could_not_be_brought_is_tried_again(here):
    notifier = here.notifier()
    here.pace = DEAD_TOKEN
    here.pass_time(20, notifier)
    here.pace, here.arrives = WELL, False
    here.pass_time(20, notifier)
    here.arrives = True
    here.pass_time(60, notifier)
    assert here.told == [("raised", "unauthorized:1"), ("over", "unauthorized:1")]


def test_a_receiver_that_is_down_is_asked_seldom_and_the_log_says_why(here, caplog):
    here.pace, here.arrives = DEAD_TOKEN, False
    here.pass_time(3_600, here.notifier())
    assert 10 < here.tried < 30
    assert caplog.records[-1].reason == "address 1 (mailto): answered 500"


def test_a_receiver_that_hangs_holds_up_nobody(here):
    """The same thread answers systemd's watchdog and writes the sign of life."""
    came, goes_on, told = threading.Event(), threading.Event(), threading.Event()

    def hang(_: str, message: Message) -> None:
        came.set()
        assert goes_on.wait(30)
        here.told.append((message.event, message.cause))
        told.set()

    environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_NOTIFY": "mailto:ops@example.com"}
    notifier = Notifier(here.outbox, Settings.from_env(environ), lambda: here.now, hang)
    here.pace = DEAD_TOKEN
    here.pass_time(20, notifier)
    assert came.wait(30) and here.told == []
    goes_on.set()
    assert told.wait(30)
    here.pass_time(20, notifier)
    assert here.told == [("raised", "unauthorized:1")]


def test_what_no_thread_could_be_had_for_is_tried_again(here, caplog):
    notifier = Notifier(here.outbox, here.settings, lambda: here.now, here.bring)
    here.pace = DEAD_TOKEN
    with no_more_threads("notifier"):
        here.pass_time(20, notifier)
    assert "Nobody could be notified; it is tried again" in caplog.messages
    until(lambda: here.pass_time(20, notifier) or here.told)
    assert here.told == [("raised", "unauthorized:1")]


def test_a_worker_that_is_gone_is_known_by_the_age_of_its_sign(here):
    here.pass_time(3)
    assert [sign.worker for sign in alive(here.outbox.workers(), here.now)] == ["w"]
    assert alive(here.outbox.workers(), here.now + 120) == []
    here.signs.stop()
    assert here.outbox.workers() == []


@pytest.mark.parametrize(("path", "member"), [("/hooks/abc", "text"), ("/anything", "cause")])
def test_a_webhook_gets_slacks_form_or_json_with_what_to_do(path, member):
    got: list[dict] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    message = Message(event="raised", cause="clock", urgent=False, what="the clock is off", fix="set it", at=NOW)
    assert deliver(f"http://127.0.0.1:{server.server_port}{path}", message) is None
    server.shutdown()
    assert member in got[0] and "set it" in json.dumps(got[0])
    assert deliver(f"http://127.0.0.1:{server.server_port + 1}{path}", message) == "no answer (connection_refused)"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("ftp://x.example", "addresses such as"),
        ("mailto:nobody", "a mail address such as"),
        ("http://x.example/hook", "addresses such as"),
        ("ops@example.com", "addresses such as"),
        ("mailto:ops@example.com,night@example.com", "addresses such as"),
        ("https://hooks.example/canary x", "percent-encode"),
        ("https://hooks.example/canary-ü", "percent-encode"),
        ("https://ops:canary@hooks.example/x", "without user and password"),
        ("mailto:ops@example.com?smtp=mail.example:canary", "smtp=HOST:PORT alone"),
        ("mailto:ops@example.com?smtp=", "smtp=HOST:PORT alone"),
        ("mailto:ops@example.com?smpt=mail.example", "smtp=HOST:PORT alone"),
        ("mailto:ops@example.com?smtp=mail.example&subject=canary", "smtp=HOST:PORT alone"),
        ("mailto:ops@example.com?smtp=ops:canary@mail.example", "smtp=HOST:PORT alone"),
    ],
)
def test_an_address_that_cannot_be_told_is_a_wrong_setting(address, told):
    with pytest.raises(SettingsError, match=r"^RELAY_NOTIFY: ") as error:
        Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_NOTIFY": address})
    assert told in str(error.value) and "canary" not in str(error.value)
