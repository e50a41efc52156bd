"""Genuine notices in shapes that nobody documented: never an error of ours, and what was paid is counted.

TEST_EXAMPLES tries more shapes than a usual run.
"""

import copy
import json
import os
import random

import pytest

from conversion_relay.cli.webhook_samples import names_of
from tests.outbox.postgres.backend import url_of
from tests.outbox.postgres.server import needs_postgres
from tests.payments.signing import IN_HEADERS, headers_of
from tests.webhooks import stories
from tests.webhooks.shop import EVERY_PROVIDER, NOW, open_shop
from tests.webhooks.stories import sample

SHAPES = int(os.environ.get("TEST_EXAMPLES", "200"))
ODD = [
    None, True, 5, -1, 0, 10**30, 2**64, 1e308, 0.1, -0.0, 1.5e-320, float("nan"), "", " ", "x" * 400, "y" * 100_000,
    "9" * 5_000, "é😀", "\x00", "a\nb", "\ud83d", "<script>", "٣٤", "²", "12,50", "1_000", "0x10", "1e999", "1e-999",
    "NaN", "-0", "1" * 15, "ada@example.com", "EUR", "jpy", "ZZZ", "2026-13-45", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00", 99_999_999_999_999, [], {}, [[]], [None], [0] * 5_000, {"id": []}, {"": ""},
    {"data": None}, {"data": [None, 5, {"price": None}]}, {"amount": "5"}, {"value": "5", "currency": "EUR"},
    {"entity": None},
]  # fmt: skip


CHOICES = {"RELAY_REFUNDS": "event", "RELAY_FREE_ORDERS": "send", **EVERY_PROVIDER}


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path, **CHOICES) as opened:
        yield opened


@pytest.mark.parametrize("provider", IN_HEADERS)
def test_a_genuine_notice_of_any_shape_is_never_an_error(shop, provider):
    try_shapes(shop, provider, SHAPES)


@needs_postgres
@pytest.mark.xdist_group("postgres")
def test_nor_is_it_one_of_postgresql_which_keeps_no_zero_byte(tmp_path):
    with open_shop(tmp_path, **CHOICES, RELAY_OUTBOX=url_of("notices")) as shop:
        for provider in IN_HEADERS:
            try_shapes(shop, provider, SHAPES // 4)
        paid = sample("standard", "paid")
        paid["data"] |= {"id": "ord\0", "metadata": {"order_id": "cart\0"}}
        raw = json.dumps(paid).encode()
        assert shop.webhooks.answer("standard", raw, headers_of("standard", raw, NOW)).status == 200


def try_shapes(shop, provider: str, n: int) -> None:
    chance = random.Random(provider)
    for _ in range(n):
        document = sample(provider, chance.choice(names_of(provider)))
        for _ in range(chance.randrange(1, 5)):
            _spoil(chance, document)
        raw = json.dumps(document).encode()
        answer = shop.webhooks.answer(provider, raw, headers_of(provider, raw, NOW))
        # Two that a repeat mends: a refund before its payment, and what must be asked about, where no key is set.
        again = answer.body.get("reason") in ("payment_unknown", "needs_api_key")
        assert answer.status == 200 or again, (document, answer)
    assert len(shop.reasons()) < 40, "a reason is one of ours, or a counter's labels would never end"


def _spoil(chance: random.Random, document: dict) -> None:
    places = list(_places(document))
    if not places:
        return
    holder, name = chance.choice(places)
    value = holder[name]
    match chance.randrange(8):
        case 0 if isinstance(holder, dict):
            del holder[name]  # a missing object
        case 1:
            holder[name] = str(value)  # a number as text
        case 2:
            holder[name] = [value]
        case 3:
            holder[name] = {"id": value, "object": "x", "data": value}  # an expansion
        case 4 if isinstance(value, list):
            holder[name] = value * chance.choice([0, 2, 300])
        case _:
            holder[name] = copy.deepcopy(chance.choice(ODD))


def _places(document):
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in list(items):
        yield document, name
        if isinstance(value, dict | list):
            yield from _places(value)


def told(shop, provider: str, raw: bytes) -> dict[str, str]:
    answer = shop.webhooks.answer(provider, raw, headers_of(provider, raw, NOW))
    assert answer.status == 200, answer
    return answer.body


@pytest.mark.parametrize("provider", IN_HEADERS)
@pytest.mark.parametrize(
    ("odd", "written"),
    [
        ("a name that was cut in an emoji", lambda raw: raw.replace(b"{", b'{"note": "Ada \\ud83d", ', 1)),
        ("NaN, as Python writes it", lambda raw: raw.replace(b"{", b'{"ratio": NaN, ', 1)),
        ("another charset", lambda raw: raw.replace(b"{", b'{"note": "Gr\xfc\xdfe", ', 1)),
        ("a byte order mark", lambda raw: b"\xef\xbb\xbf" + raw),
    ],
)
def test_json_that_is_nearly_json_costs_no_payment(shop, provider, odd, written):
    raw = written(json.dumps(sample(provider)).encode())
    assert told(shop, provider, raw)["message"] == "accepted", odd


@pytest.mark.parametrize(
    ("written", "event_time"),
    [
        (NOW - 90, NOW - 90),
        (str(NOW - 90), NOW - 90),
        (float(NOW - 90), NOW - 90),
        ((NOW - 90) * 1000, NOW - 90),
        (0, NOW),
        (True, NOW),
        ("0001-01-01T00:00:00Z", NOW),
        ("1970-01-01T00:00:00Z", NOW),
        ("9999-12-31T23:59:59Z", NOW),
        ("soon", NOW),
        ("2026-11-23T14:00:00", NOW),  # three hours from now: a local time without its zone
    ],
)
def test_a_time_is_read_as_it_was_meant_and_one_that_is_none_costs_no_payment(shop, written, event_time):
    paid = sample("shopify", processed_at=written, created_at=None)
    assert shop.told("shopify", paid).body["message"] == "accepted"
    assert shop.events()["purchase_9001"]["event_time"] == event_time


def test_a_clock_of_ours_that_is_an_hour_late_costs_no_payment(shop):
    shop.now = NOW - 3_600
    assert shop.told("woocommerce", sample("woocommerce")).body["message"] == "accepted"


def test_a_time_to_come_does_not_make_a_second_purchase_of_a_notice_that_is_told_again_after_weeks(shop):
    paid = sample("lemonsqueezy", data__attributes__created_at="2027-11-26T00:00:00Z")
    for _ in range(6):
        shop.told("lemonsqueezy", paid)
        shop.now += 5 * 86_400
    shop.now = NOW
    assert list(shop.events()) == ["purchase_cart-77"]


def test_a_refund_of_the_far_future_is_not_asked_for_again_for_ever(shop):
    refund = sample("standard", "refund", data__created_at="2199-01-01T00:00:00Z")
    assert shop.told("standard", refund).status == 503
    shop.now += 3_700
    answer = shop.told("standard", refund)
    assert (answer.status, answer.body["reason"]) == (200, "payment_unknown")


@pytest.mark.parametrize(
    ("provider", "lost"),
    [
        ("paypal", sample("paypal", event_type="PAYMENT.CAPTURE.REVERSED")),
        ("square", stories.lost_dispute("square")),
        ("razorpay", stories.lost_dispute("razorpay")),
        ("paddle", sample("paddle", "refund")),
    ],
)
def test_money_that_goes_back_weeks_after_it_was_asked_for_is_told_once_and_as_of_now(shop, provider, lost):
    shop.told(provider, sample(provider))
    shop.now += 20 * 86_400
    for _ in range(4):
        assert shop.told(provider, lost).status == 200
        shop.now += 5 * 86_400
    shop.now = NOW
    (refund,) = [event for event in shop.events().values() if event["event_name"] == "Refund"]
    assert refund["event_time"] == NOW + 20 * 86_400


@pytest.mark.parametrize(
    ("provider", "places"),
    [
        ("square", {"data__object__payment__buyer_email_address": "none"}),
        ("shopify", {"email": "-", "billing_address": {"country_code": "DE"}, "browser_ip": None}),
        ("woocommerce", {"billing": {"city": "Berlin"}, "customer_ip_address": "", "meta_data": []}),
        ("stripe", {"data__object__customer_details": {"email": "x", "address": {"country": "DE"}}}),
        ("standard", {"data__customer": {"email": "(not set)"}}),
    ],
)
def test_money_of_somebody_who_cannot_be_matched_is_counted(shop, provider, places):
    if provider == "shopify":
        places |= {"note_attributes": [], "client_details": None}
    assert shop.told(provider, sample(provider, **places)).body["message"] == "accepted"
    (event,) = shop.events().values()
    assert event["event_name"] == "Purchase" and len(event["user_data"]["external_id"][0]) == 64


@pytest.mark.parametrize("provider", ["paddle", "standard"])
def test_why_a_payment_is_pending_is_a_word_of_ours(shop, provider):
    pending = sample(provider, "pending", data__status="ada@example.com")
    assert shop.told(provider, pending).body["reason"] == "unpaid"
    assert shop.reasons() == {"unpaid": 1}
