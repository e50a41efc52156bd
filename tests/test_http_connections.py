"""A host with two families, of which one swallows everything: the other is taken, and remembered."""

import socket
from contextlib import closing, contextmanager

import pytest

from conversion_relay import http_connections
from conversion_relay.http_client import HttpClient, Response
from conversion_relay.http_connections import Connections
from tests.hostile_server import read_request, serving
from tests.one_module import replace_in
from tests.processes import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
LONG = 20.0


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@contextmanager
def black_hole(port: int):
    """Nobody accepts, and the queue of those that wait is full: the next connection hears nothing, as on a network that
    drops its packets."""
    with socket.socket(socket.AF_INET6) as listener:
        listener.bind(("::1", port))
        listener.listen(0)
        waiting = [socket.socket(socket.AF_INET6) for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("::1", port))
        try:
            yield
        finally:
            for one in waiting:
                one.close()


@pytest.fixture
def port():
    """Of a server that answers by IPv4 alone."""

    def answer(connection):
        read_request(connection)
        connection.sendall(OK)

    with serving(answer) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture(autouse=True)
def _both_families(monkeypatch):
    """The system names the IPv6 address first."""

    def look_up(host, port, *_, **__):
        six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        return [six, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    replace_in(http_connections, "socket", monkeypatch, getaddrinfo=look_up)


def test_an_address_that_swallows_everything_does_not_hold_up_the_other(port, monkeypatch):
    monkeypatch.setattr(http_connections, "NEXT_ADDRESS_SECONDS", 0.01)
    with black_hole(port), closing(HttpClient()) as client:
        monkeypatch.setattr("conversion_relay.http_client.CONNECT_SECONDS", LONG)
        answer = client.post(f"http://meta.example:{port}/", {}, b"{}", 60.0)
        assert isinstance(answer, Response) and answer.status == 200


def test_the_family_that_answered_is_tried_first_the_next_time_and_for_a_while(port, monkeypatch):
    connections, begun = Connections(), []
    begin = http_connections._begun
    monkeypatch.setattr(http_connections, "_begun", lambda address: begun.append(address[0]) or begin(address))
    monkeypatch.setattr(http_connections, "NEXT_ADDRESS_SECONDS", 0.01)
    both = [socket.AF_INET6, socket.AF_INET]
    with black_hole(port):
        connections.open("meta.example", port, LONG).close()
        monkeypatch.setattr(http_connections, "NEXT_ADDRESS_SECONDS", LONG)
        monkeypatch.setattr(http_connections, "FAMILY_SECONDS", -1.0)
        connections.open("meta.example", port, LONG).close()
        assert begun == [*both, socket.AF_INET]
        monkeypatch.setattr(http_connections, "NEXT_ADDRESS_SECONDS", 0.01)
        connections.open("meta.example", port, LONG).close()
        assert begun[3:] == both, "it may be mended by now"


def test_an_address_that_refuses_passes_on_at_once(port, monkeypatch):
    monkeypatch.setattr(http_connections, "NEXT_ADDRESS_SECONDS", LONG)
    with closing(Connections().open("meta.example", port, LONG)) as opened:
        assert opened.family == socket.AF_INET and opened.gettimeout() == LONG


def test_only_so_many_hosts_are_remembered(port, monkeypatch):
    monkeypatch.setattr(http_connections, "MOST_FAMILIES", 3)
    connections = Connections()
    for n in range(9):
        connections.open(f"shop{n}.example", port, 60.0).close()
    assert list(connections._families) == ["shop6.example", "shop7.example", "shop8.example"]


@pytest.mark.parametrize(("closed", "error"), [(False, TimeoutError), (True, ConnectionRefusedError)])
def test_a_refusal_tells_more_than_silence(closed, error, monkeypatch):
    monkeypatch.setattr(http_connections, "NEXT_ADDRESS_SECONDS", 0.01)
    port = free_port()
    if not closed:
        silent = [(socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0))]
        replace_in(http_connections, "socket", monkeypatch, getaddrinfo=lambda *_, **__: silent)
    with black_hole(port), pytest.raises(error):
        Connections().open("meta.example", port, 0.05)
