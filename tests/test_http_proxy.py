"""The way out through a proxy: a tunnel where the environment says so, and a word for what is wrong with it."""

import base64
import socket
import ssl
import threading

import pytest

from conversion_relay import http_connections
from conversion_relay.delivery.report import alert
from conversion_relay.delivery.retry import A_PERSONS
from conversion_relay.http_client import HttpClient, NoAnswer, Response
from conversion_relay.http_proxy import proxy_for
from conversion_relay.meta.remedies import remedy
from tests.hostile_server import read_request, received, serving
from tests.processes import free_port, until
from tests.test_http_client import self_signed
from tests.test_http_client_deadlines import exchanges

HOST = "graph.meta.example"
URL = f"https://{HOST}/v27.0/1/events"
LOGIN = "Basic " + base64.b64encode(b"joe:s3cret p@ss").decode()


@pytest.fixture
def client():
    client = HttpClient()
    yield client
    client.close()


def asked_of(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    return data


def test_a_request_goes_through_the_tunnel_and_is_read_by_nobody_on_the_way(client, tmp_path, monkeypatch):
    key, certificate = self_signed(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    trusting.check_hostname = False
    monkeypatch.setattr(http_connections.Connections, "tls", lambda _: trusting)
    asked, got = [], []

    def proxy_and_host(connection):
        asked.append(asked_of(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 corp\r\n\r\n")
        with server.wrap_socket(connection, server_side=True) as secure:
            while True:
                got.append(read_request(secure))
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving(proxy_and_host) as url:
        monkeypatch.setenv("HTTPS_PROXY", url.replace("//", "//joe:s3cret%20p%40ss@"))
        answers = [client.post(URL, {"Authorization": "Bearer EAA"}, b"[]", 10.0) for _ in range(2)]
    assert [type(answer) for answer in answers] == [Response, Response] and len(got) == 2
    assert len(asked) == 1, "the tunnel is kept between calls"
    assert asked[0].startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n".encode()) and b"EAA" not in asked[0]
    assert f"Proxy-Authorization: {LOGIN}\r\n".encode() in asked[0] and b"Proxy-Auth" not in got[0]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", "proxy_login"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n<html>", "proxy_refused"),
        (b"HTTP/1.1 503 \r\n\r\n", "proxy_refused"),
        (b"", "proxy_refused"),
        (b"SSH-2.0\r\n\r\n", "proxy_refused"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, "proxy_refused"),
    ],
    ids=["login", "forbidden", "no way", "hangs up", "another protocol", "a head without end"],
)
def test_what_is_wrong_with_the_proxy_is_told_as_the_proxys_and_nothing_was_sent(client, answer, why, monkeypatch):
    def proxy(connection):
        asked_of(connection)
        connection.sendall(answer)

    with serving(proxy) as url:
        monkeypatch.setenv("https_proxy", url)
        assert client.post(URL, {"Authorization": "Bearer EAA"}, b"[]", 10.0) == NoAnswer(why, sent=False)


def test_a_proxy_that_is_not_there_is_no_silence_of_metas(client, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{free_port()}")
    assert client.post(URL, {}, b"[]", 10.0) == NoAnswer("proxy_unreached", sent=False)


@pytest.mark.parametrize("said", [b"", b"H"], ids=["silent", "drips"])
def test_a_proxy_that_never_answers_ends_before_the_deadline_and_is_told_as_the_proxys(client, monkeypatch, said):
    """Its thread, too: each look would leave one behind, with a socket."""
    before = exchanges()

    def proxy(connection):
        asked_of(connection)
        while True:
            connection.sendall(said)
            threading.Event().wait(0.02)

    with serving(proxy) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        # What is left of it once the proxy's share is over must do for a thread of ours on a machine that is busy.
        assert client.post(URL, {}, b"[]", 8.0) == NoAnswer("proxy_refused", sent=False)
        client.close()
        until(lambda: not exchanges() - before)


@pytest.mark.parametrize(
    "named", ["socks5://127.0.0.1:1080", "https://proxy:443", "http://", "http://p:port", "//", "http://[::1"]
)
def test_an_address_that_is_no_http_proxys_is_told_and_nobody_is_asked(client, named, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", named)
    assert client.post(URL, {}, b"[]", 10.0) == NoAnswer("proxy_address", sent=False)


@pytest.mark.parametrize(
    ("host", "exceptions", "direct"),
    [
        ("graph.facebook.com", "", False),
        ("graph.facebook.com", "facebook.com", True),
        ("graph.facebook.com", "a.example, .facebook.com:443", True),
        ("graph.facebook.com", "*.facebook.com", True),
        ("graph.facebook.com", "*", True),
        ("graph.facebook.com", "book.com,,", False),
        ("GRAPH.facebook.com.", "graph.FACEBOOK.com", True),
        ("127.0.0.2", "", True),
        ("localhost", "", True),
        ("::1", "", True),
        ("2001:db8::1", "2001:db8::1", True),
    ],
)
def test_no_proxy_names_the_hosts_that_are_reached_directly(host, exceptions, direct):
    environ = {"HTTPS_PROXY": "proxy.example:3128", "NO_PROXY": exceptions}
    assert (proxy_for(host, environ) is None) is direct


def test_plain_http_which_is_for_this_machine_alone_knows_no_proxy(client, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with serving(lambda c: (read_request(c), c.sendall(b"HTTP/1.1 204 No Content\r\n\r\n"))) as url:
        assert isinstance(client.post(f"{url}/x", {}, b"[]", 10.0), Response)


@pytest.mark.parametrize("why", ["proxy_address", "proxy_login", "proxy_refused", "proxy_unreached"])
def test_each_reason_has_its_sentence_and_shows_no_login(why, caplog):
    assert "HTTPS_PROXY" in remedy(why).what
    if why in A_PERSONS:
        alert("42", why)
        assert "HTTPS_PROXY" in caplog.text
    assert "s3cret" not in repr(proxy_for(HOST, {"HTTPS_PROXY": "http://joe:s3cret@proxy:3128"}))
