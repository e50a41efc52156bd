"""A person whose event Meta has already asks to be forgotten: of the order's visit nothing is left in the file."""

import contextlib
import json
import time

import pytest
from click.testing import CliRunner

from conversion_relay import cli
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import open_outbox

SEEN = Visit(
    client_ip_address="198.51.100.7", client_user_agent="Canary/5.0", fbp="fb.1.1.7", paid_at=9, consent="granted"
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("RELAY_OUTBOX", f"sqlite:///{tmp_path}/outbox.db")
    with contextlib.closing(open_outbox(f"sqlite:///{tmp_path}/outbox.db")) as outbox:
        outbox.remember_visitor("1001", SEEN, time.time())
        outbox.remember_visitor("1002", SEEN, time.time())
    return tmp_path


def erase(*arguments):
    done = CliRunner().invoke(cli.verbs, ["erase", *arguments])
    return done.exit_code, done.output.strip()


def test_the_visit_of_an_order_is_forgotten_and_its_name_kept(place):
    assert erase("--order", "1001") == (0, "0 events erased, 1 visits forgotten")
    code, told = erase("--order", "1001", "--order", "no-such", "--order", "1002", "--json")
    assert (code, json.loads(told)) == (0, {"erased": 0, "visits": 1, "set_aside": []})
    assert erase("--order", "1001")[0] == 1
    left = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    assert b"198.51.100.7" not in left and b"Canary" not in left and b"fb.1.1.7" not in left
    with contextlib.closing(open_outbox(f"sqlite:///{place}/outbox.db")) as outbox:
        kept = outbox.visitor("1001", time.time())
    assert kept == Visit(consent="denied", for_long=True, paid_at=9), (
        "the order is not counted twice, and not with them"
    )


def test_an_order_that_is_empty_is_told_and_blanks_around_one_are_none_of_its_name(place):
    code, told = erase("--order", " ")
    assert code == 2 and "--order: empty" in told
    assert erase("--order", " 1001\n") == (0, "0 events erased, 1 visits forgotten")


def test_nobody_is_named(place):
    code, told = erase()
    assert code == 2 and "--order" in told
