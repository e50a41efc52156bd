"""`deliver --once`: the sum, and why something is left."""

import json

import pytest

from conversion_relay.cli.drained import drained
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import Hold, RetryAt
from conversion_relay.settings import Settings
from tests.outbox.suite import NOW, claim, sealed
from tests.processes import installation

PERSON = {"email": "canary.person@example.org"}
SENT = "Meta Conversions API Lead event sent successfully"


@pytest.fixture
def here(tmp_path):
    with installation(tmp_path) as here:
        yield here


def accept(here, *event_ids: str) -> None:
    lines = [json.dumps({"event_name": "Lead", "event_id": i, "user_data": PERSON}) for i in event_ids]
    assert here.command("send", "-", stdin="\n".join(lines).encode()).returncode == 0


def test_three_hundred_and_fifty_events_are_a_sum_and_not_a_sentence_each(here):
    accept(here, *(f"e{n}" for n in range(350)))
    done = here.command("deliver", "--once")
    assert (done.returncode, done.stdout) == (0, b"350 delivered, 0 dead, 0 expired, 0 waiting\n")
    lines = [json.loads(line) for line in done.stderr.splitlines() if SENT.encode() in line]
    assert sum(line["count"] for line in lines) == 350 and len(lines) < 10


def test_what_meta_refused_is_told_with_its_reason(here):
    here.misbehave(mode="poison", event_ids=["bad", "worse"])
    accept(here, "bad", "good", "worse")
    done = here.command("deliver", "--once")
    assert done.returncode == 1
    assert done.stdout == b"1 delivered, 2 dead, 0 expired, 0 waiting\n  2 dead: meta_100_2804036\n"
    assert here.command("deliver", "--once").stdout == b"0 delivered, 0 dead, 0 expired, 0 waiting\n"


def test_in_an_outage_what_waits_is_told_with_why_and_the_sentence_stands_once_for_each_name(here):
    here.misbehave(mode="token_expired")
    accept(here, *(f"e{n}" for n in range(150)))
    done = here.command("deliver", "--once")
    assert done.returncode == 1
    assert done.stdout == b"0 delivered, 0 dead, 0 expired, 150 waiting\n  150 waiting: unauthorized\n"
    assert done.stderr.count(b"Error sending Meta Conversions API Lead event") == 1


def test_the_sum_for_programs(here):
    accept(here, "a")
    facts = json.loads(here.command("deliver", "--once", "--json").stdout)
    zeros = dict.fromkeys(("dead", "expired", "held", "withheld", "waiting"), 0)
    assert facts == {"delivered": 1, **zeros, "why_waiting": {}, "why_dead": {}}
    assert here.command("deliver", "--json").returncode == 2


def test_what_is_held_is_not_among_the_reasons_why_events_wait(tmp_path):
    outbox = SqliteOutbox(str(tmp_path / "outbox.db"))
    outbox.put([sealed(name) for name in "abc"], NOW)
    lease = claim(outbox)
    held, waits = lease.events[:2], lease.events[2:]
    later = RetryAt(NOW + 60, "unreachable")
    outbox.settle(lease, [(Hold("ambiguous_late"), held), (later, waits)], None, NOW)
    settings = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t"})
    facts = drained([], outbox, settings, NOW)
    assert (facts["waiting"], facts["why_waiting"]) == (1, {"due_later": 1})
    outbox.close()
