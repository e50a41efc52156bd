"""Each property of the simulation can fail: a made-up history that breaks its rule is found, and told as what it is."""

import json
import os
import subprocess
import sys

import pytest

from tests.rooms import ROOT

SAID = {
    "two_holders": "is in two calls at once, of serve 0 and serve 1",
    "delivered_and_sent": "is delivered in the outbox, and is sent again",
    "confirmed_and_sent": "was confirmed to serve 0, which lives, and is sent again by serve 0",
    "taken_back_and_sent": "is sent 1.000 s after it was taken back",
    "nobody_gave_it": "is sent, and nobody gave it to us",
    "late_purchase": "though Meta may have had it for 48 hours",
    "another_person": "is sent with another person",
    "another_body": "is sent with another body",
    "another_time": "is sent with another time",
    "in_two_places": "waits 1 times in the queue and in 1 leases",
    "in_no_place": "waits 0 times in the queue and in 0 leases",
    "miscounted": "the books of 100 are off by 1",
    "counted_as_another": "the books of 100 say 0 pending, and there are 1",
    "alive_again": "was dead and is waiting",
    "lost": "was acknowledged, and the outbox does not have it",
    "two_rows": "1 ids have two rows",
    "not_delivered": "is called delivered, and Meta does not have it",
    "not_refused": "is called dead, and Meta never refused it by itself",
    "not_old": "is called expired, and is younger than a week",
    "fresh_waits": "is overdue by",
    "backlog_waits": "is overdue by",
    "no_pause": "calls 100 again and again: the last one came to trouble",
    "refused_for_ever": "calls 100 again and again: the last one came to refused again",
    "one_by_one": "100 calls to 100 while all was well: 1 groups of events",
    "spins": "5000 steps in 60 s",
    "writes_for_nothing": "5000 writes in 60 s",
    "keeps_events": "bytes more than at",
    "a_person_on_the_disk": "personal data is written to",
    "an_erased_person": "was erased, and its person stands in outbox.db-wal",
    "a_delivered_person": "was delivered, and its person stands in outbox.db",
    "a_log_without_end": "the log has 13631488 bytes",
    "a_loop_in_no_time": "steps within a second: a loop of",
}


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    command = [sys.executable, "-m", "tests.simulation.broken_histories"]
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("history", SAID)
def test_a_history_that_breaks_a_rule_is_found(history, said):
    assert SAID[history] in said[history]


def test_every_made_up_history_is_asked_for(said):
    assert said.keys() == SAID.keys()
