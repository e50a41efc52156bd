"""The delivery function by itself: what becomes of a message, by what Meta says."""

import json
import zlib
from email.utils import formatdate

import msgspec
import pytest

from conversion_relay.aws import DeliveryFunction
from conversion_relay.aws.finish import MOST_RECEIVES, TOKEN_WAIT
from conversion_relay.delivery.transport import Response
from conversion_relay.meta.graph import Unreachable
from conversion_relay.outbox.sqs_message import Kept, encode
from tests.aws.table import Table

NOW = 1_795_435_200.0
HOUR = 3_600
ENVIRONMENT = {
    "META_PIXEL_ID": "1",
    "META_ACCESS_TOKEN_SECRET_ARN": "arn",
    "RELAY_OUTBOX": "sqs://sqs.us-east-1.amazonaws.com/1/events",
    "PURCHASE_TABLE": "purchases",
    "RELAY_LOG_FORMAT": "json",
}


class Aws:
    """Remembers what was asked."""

    def __init__(self) -> None:
        self.hidden: list[int] = []
        self.sent: list[tuple[str, dict]] = []
        self.secret_reads = 0
        self.table = Table()

    def call(self, service, target, body, *, version="1.0"):
        match target.rpartition(".")[2]:
            case "GetSecretValue":
                self.secret_reads += 1
                return {"SecretString": "EAAtoken"}
            case "ChangeMessageVisibilityBatch":
                self.hidden += [entry["VisibilityTimeout"] for entry in body["Entries"]]
            case "SendMessageBatch":
                self.sent += [(body["QueueUrl"].rpartition("/")[2], entry) for entry in body["Entries"]]
                return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]]}
            case "GetItem" | "UpdateItem" as action:
                return self.table.call(action, body)
        return {}

    def dead(self) -> list[dict]:
        return [entry for queue, entry in self.sent if queue == "events-dead"]

    def anew(self) -> list[dict]:
        return [entry for queue, entry in self.sent if queue == "events"]


class Meta:
    def __init__(self, answer) -> None:
        self.answer, self.calls = answer, []

    def send(self, request, deadline):
        ids = [event["event_id"] for event in json.loads(request.body)["data"]]
        self.calls.append(ids)
        return self.answer(ids)

    def close(self) -> None:
        pass


def taken(ids):
    return Response(200, {}, b'{"events_received":%d}' % len(ids))


def error(code, subcode=None):
    body = json.dumps({"error": {"code": code, "error_subcode": subcode, "fbtrace_id": "Atrace"}}).encode()
    return Response(400, {}, body)


def kept(event_id: str, name: str = "Lead", expires_in: float = HOUR) -> Kept:
    event = {"event_name": name, "event_id": event_id, "event_time": int(NOW), "action_source": "website"}
    event |= {"user_data": {"em": ["0" * 64]}}
    body = json.dumps(event)
    return Kept(name, event_id, int(NOW), int(NOW + expires_in), zlib.crc32(body.encode()), body)


def record(*events: Kept, number: int = 1, receives: int = 1, body: str | None = None) -> dict:
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": body if body is not None else encode("1", NOW, events),
        "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1795435200000"},
    }


@pytest.fixture
def aws():
    return Aws()


class Function:
    """The delivery function, and the Meta that it sends to."""

    def __init__(self, aws, answer, now) -> None:
        self.meta = Meta(answer)
        self.delivery = DeliveryFunction(ENVIRONMENT, calls=aws, transport=self.meta, clock=now, jitter=lambda: 1.0)

    def handle(self, event, context=None) -> dict:
        return self.delivery.handle(event, context)


def function(aws, answer, now=lambda: NOW) -> Function:
    return Function(aws, answer, now)


def failures(answer: dict) -> list[str]:
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def test_a_batch_is_one_request_and_every_message_is_done(aws):
    delivery = function(aws, taken)
    records = [record(kept(f"e{n}"), number=n) for n in range(400)]
    assert failures(delivery.handle({"Records": records})) == []
    assert [len(call) for call in delivery.meta.calls] == [400]


def test_the_guilty_event_is_buried_with_metas_reason_and_the_others_are_delivered(aws):
    delivery = function(aws, lambda ids: error(100, 2804036) if "bad" in ids else taken(ids))
    records = [record(kept("bad" if n == 7 else f"e{n}"), number=n) for n in range(100)]
    assert failures(delivery.handle({"Records": records})) == []
    (letter,) = aws.dead()
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert said == {
        "reason": "meta_100_2804036",
        "meta_code": "100",
        "subcode": "2804036",
        "fbtrace_id": "Atrace",
        "first_seen": "1795435200000",
    }


def test_what_nobody_agreed_to_is_done_and_not_sent_once_consent_is_asked_for(aws, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "RELAY_CONSENT", "withhold")
    running = function(aws, taken)
    agreed = msgspec.structs.replace(kept("agreed"), consent="granted")
    assert failures(running.handle({"Records": [record(kept("silent"), agreed)]})) == []
    assert running.meta.calls == [["agreed"]] and aws.sent == []


def test_a_message_from_before_consent_was_kept_can_still_be_read(aws):
    body = json.loads(encode("1", NOW, [kept("old")]))
    del body["events"][0]["consent"]
    running = function(aws, taken)
    assert failures(running.handle({"Records": [record(body=json.dumps(body))]})) == []
    assert running.meta.calls == [["old"]]


@pytest.mark.parametrize(("receives", "seconds"), [(1, 30), (2, 60), (5, 480), (8, 3_600), (39, 3_600)])
def test_while_meta_is_away_messages_hide_longer_each_time(aws, receives, seconds):
    delivery = function(aws, lambda ids: Unreachable("connection_refused", sent=False))
    assert failures(delivery.handle({"Records": [record(kept("a"), receives=receives)]})) == ["m1"]
    assert aws.hidden == [seconds] and aws.sent == []


def test_a_message_that_only_waits_is_written_anew_before_the_queue_would_bury_it(aws):
    delivery = function(aws, lambda ids: error(190))
    assert failures(delivery.handle({"Records": [record(kept("a"), receives=MOST_RECEIVES)]})) == []
    assert len(aws.anew()) == 1 and aws.dead() == []


def test_a_dead_token_hides_for_a_quarter_of_an_hour_and_is_read_again(aws):
    delivery = function(aws, lambda ids: error(190))
    assert failures(delivery.handle({"Records": [record(kept("a"))]})) == ["m1"]
    assert aws.hidden == [TOKEN_WAIT] and aws.dead() == []
    delivery.handle({"Records": [record(kept("a"))]})
    assert aws.secret_reads == 2


def test_a_token_that_works_is_kept_for_five_minutes(aws):
    clock = [NOW]
    delivery = function(aws, taken, lambda: clock[0])
    for seconds in (0, 100, 299, 301):
        clock[0] = NOW + seconds
        delivery.handle({"Records": [record(kept(f"e{seconds}"))]})
    assert aws.secret_reads == 2


def test_what_is_done_of_a_message_is_not_sent_again(aws):
    def answer(ids):
        if "later" in ids and len(ids) > 1:
            return error(100, 2804036)
        return Unreachable("deadline", sent=True) if "later" in ids else taken(ids)

    delivery = function(aws, answer)
    assert failures(delivery.handle({"Records": [record(kept("now"), kept("later"))]})) == []
    (rest,) = aws.anew()
    assert [event["event_id"] for event in json.loads(rest["MessageBody"])["events"]] == ["later"]


def test_what_grew_too_old_is_not_sent(aws):
    """By Meta's clock, which is asked before ours alone lets an event expire."""
    told = {"date": formatdate(NOW, usegmt=True)}
    delivery = function(aws, lambda ids: Response(400, told, error(100).body))
    assert failures(delivery.handle({"Records": [record(kept("old", expires_in=-1))]})) == []
    assert delivery.meta.calls == [[]]


WRAPPED = json.dumps({"Type": "Notification", "Message": encode("1", NOW, [kept("a")])})


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"dataset": 1}', "\u2028", '{"x":' + "[" * 100_000, "\ud800", WRAPPED], ids=str.__len__
)
def test_a_message_that_is_none_of_ours_is_put_away(aws, body):
    assert failures(function(aws, taken).handle({"Records": [record(body=body)]})) == []
    assert aws.dead()[0]["MessageAttributes"]["reason"]["StringValue"] == "unreadable"


def test_bytes_that_changed_on_the_way_are_not_sent(aws):
    changed = record(kept("a"))
    changed["body"] = changed["body"].replace("0000", "0001", 1)
    delivery = function(aws, taken)
    assert failures(delivery.handle({"Records": [changed]})) == [] and delivery.meta.calls == []
    assert aws.dead()[0]["MessageAttributes"]["reason"]["StringValue"] == "corrupt"


@pytest.mark.parametrize("name", ["Purchase", "Subscribe", "StartTrial"])
def test_a_purchase_that_meta_has_is_not_sent_again_however_late(aws, name):
    clock = [NOW]
    delivery = function(aws, taken, lambda: clock[0])
    purchase = kept("p", name, expires_in=7 * 24 * HOUR)
    delivery.handle({"Records": [record(purchase), record(purchase, number=2)]})
    clock[0] += 72 * HOUR
    assert failures(delivery.handle({"Records": [record(purchase)]})) == []
    assert delivery.meta.calls == [["p"]]


def test_a_purchase_that_another_invocation_sends_waits_for_it(aws):
    second, purchase, meanwhile = function(aws, taken), kept("p", "Purchase"), []

    def answer(ids):
        meanwhile.append(failures(second.handle({"Records": [record(purchase, number=2)]})))
        return taken(ids)

    first = function(aws, answer)
    assert failures(first.handle({"Records": [record(purchase)]})) == []
    assert meanwhile == [["m2"]] and second.meta.calls == []


def test_a_purchase_that_meta_may_have_for_two_days_is_left_to_a_person(aws):
    clock = [NOW]
    delivery = function(aws, lambda ids: Unreachable("deadline", sent=True), lambda: clock[0])
    purchase = kept("p", "Purchase", expires_in=7 * 24 * HOUR)
    delivery.handle({"Records": [record(purchase)]})
    clock[0] += 49 * HOUR
    assert failures(delivery.handle({"Records": [record(purchase)]})) == []
    assert aws.dead()[0]["MessageAttributes"]["reason"]["StringValue"] == "ambiguous_late"
    assert len(delivery.meta.calls) == 1


def test_messages_that_wait_are_hidden_ten_at_a_time(aws):
    """One at a time, a thousand of them would take what is left of the function's time."""
    asked, call = [], aws.call
    aws.call = lambda service, target, body, **more: asked.append(target) or call(service, target, body, **more)
    running = function(aws, lambda ids: Unreachable("connection_refused", sent=False))
    records = [record(kept(f"e{n}"), number=n) for n in range(100)]
    assert len(failures(running.handle({"Records": records}))) == len(aws.hidden) == 100
    assert asked.count("AmazonSQS.ChangeMessageVisibilityBatch") == 10


@pytest.mark.parametrize("event", [{}, None, [], {"Records": []}, {"source": "aws.events", "detail": {}}])
def test_a_call_that_is_no_batch_is_answered_and_costs_nothing(aws, event):
    assert failures(function(aws, taken).handle(event)) == [] and aws.secret_reads == 0


@pytest.mark.parametrize("of_others", [{"EventSource": "aws:sns", "Sns": {}}, {"eventSource": "aws:s3"}, None, "x"])
def test_records_of_something_else_are_a_failure_that_says_so(aws, of_others):
    with pytest.raises(ValueError, match="messages of SQS alone"):
        function(aws, taken).handle({"Records": [of_others]})


def test_little_time_left_is_no_time_to_begin(aws):
    class Late:
        def get_remaining_time_in_millis(self):
            return 5_000

    delivery = function(aws, taken)
    records = [record(kept(f"e{n}"), number=n) for n in range(20)]
    done = 20 - len(failures(delivery.handle({"Records": records}, Late())))
    assert done == sum(map(len, delivery.meta.calls))
