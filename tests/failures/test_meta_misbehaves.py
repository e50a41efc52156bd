"""Three thousand events while Meta answers 500, resets, hangs, and one event in a thousand is poison; and the process
is killed in the middle of it."""

import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes import installation, until

EVENTS = 3_000
BATCH = 50
FAULTS = ["http_500", "html_503", "reset", "hang", "lost_answer", "short_count", "malformed", "throttle", "down"]


@pytest.fixture
def here(tmp_path):
    with installation(tmp_path) as here:
        yield here


def event(number: int) -> dict:
    poison = "poison-" if number % 1000 == 500 else ""
    return {
        "event_name": "Lead",
        "event_id": f"{poison}{number}",
        "event_time": int(time.time()),
        "user_data": {"email": f"person{number}@example.com", "client_ip_address": "203.0.113.9"},
        "custom_data": {"number": number},
    }


def start_against_a_bad_meta(here, seed: int) -> None:
    here.misbehave(mode="poison", event_id_contains="poison-")
    here.misbehave(modes=FAULTS, probability=0.2, seed=seed, retry_after=1)
    here.start()


def post_all(here, acknowledged: set[str], numbers: range) -> None:
    """A careful client: what is not acknowledged is posted again until it is."""

    def post(first: int) -> None:
        events = [event(number) for number in range(first, first + BATCH)]
        while events:
            status, answer = here.post(events)
            if status != 202:
                threading.Event().wait(0.05)
                continue
            assert answer["refused"] == []
            acknowledged.update(receipt["event_id"] for receipt in answer["accepted"])
            return

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(post, range(numbers.start, numbers.stop, BATCH)))


def check_the_books(here, acknowledged: set[str]) -> None:
    book = until(here.settled, seconds=150, every=0.5)
    assert book["accepted"] == len(acknowledged) == EVENTS
    assert book["accepted"] == sum(book[s] for s in ("pending", "leased", "delivered", "dead", "expired", "erased"))
    assert book["imbalance"] == 0
    arrived = here.arrived()
    poison = {event_id for event_id in acknowledged if event_id.startswith("poison-")}
    assert {row["event"]["event_id"] for row in arrived} == acknowledged - poison
    assert book["dead"] == len(poison)
    bodies: dict[str, set[str]] = {}
    for row in arrived:
        bodies.setdefault(row["event"]["event_id"], set()).add(json.dumps(row["event"], sort_keys=True))
    assert all(len(versions) == 1 for versions in bodies.values()), "an event was sent with two bodies"
    dead = json.loads(here.command("dead", "list", "--json").stdout)
    assert {story["event_id"] for story in dead} == poison
    assert all(story["history"][-1]["subcode"] == 2804036 and story["history"][-1]["fbtrace_id"] for story in dead)


@pytest.mark.timeout(400)
def test_every_accepted_event_ends_delivered_or_dead_with_a_reason(here):
    start_against_a_bad_meta(here, seed=7)
    acknowledged: set[str] = set()
    post_all(here, acknowledged, range(EVENTS))
    check_the_books(here, acknowledged)
    assert "person" not in here.logs()


@pytest.mark.timeout(400)
def test_five_kills_in_the_middle_lose_no_acknowledged_event(here):
    start_against_a_bad_meta(here, seed=11)
    acknowledged: set[str] = set()
    clients = threading.Thread(target=post_all, args=(here, acknowledged, range(EVENTS)))
    clients.start()
    when = random.Random(3)
    for _ in range(5):
        threading.Event().wait(when.uniform(0.05, 0.5))
        here.kill()
        here.start()
    clients.join()
    check_the_books(here, acknowledged)
