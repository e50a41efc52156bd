"""The door by itself: who is let in with what, and that whatever a header holds is answered."""

import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from conversion_relay import Relay, Settings
from conversion_relay.collector.door import KEY_USED, Admitted, Door
from conversion_relay.collector.limits import TokenBuckets
from conversion_relay.collector.reply import HttpError, Reply
from conversion_relay.telemetry import Counters
from tests.asgi import run

CONFIG = """
RELAY_TRUSTED_PROXIES = "10.0.0.0/8"

[[dataset]]
META_PIXEL_ID = "1"
META_ACCESS_TOKEN = "EAAone"
RELAY_ALLOWED_ORIGINS = "https://shop.example"
RELAY_API_KEYS = "key-one,key-other"

[[dataset]]
META_PIXEL_ID = "2"
META_ACCESS_TOKEN = "EAAtwo"
RELAY_ALLOWED_ORIGINS = "https://second.example,https://shop.example"
RELAY_API_KEYS = "key-two"
"""


class Answer:
    def __init__(self, messages: list[dict]) -> None:
        self.status = messages[0]["status"]
        self.headers = {name.decode(): value.decode("latin-1") for name, value in messages[0]["headers"]}
        self.body = messages[1]["body"]
        self.reason = self.headers.get("x-relay-reason")


class Visit:
    """A door, and what it let in."""

    def __init__(self, settings: Settings) -> None:
        self.counters, self.admitted = Counters(), []
        self.door = Door(Relay(settings), self.counters, TokenBuckets(rate=1, burst=3, clock=lambda: 0.0))

    async def handle(self, admitted: Admitted) -> Reply:
        self.admitted.append(admitted)
        return Reply(status=202, answer={"ok": True}, cookies=("_fbp=1", "_fbc=2"))

    def call(
        self, *headers: tuple[str, str], method="POST", body=(b"{}",), peer="198.51.100.7", scheme="http"
    ) -> Answer:
        scope = {
            "type": "http", "method": method, "path": "/events", "scheme": scheme,
            "client": (peer, 1) if peer else None,
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers],
        }  # fmt: skip
        parts = [{"type": "http.request", "body": part, "more_body": n < len(body)} for n, part in enumerate(body, 1)]
        sent: list[dict] = []

        async def receive() -> dict:
            return parts.pop(0) if parts else {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            sent.append(message)

        run(self.door.serve(scope, receive, send, self.handle))
        return Answer(sent)


@pytest.fixture
def visit(tmp_path):
    (tmp_path / "relay.toml").write_text(CONFIG)
    return Visit(Settings.from_env({"RELAY_CONFIG": str(tmp_path / "relay.toml")}))


PAGE = ("origin", "https://shop.example")


@pytest.mark.parametrize(
    ("headers", "sender", "dataset"),
    [
        ([PAGE], "browser", "1"),
        ([("origin", "https://SECOND.example")], "browser", "2"),
        ([("authorization", "Bearer key-one")], "backend", "1"),
        ([("authorization", "bearer  key-other ")], "backend", "1"),
        ([("authorization", "Bearer key-two"), PAGE], "backend", "2"),
    ],
)
def test_who_sends_and_to_which_dataset(visit, headers, sender, dataset):
    assert visit.call(*headers).status == 202
    (admitted,) = visit.admitted
    assert (admitted.sender, admitted.dataset.pixel_id, admitted.body) == (sender, dataset, b"{}")


def test_a_keys_last_use_is_not_told_of_the_key_that_takes_its_place(visit, tmp_path):
    for key in ("key-one", "key-other", "key-two"):
        assert visit.call(("authorization", f"Bearer {key}")).status == 202
    (tmp_path / "relay.toml").write_text(CONFIG.replace("key-one,key-other", "key-new,key-other"))
    visit.door.use(Settings.from_env({"RELAY_CONFIG": str(tmp_path / "relay.toml")}))
    used = {labels: at for (name, labels), at in visit.counters.read().items() if name == KEY_USED and at}
    assert [tuple(dict(labels).values()) for labels in used] == [("1", "2"), ("2", "1")]


def test_a_backends_own_address_and_browser_are_not_the_visitors(visit):
    visit.call(("authorization", "Bearer key-one"), ("user-agent", "curl"), ("cookie", "_fbp=fb.1.1.1"))
    facts = visit.admitted[0].facts
    assert facts.client_ip_address is facts.client_user_agent is facts.fbp is None


@pytest.mark.parametrize(
    ("headers", "how", "status", "reason"),
    [
        ([], {}, 401, "unauthorized"),
        ([("origin", "")], {}, 401, "unauthorized"),
        ([("authorization", "Bearer wrong"), PAGE], {}, 401, "unauthorized"),
        ([("authorization", "Bearer "), PAGE], {}, 401, "unauthorized"),
        ([("authorization", "key-one")], {}, 401, "unauthorized"),
        ([("authorization", "Bearer key-one"), ("authorization", "Bearer key-one")], {}, 401, "unauthorized"),
        ([("authorization", "Bearer clé")], {}, 401, "unauthorized"),
        ([("origin", "null")], {}, 403, "origin_not_allowed"),
        ([("origin", "http://[::1")], {}, 403, "origin_not_allowed"),
        ([("origin", "https://é.example")], {}, 403, "origin_not_allowed"),
        ([PAGE, PAGE], {}, 403, "origin_not_allowed"),
        ([PAGE], {"method": "GET"}, 405, "method_not_allowed"),
        ([PAGE, ("content-encoding", "gzip")], {}, 415, "unsupported_encoding"),
        ([PAGE, ("content-length", "-1")], {}, 413, "too_large"),
        ([PAGE, ("content-length", "x")], {}, 413, "too_large"),
        ([PAGE, ("content-length", "9" * 5000)], {}, 413, "too_large"),
        ([PAGE], {"body": (b"x" * 1_048_576,) * 5}, 413, "too_large"),
        ([PAGE], {"body": ()}, 400, "cut_off"),
    ],
)
def test_who_is_not_let_in_is_told_why_and_counted(visit, headers, how, status, reason):
    answer = visit.call(*headers, **how)
    assert (answer.status, answer.reason, json.loads(answer.body)["reason"]) == (status, reason, reason)
    assert visit.admitted == []
    assert visit.counters.read()["relay_events_rejected_total", (("reason", reason),)] == 1


@pytest.mark.parametrize("given", ["key-one", "Basic a2V5LW9uZTo=", "Token key-one", "Bearer: key-one"])
def test_a_key_by_another_scheme_is_told_the_scheme_and_not_that_it_is_unknown(visit, given):
    message = json.loads(visit.call(("authorization", given)).body)["message"]
    assert "Authorization: Bearer" in message and "unknown" not in message


def test_every_401_names_the_scheme(visit):
    for headers in ([], [("authorization", "Bearer wrong")], [("authorization", "Basic eDp5")]):
        assert visit.call(*headers).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("given", ["Basic c3RhZ2luZzpwYXNz", "Negotiate YII=", "Digest username=x"])
def test_a_browsers_password_for_the_site_is_no_key_and_keeps_no_page_out(visit, given):
    """A site behind a password, and the relay on a path of it: the browser sends the password along."""
    assert visit.call(PAGE, ("authorization", given)).status == 202
    assert visit.admitted[0].sender == "browser"
    assert visit.call(("origin", "https://evil.example"), ("authorization", given)).status == 403


def test_a_header_for_the_encoding_that_says_nothing_is_none(visit):
    assert visit.call(PAGE, ("content-encoding", "")).status == 202


def test_a_body_of_several_parts_is_put_together(visit):
    visit.call(PAGE, body=(b'{"a', b'":', b"1}"))
    assert visit.admitted[0].body == b'{"a":1}'


def test_too_many_of_one_network_are_asked_to_wait_and_a_backend_never_is(visit):
    answers = [visit.call(PAGE, peer="198.51.100.7") for _ in range(5)]
    assert [answer.status for answer in answers] == [202] * 3 + [429] * 2
    assert answers[-1].headers["retry-after"] == "1"
    assert visit.call(PAGE, peer="8.8.4.4").status == 202
    assert {visit.call(("authorization", "Bearer key-one")).status for _ in range(9)} == {202}


@pytest.mark.parametrize(
    ("peer", "scheme", "told", "is_secure"),
    [
        ("198.51.100.7", "https", "", True),
        ("198.51.100.7", "http", "https", False),
        ("10.0.0.9", "http", "https", True),
        ("10.0.0.9", "http", "https, http", False),
        ("10.0.0.9", "http", "http, https", True),
        ("10.0.0.9", "http", "", False),
        (None, "http", "https", False),
    ],
)
def test_only_a_trusted_proxy_can_say_that_the_browser_came_by_https(visit, peer, scheme, told, is_secure):
    visit.call(PAGE, ("x-forwarded-proto", told), peer=peer, scheme=scheme)
    assert visit.admitted[0].is_secure is is_secure


def test_every_cookie_has_a_header_of_its_own(visit):
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/events", "headers": [(b"origin", b"https://shop.example")]}
    run(visit.door.serve(scope, receive, send, visit.handle))
    assert [value for name, value in sent[0]["headers"] if name == b"set-cookie"] == [b"_fbp=1", b"_fbc=2"]
    assert all(name == name.lower() for name, _ in sent[0]["headers"]), "ASGI wants names in lower case"


def test_what_a_route_refuses_is_answered_with_its_reason(visit):
    async def refuse(_: Admitted) -> Reply:
        raise HttpError(400, "holds_email", "key", "send an id", allow="x")

    visit.handle = refuse
    answer = visit.call(PAGE)
    assert (answer.status, answer.reason, answer.headers["allow"]) == (400, "holds_email", "x")
    assert json.loads(answer.body) == {"reason": "holds_email", "field": "key", "message": "send an id"}
    assert answer.headers["access-control-allow-origin"] == "https://shop.example", "or the page could not read it"


HEADER = st.tuples(
    st.sampled_from(["origin", "authorization", "host", "cookie", "referer", "content-length", "x-forwarded-for",
                     "x-forwarded-proto", "content-encoding", "user-agent", "sec-gpc"]),
    st.text(st.characters(max_codepoint=255), max_size=40),
)  # fmt: skip


@given(headers=st.lists(HEADER, max_size=6), method=st.sampled_from(["POST", "OPTIONS", "GET", "PUT"]))
@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_header_holds_it_is_answered(visit, headers, method):
    answer = visit.call(*headers, method=method)
    assert answer.status < 500
