"""Without a password the dashboard is open to this machine's own user and root: a proxy is of another user."""

import os
import socket
import sys

import pytest

from conversion_relay.dashboard import local_user
from conversion_relay.dashboard.access import Access
from conversion_relay.dashboard.local_user import is_anothers
from conversion_relay.dashboard.refused import refusal_of
from tests import asgi
from tests.one_module import replace_in

linux = pytest.mark.skipif(sys.platform != "linux", reason="the table of connections is Linux's")
HERE = [(b"host", b"127.0.0.1:8000")]


@pytest.fixture(params=["127.0.0.1", "::1", "::"])
def ends(request):
    """Of a connection of this very process, as the server sees them."""
    listens, calls = request.param, "127.0.0.1" if request.param == "::" else request.param
    family = socket.AF_INET6 if ":" in listens else socket.AF_INET
    try:
        server = socket.create_server((listens, 0), family=family, dualstack_ipv6=listens == "::")
    except (OSError, ValueError):
        pytest.skip("this machine has no IPv6")
    with server, socket.create_connection((calls, server.getsockname()[1])), server.accept()[0] as accepted:
        yield accepted.getpeername()[:2], accepted.getsockname()[:2]


def status(ends) -> int:
    refused = Access("").refusal(HERE, "127.0.0.1", ends=ends)
    return refused.status if refused else 200


@linux
def test_a_program_of_our_own_user_is_let_in_and_another_s_is_not(ends, monkeypatch):
    assert status(ends) == 200
    ours = os.geteuid()
    monkeypatch.setattr(local_user, "_user_of", lambda *_: 33)
    replace_in(local_user, "os", monkeypatch, geteuid=lambda: ours + 1_000)
    assert status(ends) == 403
    monkeypatch.setattr(local_user, "_user_of", lambda *_: 0)
    assert status(ends) == 200, "root reads our settings, and so the password"


@linux
def test_the_user_of_each_end_stands_in_the_table(ends, monkeypatch):
    assert local_user._user_of(*ends, local_user.TABLES) == local_user._user_of(*ends[::-1], local_user.TABLES)
    replace_in(local_user, "os", monkeypatch, geteuid=lambda: 12_345)
    assert is_anothers(*ends) is (local_user._user_of(*ends, local_user.TABLES) != 0)


@linux
def test_the_collector_looks_at_the_very_connection(monkeypatch):
    asked = []
    monkeypatch.setattr("conversion_relay.dashboard.access.is_anothers", lambda *ends: asked.append(ends) or True)
    scope = {"type": "http", "client": ("127.0.0.1", 54_321), "server": ("127.0.0.1", 8_000), "headers": HERE}
    refused = asgi.run(refusal_of(Access(""), scope))
    assert refused.status == 403 and asked == [(("127.0.0.1", 54_321), ("127.0.0.1", 8_000))]


LINES = b"""  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 16371 1
   1: 0100007F:1F40 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 16372 1
"""
OURS, THEIRS = ("127.0.0.1", 8000), ("127.0.0.1", 54321)


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is written in the machine's order")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"   2: 0100007F:D431 0100007F:1F40 01 00000000:00000000 00:00000000 00000000    33        0 9 1\n", True),
        (b"   2: 0100007F:D431 0100007F:1F40 01 00000000:00000000 00:00000000 00000000     0        0 9 1\n", False),
        # Another connection of the same port, and one that has ended.
        (b"   2: 0100007F:D431 0100007F:1F41 01 00000000:00000000 00:00000000 00000000     0        0 9 1\n", True),
        (b"   2: 0100007F:D431 0100007F:1F40 06 00000000:00000000 00:00000000 00000000     0        0 9 1\n", True),
    ],
)
def test_the_peers_end_says_it_and_one_that_this_machine_has_not_is_anothers(tmp_path, line, expected):
    (tmp_path / "tcp").write_bytes(LINES + line)
    assert is_anothers(THEIRS, OURS, tmp_path) is expected


@pytest.mark.parametrize("table", [None, b"", LINES[:200], b"\xff" * 1_000])
def test_where_the_system_tells_nothing_nobody_is_told_apart(tmp_path, table):
    if table is not None:
        (tmp_path / "tcp").write_bytes(table)
    assert is_anothers(THEIRS, OURS, tmp_path) is False
    assert is_anothers(("testclient", 50_000), ("testserver", 80), tmp_path) is False
