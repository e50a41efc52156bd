"""Where a server listens."""

import socket

import pytest

from conversion_relay.collector.server import listen_on


@pytest.fixture
def opened():
    sockets: list[socket.socket] = []
    yield sockets
    for one in sockets:
        one.close()


def reaches(one: socket.socket, address: str) -> bool:
    one.listen()
    try:
        socket.create_connection((address, one.getsockname()[1]), timeout=60).close()
    except OSError:
        return False
    return True


def test_a_port_that_is_taken_is_said_in_a_sentence_before_anything_starts(opened):
    opened += listen_on("127.0.0.1", 0)
    opened[0].listen()
    port = opened[0].getsockname()[1]
    with pytest.raises(SystemExit) as refused:
        listen_on("127.0.0.1", port)
    assert str(refused.value).startswith(f"Error: port {port} on 127.0.0.1: Address already in use; choose another")


def test_an_address_that_is_none_of_this_machine_is_said(opened):
    with pytest.raises(SystemExit, match="choose another with --port or --host"):
        listen_on("203.0.113.5", 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::", "[::]"])
def test_all_addresses_of_ipv6_are_those_of_ipv4_as_well(opened, host):
    try:
        opened += listen_on(host, 0)
    except SystemExit:
        pytest.skip("this machine has no IPv6")
    assert reaches(opened[0], "127.0.0.1") and reaches(opened[0], "::1")
