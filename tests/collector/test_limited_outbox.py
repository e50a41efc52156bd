"""`serve` and the command line over an outbox that cannot do everything: a queue in SQS (moto)."""

import json
import urllib.error
import urllib.request

import boto3
import pytest
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

from tests.processes import API_KEY, call, installation

pytestmark = pytest.mark.xdist_group("aws")
REGION = "us-east-1"
QUEUE = f"sqs.{REGION}.amazonaws.com/123456789012/limited"
KEY = {"Authorization": f"Bearer {API_KEY}"}
PURCHASE = {
    "event_name": "Purchase",
    "event_id": "purchase_1",
    "user_data": {"email": "canary.person@example.org"},
    "custom_data": {"value": 9, "currency": "EUR", "order_id": "1"},
}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    sqs = boto3.client(
        "sqs", endpoint_url=url, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    for name in ("limited", "limited-dead"):
        sqs.create_queue(QueueName=name)
    with installation(tmp_path_factory.mktemp("limited")) as here:
        here.env |= keys | {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": url, "RELAY_OUTBOX": f"sqs://{QUEUE}"}
        here.start()
        yield here
    server.stop()
    get_backend("sqs").reset()


def answer(here, path: str, body: object | None = None) -> tuple[int, str | None, dict]:
    """Status, X-Relay-Reason and the JSON."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{here.url}{path}", data, KEY), timeout=30) as told:
            return told.status, told.headers["X-Relay-Reason"], json.load(told)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["X-Relay-Reason"], json.load(error)


def test_what_the_outbox_cannot_carry_is_said_at_start(here):
    (line,) = (line for line in here.logs().splitlines() if "cannot carry" in line)
    assert "/visitors, /withdraw, /dashboard/event, delivery" in line and '"WARNING"' in line


def test_events_are_taken_though_nobody_was_remembered_and_nothing_is_metered(here):
    body = {"data": [PURCHASE], "pixel": [["Purchase", "purchase_1"]]}
    assert here.post(body)[0] == 202
    (book,) = json.loads(here.command("status", "--json").stdout)["datasets"]
    assert (book["dataset"], book["imbalance"], book["deduplication"]) == ("all", 0, {}) and book["pending"] >= 1


@pytest.mark.parametrize(
    ("path", "body", "remedy"),
    [
        ("/visitors", {"key": "order-1"}, "give the event its fbp"),
        ("/withdraw", {"event_ids": ["a"]}, "what was sent to it is delivered"),
        ("/dashboard/event?id=a", None, "search the delivery function's log group"),
    ],
)
def test_a_route_that_cannot_be_carried_answers_501_with_the_reason_and_what_to_do(here, path, body, remedy):
    status, reason, told = answer(here, path, body)
    assert (status, reason, told["reason"], told["field"]) == (501, "not_supported", "not_supported", "outbox")
    assert told["message"].startswith("not with an sqs:// outbox: ") and remedy in told["message"]


def test_a_stranger_is_refused_before_they_learn_what_is_not_supported(here):
    assert call("POST", f"{here.url}/withdraw", {"event_ids": ["a"]})[0] == 401


def test_dashboard_and_metrics_show_what_the_queue_knows(here):
    status, _, shown = answer(here, "/dashboard/data")
    assert status == 200 and [row["dataset"] for row in shown["datasets"]] == ["all"]
    assert (shown["recent"], shown["dead"]) == ([], [])
    with urllib.request.urlopen(
        urllib.request.Request(f"{here.url}/dashboard/events", headers=KEY), timeout=30
    ) as page:
        assert page.status == 200 and b"Events" in page.read()
    status, text = call("GET", f"{here.url}/metrics")
    assert status == 200 and 'relay_queue_events{dataset="all",state="pending"}' in text


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["explain", "a"], b"search the delivery function's log group for the event id"),
        (["erase", "--email", "canary.person@example.org"], b"gone after its retention (4 days, dead letters 14)"),
        (["deliver"], b"the delivery function sends"),
        (["deliver", "--once"], b"the delivery function sends"),
    ],
    ids=lambda given: given if isinstance(given, str) else None,
)
def test_a_verb_that_cannot_be_done_says_so_in_one_sentence_and_exits_1(here, arguments, remedy):
    done = here.command(*arguments)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"not with an sqs:// outbox: ") and done.stderr.count(b"\n") == 1
    assert remedy in done.stderr


def test_dead_letters_are_listed_without_those_that_are_held(here):
    done = here.command("dead", "list")
    assert (done.returncode, done.stdout) == (0, b"no dead letters\n")
    assert here.command("dead", "replay").returncode == 1
