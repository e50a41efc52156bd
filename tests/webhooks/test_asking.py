"""A notice that only names what changed: the provider is asked with the shop's key, and nobody else is."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversion_relay.cli.webhook_samples import sample
from conversion_relay.collector.door import Door
from conversion_relay.collector.limits import TokenBuckets
from conversion_relay.collector.webhooks import WebhooksEndpoint
from conversion_relay.http_client import NoAnswer, Response
from conversion_relay.telemetry import Counters
from conversion_relay.webhooks.asking import MOST_AT_ONCE
from tests import asgi
from tests.payments import stripe_notices as notices
from tests.payments.signing import paypal_certificates
from tests.webhooks.shop import EVERY_PROVIDER, NOW, open_shop


def thin(folder, answer, **more):
    """What is answered to a thin event when Stripe's API says `answer`, and whom we asked."""
    asked = []

    def fetch(url: str, headers: dict[str, str], deadline: float):
        asked.append((url, headers.get("authorization")))
        return answer

    with open_shop(folder, fetch, **more) as shop:
        document = notices.thin() | {"created": NOW - 20}
        said = shop.signed(json.dumps(document).encode())
        return said, asked, shop.events()


def test_a_thin_event_is_fetched_with_the_shops_key_and_counted(tmp_path):
    found = Response(200, {}, json.dumps(notices.session()).encode())
    said, asked, events = thin(tmp_path, found, STRIPE_API_KEY="rk_live_canary")
    assert asked == [("https://api.stripe.com/v1/checkout/sessions/cs_1", "Bearer rk_live_canary")]
    assert (said.status, list(events)) == (200, ["purchase_cart-77"])


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (NoAnswer("deadline", sent=True), 503, "provider_silent"),
        (Response(500, {}, b""), 503, "provider_silent"),
        (Response(401, {}, b""), 503, "provider_silent"),
        (Response(404, {}, b""), 200, "gone"),
        (Response(410, {}, b""), 200, "gone"),
    ],
)
def test_a_provider_that_does_not_say_is_asked_again_when_its_notice_comes_again(tmp_path, answer, status, reason):
    said, _, events = thin(tmp_path, answer, STRIPE_API_KEY="rk_live_canary")
    assert (said.status, said.body["reason"], events) == (status, reason, {})


def test_a_thin_event_without_a_key_is_sent_again_until_there_is_one(tmp_path):
    """As with a secret that is not set: a payment would be gone without a word."""
    said, asked, events = thin(tmp_path, NoAnswer("deadline", sent=False))
    assert (said.status, said.body["reason"], asked, events) == (404, "needs_api_key", [], {})
    assert "STRIPE_API_KEY" in said.body["message"]


@pytest.mark.parametrize("body", [b"id=tr_T1", b"id=tr_T1\n"])
def test_an_unsigned_mollie_notice_is_worth_what_mollie_says(tmp_path, body):
    asked = []

    def fetch(url: str, headers: dict[str, str], deadline: float):
        asked.append((url, headers["authorization"]))
        payment = sample("mollie", "paid", NOW - 60)["_embedded"]["entity"]
        return Response(200, {}, json.dumps(payment).encode()) if "live_" in asked[-1][1] else Response(404, {}, b"")

    with open_shop(tmp_path, fetch, MOLLIE_API_KEY="test_canary,live_canary") as shop:
        for message in ("accepted", "duplicate"):
            assert shop.webhooks.answer("mollie", body, {}).body["message"] == message
        assert shop.webhooks.answer("mollie", b"id=sub_1", {}).body["reason"] == "other_type"
        assert shop.webhooks.answer("mollie", b"id=tr_1&url=https://evil.example", {}).status == 400
        assert list(shop.events()) == ["purchase_cart-77"]
    assert {url for url, _ in asked} == {"https://api.mollie.com/v2/payments/tr_T1?embed=refunds,chargebacks"}


@pytest.mark.parametrize("instead", [b"<html>maintenance</html>", b""], ids=["a page", "nothing"])
def test_what_came_in_place_of_a_certificate_is_not_kept(tmp_path, instead):
    """A gateway may answer 200 with a page of its own; PayPal sends the notice again, for three days."""
    answers = [Response(200, {}, instead), Response(200, {}, paypal_certificates()[1])]
    with open_shop(tmp_path, lambda *_: answers.pop(0), **EVERY_PROVIDER) as shop:
        said = [shop.told("paypal", sample("paypal", "paid", NOW - 60)) for _ in range(3)]
    assert [one.status for one in said] == [400, 200, 200] and answers == []
    assert said[0].body["reason"] == "certificate_untrusted"


def test_each_part_of_a_mollie_payment_that_went_back_is_told_with_its_own_amount(tmp_path):
    """The same unsigned notice each time; what Mollie says of the payment grows."""
    payment = sample("mollie", "paid", NOW - 60)["_embedded"]["entity"]
    parts: dict[str, list] = {"refunds": [], "chargebacks": []}

    def part(name: str, value: str, **more: object) -> dict:
        return {"id": name, "amount": {"currency": "EUR", "value": value}, "createdAt": "2026-10-01T00:00:00Z", **more}

    def fetch(url: str, headers: dict[str, str], deadline: float):
        back = {"currency": "EUR", "value": "15.00"}
        return Response(200, {}, json.dumps(payment | {"amountRefunded": back, "_embedded": parts}).encode())

    with open_shop(tmp_path, fetch, MOLLIE_API_KEY="live_canary", RELAY_REFUNDS="event") as shop:
        for new in (
            [],
            [part("re_1", "10.00", status="refunded")],
            [part("re_2", "5.00", status="processing"), part("re_3", "7.00", status="failed")],
        ):
            parts["refunds"] += new
            assert shop.webhooks.answer("mollie", b"id=tr_T1", {}).status == 200
        parts["chargebacks"] += [part("chb_1", "34.90"), part("chb_2", "1.00", reversedAt="2026-11-02T00:00:00Z")]
        assert shop.webhooks.answer("mollie", b"id=tr_T1", {}).status == 200
        told = {name: event["custom_data"]["value"] for name, event in shop.events().items()}
    assert told == {"purchase_cart-77": 49.9, "refund_re_1": 10.0, "refund_re_2": 5.0, "refund_chb_1": 34.9}


def test_calls_that_hang_are_few_and_the_others_come_again(tmp_path):
    inside, go_on = threading.Semaphore(0), threading.Event()

    def fetch(url: str, headers: dict[str, str], deadline: float):
        inside.release()
        go_on.wait(30)
        return Response(404, {}, b"")

    with open_shop(tmp_path, fetch, MOLLIE_API_KEY="live_canary") as shop, ThreadPoolExecutor(8) as mollie:
        hanging = [mollie.submit(shop.webhooks.answer, "mollie", b"id=tr_T1", {}) for _ in range(MOST_AT_ONCE)]
        for _ in range(MOST_AT_ONCE):
            assert inside.acquire(timeout=30)
        assert shop.webhooks.answer("mollie", b"id=tr_T1", {}).status == 503
        go_on.set()
        assert {call.result().body["reason"] for call in hanging} == {"gone"}


def test_who_has_us_ask_without_end_leaves_a_place_for_the_providers_own_notices(tmp_path):
    """By the unsigned kind, and by a certificate's address: both are fetched before anything is known of the sender."""
    inside, go_on, ours = threading.Semaphore(0), threading.Event(), b"id=tr_genuine"

    def fetch(url: str, headers: dict[str, str], deadline: float):
        if "tr_genuine" not in url:
            inside.release()
            go_on.wait(10)
        return Response(404, {}, b"")

    def post(app, address: str, body: bytes) -> int:
        return asgi.ask(app, "/webhooks/mollie", body, x_forwarded_for=address).status

    settings = {"MOLLIE_API_KEY": "live_canary", "RELAY_TRUSTED_PROXIES": "198.51.100.7/32"}
    with open_shop(tmp_path, fetch, **settings) as shop, ThreadPoolExecutor(8) as strangers:
        app = WebhooksEndpoint(shop.webhooks, Door(shop.relay, Counters(), TokenBuckets()).facts).serve
        addresses = [f"2001:db8:1:{n}::1" for n in range(MOST_AT_ONCE)]
        forged = [strangers.submit(post, app, address, b"id=tr_1") for address in addresses[:-1]]
        for _ in forged:
            assert inside.acquire(timeout=30)
        assert post(app, addresses[-1], b"id=tr_1") == 503
        assert post(app, "203.0.113.1", ours) == 200
        go_on.set()
        assert {call.result() for call in forged} == {200}


@pytest.mark.parametrize("status", ["queued", "pending", "processing", "failed", "canceled"])
def test_a_refund_that_mollie_has_not_made_is_none(tmp_path, status):
    notice = sample("mollie", "refund", NOW - 60) | {"type": f"refund.{status}"}
    notice["_embedded"]["entity"]["status"] = status
    with open_shop(tmp_path, RELAY_REFUNDS="event", **EVERY_PROVIDER) as shop:
        assert shop.told("mollie", notice).body["reason"] == "refund_not_done"


def test_a_connected_account_s_object_is_asked_for_in_its_account(tmp_path):
    """The platform's own account does not have it: it would answer 404, and the payment would be gone."""
    asked = []

    def fetch(url: str, headers: dict[str, str], deadline: float):
        asked.append(headers.get("stripe-context"))
        return Response(200, {}, json.dumps(notices.session()).encode())

    with open_shop(tmp_path, fetch, STRIPE_API_KEY="rk_live_canary") as shop:
        for context in ("acct_1Canary", None, "acct_1\r\nx: y"):
            event = notices.thin() | {"created": NOW - 20, "context": context}
            assert shop.signed(json.dumps(event).encode()).status == 200
        assert asked == ["acct_1Canary", None] and shop.events().keys() == {"purchase_cart-77"}


def test_a_trial_is_asked_for_too(tmp_path):
    trial = Response(200, {}, json.dumps({"id": "sub_T1", "status": "trialing", "currency": "eur"}).encode())
    named = {"id": "sub_T1", "type": "subscription", "url": "/v1/subscriptions/sub_T1"}
    with open_shop(tmp_path, lambda *_: trial, STRIPE_API_KEY="rk_live_canary") as shop:
        event = notices.thin() | {"type": "v1.customer.subscription.created", "related_object": named}
        assert shop.signed(json.dumps(event | {"created": NOW - 20}).encode()).body["event_id"] == "trial_sub_T1"


@pytest.mark.parametrize("keys", ["live_canary", "test_revoked,live_canary", "live_canary,test_revoked"])
def test_a_key_that_was_revoked_hides_no_payment(tmp_path, keys):
    paid = sample("mollie", "paid", NOW - 60)["_embedded"]["entity"]

    def fetch(url: str, headers: dict[str, str], deadline: float):
        if headers["authorization"] != "Bearer live_canary":
            return Response(401, {}, b"{}")
        return Response(200, {}, json.dumps(paid).encode())

    with open_shop(tmp_path, fetch, MOLLIE_API_KEY=keys) as shop:
        assert shop.webhooks.answer("mollie", b"id=tr_T1", {}).body["message"] == "accepted"


def test_where_every_key_is_refused_the_notice_comes_again(tmp_path):
    answers = {"Bearer live_1": Response(404, {}, b"{}"), "Bearer test_1": Response(401, {}, b"{}")}
    with open_shop(
        tmp_path, lambda _, headers, __: answers[headers["authorization"]], MOLLIE_API_KEY="live_1,test_1"
    ) as shop:
        assert shop.webhooks.answer("mollie", b"id=tr_T1", {}).status == 503


@pytest.mark.parametrize(
    ("key", "livemode", "tests", "status", "reason"),
    [
        ("rk_test_canary", True, "ignore", 404, "needs_api_key"),
        ("rk_live_canary", False, "send", 404, "needs_api_key"),
        ("rk_live_canary", False, "ignore", 200, "test_payment"),  # nobody misses it
    ],
)
def test_a_key_of_the_other_mode_is_told_and_not_asked_with(tmp_path, key, livemode, tests, status, reason):
    """Stripe would say that it has no such session, and the payment would be gone without a word."""
    answer = Response(404, {}, b"{}")
    with open_shop(tmp_path, lambda *_: answer, STRIPE_API_KEY=key, RELAY_TEST_PAYMENTS=tests) as shop:
        event = notices.thin() | {"created": NOW - 20, "livemode": livemode}
        said = shop.signed(json.dumps(event).encode())
        assert (said.status, said.body["reason"]) == (status, reason)


def mollie_order(status: str, *payments: str, **more) -> dict:
    """https://docs.mollie.com/reference/get-order, with `embed=payments,refunds`."""
    paid = sample("mollie", "paid", NOW - 60)["_embedded"]["entity"]
    bare = {"resource": "payment", "mode": "live", "metadata": None, "orderId": "ord_1.vsKJpS"}
    kept = {name: paid[name] for name in ("amount", "createdAt", "paidAt") if name in paid}
    embedded = [bare | kept | {"id": f"tr_T{n}", "status": one} for n, one in enumerate(payments, 1)]
    return {
        "resource": "order",
        "id": "ord_1.vsKJpS",
        "mode": "live",
        "status": status,
        "orderNumber": "1337",
        "metadata": None,
        "billingAddress": {"email": "ada.test@example.com", "givenName": "Ada", "country": "NL"},
        "lines": [{"sku": "course-1", "quantity": 1, "unitPrice": {"value": "49.90", "currency": "EUR"}}],
        "_embedded": {"payments": embedded, "refunds": []},
        **more,
    }


@pytest.mark.parametrize(
    ("order", "body"),
    [
        (mollie_order("paid", "failed", "paid"), {"message": "accepted", "event_id": "purchase_1337"}),
        (
            mollie_order("shipping", "paid", metadata={"order_id": "R-1"}),
            {"message": "accepted", "event_id": "purchase_R-1"},
        ),
        (mollie_order("authorized", "authorized"), {"message": "pending", "reason": "authorized"}),
        (mollie_order("created"), {"message": "pending", "reason": "created"}),
        (mollie_order("expired", "expired"), {"message": "ignored", "reason": "failed"}),
        (mollie_order("paid", "paid", mode="test"), {"message": "ignored", "reason": "test_payment"}),
        (mollie_order("paid", _embedded=[]), {"message": "pending", "reason": "paid"}),
        ({"resource": "order"}, {"message": "pending", "reason": "open"}),
    ],
)
def test_an_order_of_mollies_old_api_counts_by_its_payment(tmp_path, order, body):
    asked = []

    def fetch(url: str, headers: dict[str, str], deadline: float):
        asked.append(url)
        return Response(200, {}, json.dumps(order).encode())

    with open_shop(tmp_path, fetch, MOLLIE_API_KEY="live_canary") as shop:
        assert shop.webhooks.answer("mollie", b"id=ord_1.vsKJpS", {}).body == body
        assert asked == ["https://api.mollie.com/v2/orders/ord_1.vsKJpS?embed=payments,refunds"]
        for event in shop.events().values():
            assert (event["custom_data"]["value"], event["custom_data"]["content_ids"]) == (49.9, ["course-1"])
            assert len(event["user_data"]["em"][0]) == 64


@pytest.mark.parametrize("first", [0, 1])
def test_an_order_of_mollies_and_the_notice_of_its_payment_are_one_purchase_with_its_refunds(tmp_path, first):
    part = {"id": "re_9", "status": "refunded", "amount": {"value": "10.00", "currency": "EUR"}, "paymentId": "tr_T1"}
    order = mollie_order("completed", "paid")
    order["_embedded"]["refunds"] = [part]
    alone = order["_embedded"]["payments"][0]
    told = [b"id=ord_1.vsKJpS", b"id=tr_T1"]

    def fetch(url: str, headers: dict[str, str], deadline: float):
        return Response(200, {}, json.dumps(order if "/orders/" in url else alone).encode())

    with open_shop(tmp_path, fetch, MOLLIE_API_KEY="live_canary", RELAY_REFUNDS="event") as shop:
        for body in (told[first], told[1 - first], told[0]):
            assert shop.webhooks.answer("mollie", body, {}).status == 200
        events = shop.events()
        assert len([name for name in events if name.startswith("purchase_")]) == 1 and "refund_re_9" in events
