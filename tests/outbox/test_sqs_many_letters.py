"""More dead letters than can be looked at before the first ones are seen again: each is sent once, and none is left."""

import random
import zlib
from typing import Any

import pytest

from conversion_relay.outbox.sqs import SqsOutbox
from conversion_relay.outbox.sqs_message import Kept, encode


class FarSqs:
    """Dead letters of SQS over a slow line, in a time of its own: ten at random that nobody looks at just now. Only the
    newest receipt deletes."""

    def __init__(self, bodies: list[str], seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds
        self.letters = {f"m{n}": body for n, body in enumerate(bodies)}
        self.hidden_until = dict.fromkeys(self.letters, 0.0)
        self.receipts = dict.fromkeys(self.letters, 0)
        self.sent: list[str] = []

    def call(self, service: str, target: str, body: dict[str, Any], *, version: str = "1.0") -> dict[str, Any]:
        self.now += self.seconds
        match target.rpartition(".")[2]:
            case "ReceiveMessage":
                return {"Messages": self.received(body["VisibilityTimeout"])}
            case "DeleteMessage":
                name, receipt = body["ReceiptHandle"].split("/")
                if self.receipts[name] == int(receipt):
                    del self.letters[name]
            case "SendMessageBatch":
                self.sent += [entry["MessageBody"] for entry in body["Entries"]]
                return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]]}
        return {}

    def received(self, hidden: float) -> list[dict[str, Any]]:
        visible = [name for name in self.letters if self.hidden_until[name] <= self.now]
        taken = random.Random(self.now).sample(visible, min(10, len(visible)))
        for name in taken:
            self.hidden_until[name] = self.now + hidden
            self.receipts[name] += 1
        return [
            {"MessageId": name, "Body": self.letters[name], "ReceiptHandle": f"{name}/{self.receipts[name]}"}
            for name in taken
        ]


def letter(event_id: str) -> str:
    return encode("1", 1.0, [Kept("Lead", event_id, 1, 10**10, zlib.crc32(b"{}"), "{}")])


@pytest.mark.parametrize("of_others", [0, 40])
def test_every_letter_is_sent_again_and_once(of_others):
    sqs = FarSqs([letter(f"e{n}") for n in range(400)] + ["not one of ours"] * of_others, seconds=1.0)
    outbox = SqsOutbox("sqs://sqs.eu-west-1.amazonaws.com/1/events", sqs)
    assert outbox.replay(100.0) == 400
    assert len(sqs.sent) == len(set(sqs.sent)) == 400 and len(sqs.letters) == of_others
