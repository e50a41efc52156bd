"""The real zips under the real runtime client, behind an HTTP API and a queue that is polled as Lambda does."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.aws.deployment import HOST, TOKEN
from tests.aws.standin import http_event
from tests.processes import until

pytestmark = [pytest.mark.xdist_group("aws"), pytest.mark.timeout(240)]
CANARIES = ("canary.person", "Canary Person", "2025550147", TOKEN)
PAGE = {"content_data": {"content_name": "Course Overview", "content_category": "education"}}
CONSOLE = {
    "event_type": "CompleteRegistration",
    "user_data": {"email": "test@example.com", "phone": "+1234567890", "client_user_agent": "Mozilla/5.0 Test"},
    "event_source_url": "https://courses.example/register",
}


def test_a_page_a_message_a_registration_and_a_payment_are_four_correct_events(here):
    browser = {"user_agent": "Mozilla/5.0", "referer": "https://courses.example/kintsugi?fbclid=AbC"}
    assert here.post("/view-content", PAGE, **browser)[0] == 200
    contact = {"name": "Canary Person", "email": "canary.person@example.com", "message": "hello"}
    assert here.post("/contact", contact, **browser)[0] == 200
    registration_id = here.register(phone="+1 202 555 0147")
    status, answer = here.pay(registration_id)
    assert (status, answer["event_id"]) == (200, f"purchase_{registration_id}")
    until(lambda: len(here.arrived()) == 4)
    events = {event["event_name"]: event for event in here.arrived()}
    assert (
        events["Purchase"]["custom_data"] | {"value": 12000.0, "currency": "JPY"} == events["Purchase"]["custom_data"]
    )
    # The visit comes from the registration: the webhook knows no browser.
    assert events["Purchase"]["user_data"]["client_user_agent"] == "Mozilla/5.0"
    assert events["CompleteRegistration"]["event_id"] == f"registration_{registration_id}"
    assert events["ViewContent"]["user_data"]["client_ip_address"] == "198.51.100.7"
    assert events["ViewContent"]["user_data"]["fbc"].endswith(".AbC")
    # A function says so when Meta has answered; the event is at Meta before.
    until(lambda: all(f"Meta Conversions API {name} event sent successfully" in here.logs() for name in events))
    assert not [canary for canary in CANARIES if canary in here.logs()]


def test_the_contact_forms_mail_leaves_through_ses(here):
    from moto.backends import get_backend

    from tests.aws.standin import ACCOUNT, REGION

    form = {"name": "Canary Person", "email": "canary.person@example.com", "message": "is there a place left?"}
    assert here.post("/contact", form)[0] == 200
    sent = get_backend("ses")[ACCOUNT][REGION].sent_messages[-1]
    assert sent.source == "site@courses.example" and set(sent.destinations) == {"team@courses.example"}


def test_one_poison_event_and_an_outage_cost_nobody_else_anything(here):
    here.misbehave(mode="poison", event_id_contains="poison")
    here.misbehave(mode="http_500")

    def view(n: int) -> int:
        event_id = "poison" if n == 77 else f"view-{n}"
        return here.post("/view-content", PAGE | {"event_id": event_id}, user_agent="Mozilla/5.0")[0]

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(view, range(150))) == {200}
    until(lambda: here.aws.were_all_received("events"))
    assert here.arrived() == []
    here.misbehave(mode="http_500", probability=0)  # "none" would end the other, too, for a moment
    here.aws.let_minutes_pass("events")
    until(here.settled, 120)
    arrived = [event["event_id"] for event in here.arrived()]
    assert len(arrived) == len(set(arrived)) == 149 and "poison" not in arrived
    (letter,) = here.dead_letters()
    assert letter["MessageAttributes"]["meta_code"]["StringValue"] == "100"
    here.aws.client("sqs").purge_queue(QueueUrl=here.url("events-dead"))


def test_a_hundred_deliveries_of_one_webhook_at_once_by_both_routes_are_one_purchase(here):
    registration_id = here.register("hundred@example.com")

    def pay(n: int) -> bool:
        """As Stripe does: what is not answered with 200 comes again. A busy machine may end a function."""
        path = ("/payment-webhook", "/webhooks/stripe")[n % 2]
        return any(here.pay(registration_id, path)[0] == 200 for _ in range(10))

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(pay, range(100)))

    def settled() -> bool:
        here.aws.let_minutes_pass("events")
        return here.settled()

    until(settled, 120, every=1.0)
    assert here.counted("Purchase") == 1
    assert {e["event_id"] for e in here.arrived() if e["event_name"] == "Purchase"} == {f"purchase_{registration_id}"}


@pytest.mark.parametrize("function", ["registration-handler", "payment-webhook", "deliver-handler"])
def test_the_consoles_document_is_answered_by_every_function(here, function):
    answer = here.aws.sandboxes.invoke(function, CONSOLE)
    assert answer["success"] is True, answer
    until(lambda: here.names()["CompleteRegistration"] == 1)
    assert here.aws.sandboxes.invoke(function, {"event_type": "Nonsense"})["field"] == "event_type"


@pytest.mark.parametrize("path", ["/register", "/contact", "/payment-webhook", "/view-content"])
@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b'{"a":' * 5_000, b"{}", b"x" * 300_000])
def test_bad_input_is_a_4xx_with_its_reason(here, path, body):
    status, answer = here.post(path, body, content_type="application/json")
    assert 400 <= status < 500 and answer["error"] and answer["message"], (status, answer)
    assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize("event", [None, 7, "x", [], {}, {"requestContext": 1}, {"requestContext": {"http": {}}}])
def test_a_call_that_is_none_is_answered(here, event):
    answer = here.aws.sandboxes.invoke("contact-handler", event)
    assert 400 <= answer["statusCode"] < 500


def test_what_is_no_base64_is_told(here):
    event = http_event("POST", "/contact", "", [("content-type", "application/json")], b"{}")
    answer = here.aws.sandboxes.invoke("contact-handler", event | {"isBase64Encoded": True, "body": "%%%"})
    assert answer["statusCode"] == 400 and "base64" in answer["body"]


def test_a_dead_token_kills_nothing_and_a_new_one_needs_no_deployment(here):
    here.misbehave(mode="token_expired")
    assert here.post("/view-content", PAGE, user_agent="Mozilla/5.0")[0] == 200
    until(lambda: "Meta refuses the access token" in here.logs())
    assert here.dead_letters() == [] and here.depth("events") == 1
    here.misbehave(mode="none")
    here.aws.let_minutes_pass("events")
    until(lambda: here.names()["ViewContent"] == 1)
    assert TOKEN not in here.logs()


def test_a_dead_letter_says_why_and_is_replayed_by_the_command_line(here):
    here.misbehave(mode="poison", event_id_contains="registration_")
    registration_id = here.register("poison@example.com")
    (letter,) = until(here.dead_letters)
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert said["reason"].startswith("meta_100") and said["meta_code"] == "100"
    assert said["fbtrace_id"] and said["first_seen"] and "@" not in json.dumps(said)
    here.misbehave(mode="none")
    settings = {"RELAY_OUTBOX": f"sqs://{HOST}/events", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": here.aws.url}
    env = os.environ | here.aws.keys | settings

    def relay(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "conversion_relay.cli", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    listed = json.loads(relay("dead", "list", "--json").stdout)
    assert [story["event_id"] for story in listed] == [f"registration_{registration_id}"]
    # The look at them hides them for a while; then they are there again.
    until(lambda: relay("dead", "replay").stdout.strip() == "1 pending again", 90, every=2.0)
    until(lambda: here.names()["CompleteRegistration"] == 1)
    assert here.dead_letters() == []
