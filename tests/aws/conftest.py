import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator

import pytest
import stripe

from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from tests.aws.deployment import STRIPE_SECRET, deploy
from tests.aws.standin import StandIn, standin
from tests.payments.signing import stripe_header
from tests.processes import call, until


class Deployment:
    """The site on AWS, and Meta's stand-in behind it."""

    def __init__(self, aws: StandIn, meta_url: str) -> None:
        self.aws, self.meta_url = aws, meta_url

    def post(self, path: str, body: object, **headers: str) -> tuple[int, dict]:
        return call("POST", self.aws.http_url + path, body, **headers)

    def arrived(self) -> list[dict]:
        with urllib.request.urlopen(f"{self.meta_url}/_emulator/events") as answer:
            return [row["event"] for row in json.load(answer)["events"]]

    def counted(self, name: str) -> int:
        """How many Meta counts: it drops a repetition of an id, which a function that was killed may cause."""
        with urllib.request.urlopen(f"{self.meta_url}/_emulator/events") as answer:
            rows = json.load(answer)["events"]
        return sum(row["event"]["event_name"] == name and not row["duplicate"] for row in rows)

    def names(self) -> Counter:
        return Counter(event["event_name"] for event in self.arrived())

    def misbehave(self, **how: object) -> None:
        assert call("POST", f"{self.meta_url}/_emulator/misbehave", how)[0] == 200

    def register(self, email: str = "canary.person@example.com", **more: object) -> str:
        form = {"name": "Canary Person", "email": email, "course_id": "kintsugi", **more}
        status, answer = self.post("/register", form, user_agent="Mozilla/5.0")
        assert status == 200, answer
        return answer["registration_id"]

    def pay(self, registration_id: str, path: str = "/payment-webhook", **session: object) -> tuple[int, dict]:
        body, signature = signed(registration_id, **session)
        return self.post(path, body, Stripe_Signature=signature, content_type="application/json")

    def depth(self, queue: str) -> int:
        names = [f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed")]
        asked = {"QueueUrl": self.url(queue), "AttributeNames": names}
        found = self.aws.client("sqs").get_queue_attributes(**asked)["Attributes"]
        return sum(int(found[name]) for name in names)

    def url(self, queue: str) -> str:
        return self.aws.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]

    def dead_letters(self) -> list[dict]:
        asked = {
            "QueueUrl": self.url("events-dead"),
            "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"],
            "VisibilityTimeout": 0,
        }
        return self.aws.client("sqs").receive_message(**asked).get("Messages", [])

    def logs(self) -> str:
        return "\n".join(line for lines in self.aws.logs.values() for line in lines)

    def settled(self) -> bool:
        return self.depth("events") == 0


def signed(registration_id: str, **session: object):
    """A webhook as Stripe signs it; Stripe's own library takes it."""
    document = {
        "id": "evt_1",
        "object": "event",
        "type": "checkout.session.completed",
        "created": int(time.time()),
        "data": {
            "object": {
                "id": "cs_1",
                "object": "checkout.session",
                "payment_status": "paid",
                "amount_total": 12000,
                "currency": "jpy",
                "client_reference_id": registration_id,
                **session,
            }
        },
    }
    payload, at = json.dumps(document).encode(), int(time.time())
    signature = stripe_header(payload, STRIPE_SECRET, at)
    stripe.WebhookSignature.verify_header(payload.decode(), signature, STRIPE_SECRET, tolerance=60)
    return payload, signature


@pytest.fixture(scope="module")
def meta() -> Iterator[str]:
    server = Server(create_app(), "127.0.0.1", 0)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture(scope="module")
def aws() -> Iterator[StandIn]:
    with standin() as aws:
        yield aws


@pytest.fixture(scope="module")
def everything(aws, meta) -> Deployment:
    deploy(aws, meta)
    return Deployment(aws, meta)


@pytest.fixture
def here(everything) -> Iterator[Deployment]:
    call("POST", f"{everything.meta_url}/_emulator/reset", {})
    everything.aws.logs.clear()
    yield everything
    everything.misbehave(mode="none")
    everything.aws.let_minutes_pass("events")
    until(everything.settled, 60)
