"""Who may see what is about the relay: this machine without a trace of a proxy, or the password, slowly guessed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from conversion_relay.collector.limits import holder_of
from conversion_relay.dashboard import access
from conversion_relay.dashboard.access import Access
from tests import asgi

PASSWORD = "correct-horse"
HERE = [(b"host", b"127.0.0.1:8000")]


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def status(rule: Access, headers=(), peer="127.0.0.1", http_version="1.1") -> int:
    refused = rule.refusal([*HERE, *headers], peer, http_version)
    return refused.status if refused else 200


def basic(password: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + base64.b64encode(f"me:{password}".encode())


PROXIES = """
forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-server x-forwarded x-real-ip via cf-ray
cf-connecting-ip true-client-ip x-client-ip x-cluster-client-ip fastly-client-ip fly-client-ip cdn-loop x-original-host
x-original-forwarded-for x-envoy-external-address x-amzn-trace-id x-arr-log-id x-azure-clientip x-appengine-user-ip
x-vercel-id wl-proxy-client-ip proxy-client-ip x-remote-addr x-proxyuser-ip
"""


@pytest.mark.parametrize("name", PROXIES.split())
@pytest.mark.parametrize("value", [b"", b"127.0.0.1", b"\xff"])
def test_any_header_that_a_proxy_adds_is_not_this_machine(name, value):
    assert status(Access(""), [(name.encode(), value)]) == 403


def test_what_browsers_and_curl_send_is_this_machine():
    headers = [(b"user-agent", b"curl"), (b"accept", b"*/*"), (b"cookie", b"a=b"), (b"referer", b"https://x.example/"),
               (b"sec-fetch-site", b"none"), (b"origin", b"http://localhost:8000"), (b"dnt", b"1")]  # fmt: skip
    assert status(Access(""), headers) == 200
    assert status(Access(""), headers, peer="::ffff:127.0.0.1") == 200
    assert status(Access(""), [(b"origin", b"https://evil.example")]) == 403
    assert status(Access(""), http_version="1.0") == 403, "that is how nginx asks, with no header at all"
    assert status(Access(""), [(b"host", b"evil.example")]) == 403, "two hosts"


@given(
    st.binary(max_size=40), st.sampled_from([b"authorization", b"host", b"origin", b"x-forwarded-for"]), st.booleans()
)
def test_no_header_is_an_error_of_ours_and_none_is_the_password(value, name, is_locked):
    rule = Access(PASSWORD if is_locked else "")
    refused = rule.refusal([(name, value)], "127.0.0.1")
    assert refused is not None and refused.status in (401, 403)


def test_guesses_are_slowed_and_the_password_is_let_in_after_a_wait_at_most():
    clock = Clock()
    rule = Access(PASSWORD, network_of=holder_of, clock=clock)
    tried, right_in = 0, []
    for second in range(3_000):
        clock.now += 0.1
        told = status(rule, [basic(f"guess-{second}")], peer="198.51.100.7")
        tried += told == 401
        if status(rule, [basic(PASSWORD)], peer="203.0.113.1") == 200:
            right_in.append(second)
    assert tried <= access.FREE_GUESSES + 5 + 300 / access.MOST_WAIT, "in five minutes"
    assert len(right_in) == 3_000, "another network is not held up"
    clock.now += access.MOST_WAIT
    assert status(rule, [basic(PASSWORD)], peer="198.51.100.7") == 200, "nor is this one for long"
    assert status(rule, [basic("once more")], peer="198.51.100.7") == 401
    refused = rule.refusal([*HERE, basic(PASSWORD)], "198.51.100.7")
    assert refused.status == 429 and 1 <= int(refused.headers["Retry-After"]) <= access.MOST_WAIT
    clock.now += access.FORGOTTEN_AFTER + access.MOST_WAIT + 1
    assert [status(rule, [basic("x")], peer="198.51.100.7") for _ in range(4)] == [401, 401, 401, 401]


def test_an_address_for_each_guess_is_no_way_around():
    """A rented server has a /48 of IPv6 addresses."""
    rule = Access(PASSWORD, network_of=holder_of, clock=Clock())
    told = [status(rule, [basic(f"guess-{n}")], peer=f"2001:db8:1:{n:x}::1") for n in range(300)]
    assert told.count(401) <= access.FREE_GUESSES + 1


def test_the_collector_asks_the_same(tmp_path):
    environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAA", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    environ |= {"RELAY_ADMIN_PASSWORD": PASSWORD, "RELAY_TRUSTED_PROXIES": "198.51.100.7/32"}
    with Relay(Settings.from_env(environ)) as relay:
        app, (name, guess) = create_app(relay), basic("guess")
        headers = {name.decode(): guess.decode()}
        told = [
            asgi.ask(app, "/metrics", method="GET", x_forwarded_for=f"2001:db8:1:{n:x}::1", **headers).status
            for n in range(20)
        ]
    assert told.count(401) <= access.FREE_GUESSES + 1


def test_who_asks_without_a_password_is_asked_for_it_and_guesses_nothing():
    rule = Access(PASSWORD, network_of=holder_of, clock=Clock())
    assert {status(rule) for _ in range(50)} == {401}
    assert status(rule, [basic(PASSWORD)]) == 200


def test_guesses_from_everywhere_fill_no_memory():
    rule = Access(PASSWORD, network_of=holder_of, clock=Clock())
    for n in range(access.MOST_REMEMBERED + 500):
        status(rule, [basic("x")], peer=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(rule._guesses) == access.MOST_REMEMBERED
