"""The outbox in SQS, over moto: the parts of the suite that a queue can promise, and what only a queue has."""

import itertools
import json
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

import conversion_relay
from conversion_relay.cli import verbs
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt
from conversion_relay.outbox import DeadLetters, Housekeeping, Leases, Meter, Operator, Queue, Visits
from conversion_relay.outbox.sqs import SqsOutbox
from conversion_relay.outbox.sqs_message import encode, read_message
from conversion_relay.signed_calls import AwsCalls, AwsError, AwsUnreachable
from tests.outbox.suite import NOW, REFUSED, Backend, sealed
from tests.outbox.suite.letters import DeadLettersSuite
from tests.outbox.suite.queue import QueueSuite

pytestmark = pytest.mark.xdist_group("aws")
ACCOUNT, REGION = "123456789012", "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}
NUMBERS = itertools.count()
WHY = {"reason": "meta_100_2804009", "meta_code": "100", "subcode": "2804009", "title": "Missing Value"}
WHY |= {"sentence": REFUSED.sentence or "", "field": REFUSED.field or ""}
WHY |= {"fbtrace_id": REFUSED.fbtrace_id or "", "first_seen": "1700000000000"}


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    get_backend("sqs").reset()


class SqsBackend(Backend):
    @pytest.fixture(autouse=True)
    def queues(self, aws) -> None:
        """Two queues of this test's own."""
        self.name, self.aws = f"events-{next(NUMBERS)}", aws
        secret = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.sqs = boto3.client("sqs", endpoint_url=aws, region_name=REGION, **secret)
        for name in (self.name, f"{self.name}-dead"):
            self.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "360"})

    def open(self, place: Path) -> SqsOutbox:
        calls = AwsCalls(KEYS | {"AWS_ENDPOINT_URL": self.aws})
        return SqsOutbox(f"sqs://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.name}", calls)

    def pass_time(self, seconds: float) -> None:
        """What was looked at can be seen again."""
        for name in (self.name, f"{self.name}-dead"):
            for message in list(get_backend("sqs")[ACCOUNT][REGION].queues[name]._messages):
                message.change_visibility(0)

    def messages(self) -> list[dict]:
        """As Lambda gets them."""
        found: list[dict] = []
        asked = {"QueueUrl": self.sqs.get_queue_url(QueueName=self.name)["QueueUrl"], "MaxNumberOfMessages": 10}
        while more := self.sqs.receive_message(**asked).get("Messages"):
            found += more
        return found

    def read(self, outbox: SqsOutbox, dataset: str = "1") -> dict[str, bytes]:
        letters = [read_message(message) for message in self.messages()]
        self.pass_time(0)
        return {kept.event_id: kept.body.encode() for m in letters if m and m.dataset == dataset for kept in m.events}

    def kill(self, outbox: SqsOutbox, event_ids) -> None:
        """As the delivery function does it."""
        for message in self.messages():
            letter = read_message(message)
            assert letter is not None
            for kept in letter.events:
                body = encode(letter.dataset, letter.accepted_at, [kept])
                dies = kept.event_id in event_ids
                outbox.send(outbox.dead_url if dies else outbox.queue_url, [(WHY if dies else {}, body)])
            self.sqs.delete_message(
                QueueUrl=self.sqs.get_queue_url(QueueName=self.name)["QueueUrl"], ReceiptHandle=message["ReceiptHandle"]
            )


class TestSqs(SqsBackend, QueueSuite, DeadLettersSuite):
    """What is promised of every queue."""

    def test_it_claims_no_part_that_it_cannot_carry(self, outbox):
        parts = (Queue, DeadLetters, Leases, Operator, Visits, Meter, Housekeeping)
        assert [part for part in parts if isinstance(outbox, part)] == [Queue, DeadLetters]

    def test_of_a_letter_with_several_events_the_others_stay_with_their_reason(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("c")], NOW)
        (message,) = self.messages()
        outbox.send(outbox.dead_url, [(WHY, message["Body"])])
        assert outbox.replay(NOW, ["b"]) == 1
        self.pass_time(61)
        assert [(story.event_id, story.reason) for story in outbox.dead()] == [
            ("a", WHY["reason"]),
            ("c", WHY["reason"]),
        ]

    def test_a_letter_that_the_queue_itself_buried_has_no_reason_and_is_replayed_like_any_other(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        (message,) = self.messages()
        outbox.send(outbox.dead_url, [({}, message["Body"])])
        assert [story.reason for story in outbox.dead()] == [None, None]
        self.pass_time(61)
        assert outbox.replay(NOW, ["a"]) == 1
        self.pass_time(61)
        assert [story.event_id for story in outbox.dead()] == ["b"]

    def test_what_is_none_of_ours_among_the_dead_letters_is_left_there(self, outbox):
        outbox.send(outbox.dead_url, [({"reason": "unreadable"}, "not one of ours")])
        assert outbox.dead() == []
        self.pass_time(61)
        assert outbox.replay(NOW) == 0
        assert sum(book.dead for book in outbox.counts().values()) == 1

    def test_a_person_hears_of_what_is_none_of_ours_when_the_alarm_has_rung(self, outbox):
        outbox.send(outbox.dead_url, [({"reason": "unreadable"}, "not one of ours")])
        environ = KEYS | {"AWS_ENDPOINT_URL": self.aws, "RELAY_OUTBOX": outbox.queue_url.replace("https", "sqs")}
        done = CliRunner().invoke(verbs, ["dead", "list"], env=environ)
        assert done.exit_code == 1 and "1 of the messages there are no relay's" in done.stderr and not done.stdout

    def test_a_queue_that_is_not_there_is_told_by_its_error(self, outbox):
        missing = SqsOutbox(
            f"sqs://sqs.{REGION}.amazonaws.com/{ACCOUNT}/nobody", AwsCalls(KEYS | {"AWS_ENDPOINT_URL": self.aws})
        )
        for verb in (missing.probe, missing.counts, missing.dead, lambda: missing.put([sealed("a")], NOW)):
            with pytest.raises(OutboxUnavailable, match="SQS: "):
                verb()


class Calls:
    """AWS as a list of answers, each to one call."""

    def __init__(self, *answers) -> None:
        self.answers, self.asked = list(answers), []

    def call(self, service: str, target: str, body: dict) -> dict:
        self.asked.append(json.loads(json.dumps(body)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(body) if callable(answer) else answer


def all_taken(body: dict) -> dict:
    return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]]}


def none_taken(body: dict) -> dict:
    return {"Failed": [{"Id": entry["Id"]} for entry in body["Entries"]]}


def over(*answers) -> tuple[SqsOutbox, Calls]:
    calls = Calls(*answers)
    return SqsOutbox("sqs://sqs.us-east-1.amazonaws.com/1/events", calls), calls  # type: ignore[arg-type]


def test_only_what_sqs_did_not_take_is_sent_again():
    outbox, calls = over(lambda _: {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1"}]}, all_taken)
    outbox.put([sealed("a"), sealed("b", dataset="2")], NOW)
    first, second = (asked["Entries"] for asked in calls.asked)
    assert [entry["Id"] for entry in first] == ["0", "1"]
    assert second == [first[1]]


def test_what_sqs_takes_never_is_told_after_three_tries():
    outbox, calls = over(none_taken, none_taken, none_taken)
    with pytest.raises(OutboxUnavailable, match="did not take every message"):
        outbox.put([sealed("a")], NOW)
    assert len(calls.asked) == 3


def test_what_meta_said_of_ten_dead_letters_is_counted_as_sqs_counts_it():
    """In Hindi or Thai each letter of its sentence is three bytes, and SQS refuses a call of more than 256 kB."""
    outbox, calls = over(*[all_taken] * 2)
    said = {"reason": "meta_100_2804009", "title": "\u0e01" * 200, "sentence": "\u0e01" * 600}
    outbox.send(outbox.dead_url, [(said, "x" * 24_500)] * 10)
    for asked in calls.asked:
        size = sum(len(entry["MessageBody"]) for entry in asked["Entries"])
        for entry in asked["Entries"]:
            told = entry["MessageAttributes"].items()
            size += sum(len(name) + len(one["DataType"]) + len(one["StringValue"].encode()) for name, one in told)
        assert size <= 262_144


@pytest.mark.parametrize("error", [AwsError("AccessDenied", 403), AwsUnreachable("timed out")], ids=str)
def test_an_error_of_aws_is_an_outbox_that_is_unavailable(error):
    outbox, _ = over(error)
    with pytest.raises(OutboxUnavailable):
        outbox.put([sealed("a")], NOW)
    outbox, _ = over(error)
    assert isinstance(outbox.put_soon([sealed("a")], NOW).exception(1), OutboxUnavailable)


@pytest.mark.parametrize("answer", [AwsError("AccessDenied", 403), none_taken], ids=["refused", "not taken"])
def test_the_variables_of_a_put_that_failed_show_no_visitor(answer):
    outbox, _ = over(*[answer] * 3)
    with pytest.raises(OutboxUnavailable) as raised:
        outbox.put([sealed("a", body=b'{"user_data":{"client_ip_address":"203.0.113.77"}}')], NOW)
    frames = traceback.walk_tb(raised.value.__traceback__.tb_next)  # ours, behind this test's
    assert "203.0.113.77" not in repr([frame.f_locals for frame, _ in frames])


def test_a_put_is_answered_event_by_event_however_many_messages_it_takes():
    outbox, calls = over(*[all_taken] * 3)
    events = [sealed(f"e{n}", dataset=str(n)) for n in range(25)]
    assert outbox.put(events, NOW) == [Receipt(f"e{n}") for n in range(25)]
    assert [len(asked["Entries"]) for asked in calls.asked] == [10, 10, 5]


def test_no_call_is_larger_than_sqs_takes():
    outbox, calls = over(*[all_taken] * 9)
    outbox.put([sealed(f"e{n}", dataset=str(n), body=b"x" * 100_000) for n in range(9)], NOW)
    sizes = [sum(len(entry["MessageBody"]) for entry in asked["Entries"]) for asked in calls.asked]
    assert sum(len(asked["Entries"]) for asked in calls.asked) == 9 and max(sizes) <= 262_144


def test_puts_of_nothing_call_nobody():
    outbox, calls = over()
    assert outbox.put([], NOW) == [] and calls.asked == []


def test_each_verb_that_it_has_not_is_refused_with_what_to_do_instead():
    package = Path(conversion_relay.__file__).parent
    asked = {
        verb
        for path in package.rglob("*.py")
        for verb in re.findall(r'unsupported\([\w.]+, "(\w+)"\)', path.read_text("utf-8"))
    }
    assert {"find", "recent"} <= asked
    assert {verb for verb in asked if not hasattr(SqsOutbox, verb)} <= SqsOutbox.instead.keys()
