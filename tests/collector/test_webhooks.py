"""POST /webhooks/{provider} of a running collector and of the demo: signed notices in, one event out."""

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversion_relay.cli.webhook_samples import sample
from tests.payments import stripe_notices
from tests.payments.signing import form_of, headers_of, stripe_header
from tests.processes import Process, call, free_pair, installation, until

pytestmark = pytest.mark.xdist_group("the collector")
SECRET, SHOPIFY, PHRASE = "whsec_canary_secret", "shpss_canary_secret", "phrase_canary"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with installation(tmp_path_factory.mktemp("webhooks")) as here:
        here.env |= {
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "SHOPIFY_WEBHOOK_SECRET": SHOPIFY,
            "DIGISTORE24_WEBHOOK_SECRET": PHRASE,
        }
        here.start()
        yield here


def session(key: str, **more) -> bytes:
    notice = stripe_notices.event("checkout.session.completed", stripe_notices.session(client_reference_id=key, **more))
    return json.dumps(notice | {"created": int(time.time()) - 5}).encode()


def post(url: str, raw: bytes, secret: str = SECRET, provider: str = "stripe"):
    return call(
        "POST", f"{url}/webhooks/{provider}", raw, Stripe_Signature=stripe_header(raw, secret, int(time.time()))
    )


def test_a_hundred_deliveries_at_once_reach_meta_as_one_purchase(here):
    raw = session("cart-1")
    with ThreadPoolExecutor(20) as stripe:
        answers = list(stripe.map(lambda _: post(here.url, raw), range(100)))
    assert {status for status, _ in answers} == {200}
    assert [body["message"] for _, body in answers].count("accepted") == 1
    until(lambda: [row["event"]["event_id"] for row in here.arrived()].count("purchase_cart-1") == 1)


def test_the_visit_that_a_page_announced_is_in_the_purchase(here):
    visitor = {"key": "cart-2", "fbp": "fb.1.1596403881668.1116446470", "client_user_agent": "Mozilla/5.0"}
    key = {"Authorization": "Bearer test-api-key"}
    assert (
        call("POST", f"{here.url}/visitors", visitor | {"event_source_url": "https://shop.example/x"}, **key)[0] == 202
    )
    assert post(here.url, session("cart-2"))[0] == 200
    until(lambda: any(row["event"]["event_id"] == "purchase_cart-2" for row in here.arrived()))
    (event,) = (row["event"] for row in here.arrived() if row["event"]["event_id"] == "purchase_cart-2")
    assert (event["action_source"], event["user_data"]["fbp"]) == ("website", visitor["fbp"])


def test_what_is_not_signed_is_a_400_and_a_get_tries_the_address(here):
    assert post(here.url, session("x"), "whsec_another")[0] == 400
    assert post(here.url, session("x"), provider="nobody")[0] == 404
    assert call("GET", f"{here.url}/webhooks/stripe") == (200, {"message": "ready"})
    assert call("GET", f"{here.url}/webhooks/digistore24") == (200, "OK")
    assert call("HEAD", f"{here.url}/webhooks/digistore24") == (200, "")
    assert call("GET", f"{here.url}/webhooks/nobody")[0] == 404
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{here.url}/webhooks/stripe", method="PUT"))
    assert (refused.value.status, refused.value.headers["Allow"]) == (405, "POST, GET, HEAD")
    status, answer = call("POST", f"{here.url}/webhooks/stripe", b" " * 1_100_000, Stripe_Signature="t=1,v1=00")
    assert (status, answer["reason"]) == (413, "too_large")
    assert post(here.url, session("x", payment_status="unpaid"), provider="stripe/")[0] == 200
    raw = json.dumps({"id": 5}).encode()
    headers = {name.replace("-", "_"): value for name, value in headers_of("shopify", raw, 0, SHOPIFY).items()}
    assert call("POST", f"{here.url}/webhooks/shopify", raw, **headers) == (
        200,
        {"message": "ignored", "reason": "other_type"},
    )


def test_a_sender_of_forms_hears_its_word_and_its_sale_reaches_meta(here):
    raw = form_of(sample("digistore24", "paid", int(time.time()) - 60) | {"custom": "cart-ds"}, PHRASE)
    assert call("POST", f"{here.url}/webhooks/digistore24", raw) == (200, "OK")
    assert call("POST", f"{here.url}/webhooks/digistore24", raw + b"1")[1]["reason"] == "signature_wrong"
    until(lambda: [row["event"]["event_id"] for row in here.arrived()].count("purchase_cart-ds") == 1)


def test_why_nothing_was_counted_is_counted_and_no_secret_is_in_the_log(here):
    assert post(here.url, session("x", payment_status="unpaid"))[1]["reason"] == "unpaid"
    metrics = call("GET", f"{here.url}/metrics")[1]
    assert 'relay_webhooks_total{code="200",provider="stripe",reason="unpaid"}' in metrics
    assert SECRET not in here.logs() and SHOPIFY not in here.logs() and "unpaid" in here.logs()


def test_the_command_that_tries_an_endpoint_signs_what_it_sends(here):
    url = f"{here.url}/webhooks/shopify"
    told = here.command("webhook", "send", "shopify", url, "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(json.loads(told.stdout)["body"]) == {"message": "accepted", "event_id": "purchase_9001"}
    assert here.command("webhook", "send", "shopify", f"{here.url}/webhooks/stripe").returncode == 1
    assert b"PADDLE_WEBHOOK_SECRET" in here.command("webhook", "send", "paddle", url).stderr
    assert b"NAME: one of" in here.command("webhook", "fixture", "stripe", "nothing").stderr
    fixture = here.command("webhook", "fixture", "stripe", "refund").stdout
    assert json.loads(fixture)["type"] == "refund.created"


def test_what_arrives_is_shown_with_the_reason_and_nothing_goes_to_meta(here, tmp_path):
    env = {"STRIPE_WEBHOOK_SECRET": SECRET, "RELAY_LOG_FORMAT": "json"}
    log = tmp_path / "listen.log"
    listening = Process("webhook", "listen", "--port", "0", "--json", log=log, env=env)

    def shown() -> list[dict]:
        return [json.loads(line) for line in log.read_text().splitlines()]

    try:
        until(lambda: bool(shown()))
        url = shown()[0]["listening"]["stripe"].removesuffix("/webhooks/stripe")
        assert post(url, session("cart-9"))[0] == 200
        assert post(url, session("cart-9", payment_status="unpaid"))[0] == 200
        assert post(url, session("cart-9"), "whsec_another")[0] == 400
        until(lambda: len(shown()) == 4)
    finally:
        listening.end()
    assert [(line["status"], line.get("reason", line["message"])) for line in shown()[1:]] == [
        (200, "accepted"),
        (200, "unpaid"),
        (400, "signature_wrong"),
    ]
    assert "purchase_cart-9" not in str(here.arrived())


def test_on_the_demo_the_same_address_marks_the_registration_paid(tmp_path):
    port = free_pair()
    env = {"STRIPE_WEBHOOK_SECRET": SECRET, "RELAY_LOG_FORMAT": "json"}
    demo = Process("demo", "--port", str(port), "--data", str(tmp_path), log=tmp_path / "demo.log", env=env)
    url = f"http://127.0.0.1:{port}"
    form = {"name": "Ada Test", "email": "ada.test@example.com", "course_id": "watercolour"}
    try:
        until(lambda: call("GET", f"{url}/livez")[0] == 200)
        _, registered = call("POST", f"{url}/register", form, Content_Type="application/json")
        raw = session(registered["registration_id"])
        assert [post(url, raw)[1]["message"] for _ in range(2)] == ["paid", "duplicate"]
        assert (
            call("POST", f"{url}/register", form, Content_Type="application/json")[1]["error"]
            == "email_already_registered"
        )
    finally:
        demo.end()
