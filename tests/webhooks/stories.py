"""What a provider tells of one order and its subscription, all of it: asked for, pending, paid (under each of its
names), a twin of the test mode, two partial refunds, a chargeback, a trial, renewals, failures, what is not ours.

`EVENTS` is what must come of it, whatever the order and however often each notice is told.
"""

import copy
import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

from conversion_relay.cli import webhook_samples
from conversion_relay.payments import PROVIDERS
from tests.payments.signing import SQUARE_URL, STANDARD_SECRET
from tests.webhooks.shop import EVERY_PROVIDER, NOW

Notice = tuple[dict[str, Any], str]
"""What is told, and the secret it is signed with ("" for the provider's live one)."""
TWINS = {
    "paddle": "pdl_ntfset_test", "lemonsqueezy": "test-mode", "razorpay": "test-mode", "shopify": "test-mode",
    "woocommerce": "test-mode", "square": f"{SQUARE_URL} test-mode", "mollie": "test-mode",
    "standard": STANDARD_SECRET[:-2] + "QQ", "stripe": "whsec_test_mode", "digistore24": "test-mode",
}  # fmt: skip
"""The secrets of the test mode; PayPal's has certificates of its own instead."""
SETTINGS = EVERY_PROVIDER | {
    f"{name.upper()}_WEBHOOK_SECRET": f"{EVERY_PROVIDER[f'{name.upper()}_WEBHOOK_SECRET']},"
    f"test:{secret.rpartition(' ')[2]}"
    for name, secret in TWINS.items()
}


def sample(provider: str, name: str = "paid", **places: Any) -> dict[str, Any]:
    """A notice with other members, by path (`a__b`)."""
    document = copy.deepcopy(webhook_samples.sample(provider, name, NOW - 60))
    for path, value in places.items():
        *above, last = path.split("__")
        found = document
        for step in above:
            found = found[int(step)] if isinstance(found, list) else found[step]
        found[last] = value
    return document


def _money(value: str) -> dict[str, str]:
    return {"currency": "EUR", "value": value}


def _stripe(kind: str, thing: dict[str, Any], **more: Any) -> dict[str, Any]:
    return sample("stripe", "other", type=kind, data={"object": thing}, **more)


def _razorpay(kind: str, **entities: dict[str, Any]) -> dict[str, Any]:
    payment = sample("razorpay")["payload"]["payment"]
    payload = {"payment": payment} | {name: {"entity": entity} for name, entity in entities.items()}
    return sample("razorpay", event=kind, payload=payload)


def lost_dispute(provider: str, state: str = "LOST") -> dict[str, Any]:
    """As told weeks after it was opened."""
    if provider == "razorpay":
        lost = {"id": "disp_1", "amount": 49900, "payment_id": "pay_1", "created_at": NOW - 60}
        return _razorpay("payment.dispute.lost", dispute=lost)
    dispute = {
        "id": "dpT1",
        "state": state,
        "amount_money": {"amount": 4990, "currency": "EUR"},
        "disputed_payment": {"payment_id": "payT1"},
        "created_at": "2026-11-23T10:39:00Z",
    }
    return sample("square", "other", type="dispute.state.updated", data__object={"dispute": dispute})


_SUBSCRIPTION = {"id": "sub_1", "paid_count": 0, "start_at": NOW + 9 * 86_400, "notes": {"order_id": "cart-77"}}
_TRIAL = {"id": "sub_1", "status": "trialing", "currency_code": "EUR", "custom_data": {"order_id": "cart-77"}}
_CAPTURE = {"id": "CAPT1", "amount": {"currency_code": "EUR", "value": "49.90"}, "custom_id": "cart-77"}
_MOLLIE = "_embedded__entity__"
_CHARGEBACK = {"id": "chb_T1", "amount": _money("49.90"), "paymentId": "tr_T1", "reason": None, "reversedAt": None}
_FURTHER: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "stripe": (
        [
            sample("stripe", type="checkout.session.async_payment_succeeded"),
            sample("stripe", livemode=False),
            sample("stripe", type="checkout.session.async_payment_failed"),
            sample("stripe", "refund", type="refund.updated"),
            sample("stripe", "refund", data__object__id="re_2", data__object__amount=500),
            sample("stripe", "refund", data__object__id="re_3", data__object__status="pending"),
            _stripe("payment_intent.succeeded", {"id": "pi_1", "amount_received": 4990, "currency": "eur"}),
            _stripe("charge.refunded", {"id": "ch_1", "amount_refunded": 1000, "currency": "eur"}),
            _stripe(
                "charge.dispute.funds_withdrawn",
                {"id": "dp_1", "amount": 4990, "currency": "eur", "payment_intent": "pi_1", "created": NOW - 60},
            ),
            _stripe("customer.subscription.created", {"id": "sub_1", "status": "trialing", "currency": "eur"}),
            sample("stripe", "renewal", data__object__billing_reason="subscription_create"),
            sample("stripe", "renewal", data__object__id="in_3"),
            _stripe("invoice.payment_failed", {"id": "in_4"}),
        ],
        {"refund_re_2", "refund_dp_1", "trial_sub_1", "renewal_in_3"},
    ),
    "paddle": (
        [
            sample("paddle", event_type="transaction.paid"),
            sample("paddle", event_type="transaction.past_due"),
            sample("paddle", "refund", event_type="adjustment.created", data__status="pending_approval"),
            sample("paddle", "refund", data__id="adj_2", data__totals={"total": "500"}),
            sample("paddle", "refund", data__id="adj_3", data__action="chargeback"),
            sample("paddle", "refund", data__id="adj_4", data__action="chargeback_warning"),
            sample("paddle", "other", event_type="subscription.trialing", data=_TRIAL),
            sample("paddle", "other", event_type="subscription.created", data=_TRIAL),
            sample("paddle", "renewal", data__id="txn_3"),
        ],
        {"refund_adj_2", "refund_adj_3", "trial_sub_1", "renewal_txn_3"},
    ),
    "lemonsqueezy": (
        [
            sample("lemonsqueezy", meta__test_mode=True),
            sample("lemonsqueezy", data__attributes__status="failed"),
            sample("lemonsqueezy", "refund", data__attributes__refunded_amount=1500),
            sample("lemonsqueezy", "renewal", data__attributes__billing_reason="initial"),
            sample("lemonsqueezy", "renewal", meta__event_name="subscription_payment_recovered"),
            sample("lemonsqueezy", "renewal", data__id="1002"),
            sample("lemonsqueezy", meta__event_name="subscription_created", data__attributes__status="on_trial"),
            sample(
                "lemonsqueezy",
                "renewal",
                meta__event_name="subscription_payment_refunded",
                data__attributes__refunded_amount=4990,
            ),
        ],
        {"refund_1001_1500", "renewal_invoice-1002", "trial_1001", "refund_invoice-1001_4990"},
    ),
    "razorpay": (
        [
            *(_razorpay(kind) for kind in ("order.paid", "invoice.paid", "payment_link.paid", "payment.failed")),
            _razorpay("refund.created", refund={"id": "rfnd_1", "amount": 1000, "payment_id": "pay_1"}),
            _razorpay("refund.processed", refund={"id": "rfnd_2", "amount": 500, "payment_id": "pay_1"}),
            _razorpay("payment.dispute.created", dispute={"id": "disp_1", "amount": 49900, "payment_id": "pay_1"}),
            lost_dispute("razorpay"),
            _razorpay("subscription.authenticated", subscription=_SUBSCRIPTION),
            sample("razorpay", "renewal", payload__payment__entity__id="pay_2"),
            sample("razorpay", "renewal", payload__payment__entity__id="pay_3"),
        ],
        {"refund_rfnd_2", "refund_disp_1", "trial_sub_1", "renewal_pay_2", "renewal_pay_3"},
    ),
    "shopify": (
        [
            sample("shopify", test=True),
            sample("shopify", financial_status="authorized"),
            sample("shopify", financial_status="partially_refunded"),
            sample("shopify", financial_status="refunded"),
            sample("shopify", id=9003, financial_status="voided"),
            sample("shopify", "refund", id=8),
            sample("shopify", "refund", id=9, transactions=[{"kind": "refund", "status": "pending", "amount": "1"}]),
            sample("shopify", id=9002, source_name="subscription_contract"),
        ],
        {"refund_8", "renewal_9002"},
    ),
    "woocommerce": (
        [
            sample("woocommerce", status="completed"),
            sample("woocommerce", id=53, status="cancelled"),
            sample("woocommerce", "refund", refunds=[{"id": 60, "total": "-10.00"}, {"id": 61, "total": "-5.00"}]),
            sample("woocommerce", "refund", status="refunded"),
            sample(
                "woocommerce", id=54, order_key="wc_order_T2", meta_data=[{"key": "_subscription_renewal", "value": 9}]
            ),
        ],
        {"refund_61", "renewal_wc_order_T2"},
    ),
    "square": (
        [
            sample("square", type="payment.created"),
            sample("square", data__object__payment__status="CANCELED"),
            sample("square", "refund", type="refund.created", data__object__refund__status="PENDING"),
            sample("square", "refund", data__object__refund__id="refT2"),
            lost_dispute("square", "INQUIRY_EVIDENCE_REQUIRED"),
            lost_dispute("square"),
        ],
        {"refund_refT2", "refund_dpT1"},
    ),
    "mollie": (
        [
            sample("mollie", **{f"{_MOLLIE}mode": "test"}),
            sample("mollie", **{f"{_MOLLIE}status": "expired"}),
            sample("mollie", **{f"{_MOLLIE}amountRefunded": _money("15.00")}),
            sample("mollie", "refund", type="refund.pending", **{f"{_MOLLIE}status": "pending"}),
            sample("mollie", "refund", **{f"{_MOLLIE}id": "re_T2", f"{_MOLLIE}amount": _money("5.00")}),
            sample("mollie", "refund", type="refund.failed", **{f"{_MOLLIE}id": "re_T3", f"{_MOLLIE}status": "failed"}),
            sample("mollie", "other", type="chargeback.received", _embedded={"entity": _CHARGEBACK}),
            sample("mollie", "other", type="chargeback.reversed", _embedded={"entity": _CHARGEBACK}),
            sample("mollie", "renewal", **{f"{_MOLLIE}id": "tr_T3"}),
        ],
        {"refund_re_T2", "refund_chb_T1", "renewal_tr_T3"},
    ),
    "paypal": (
        [
            sample("paypal", event_type="PAYMENT.CAPTURE.PENDING"),
            sample("paypal", event_type="PAYMENT.CAPTURE.DENIED"),
            sample("paypal", "refund", resource__id="REF2"),
            sample("paypal", "refund", event_type="PAYMENT.CAPTURE.REVERSED", resource=_CAPTURE),
            sample("paypal", "renewal", resource__id="SALET3"),
            sample("paypal", "other", event_type="CUSTOMER.DISPUTE.CREATED"),
        ],
        {"refund_REF2", "refund_CAPT1", "renewal_SALET3"},
    ),
    "standard": (
        [
            sample("standard", type="payment.succeeded"),
            sample("standard", type="payment.failed"),
            sample("standard", "refund", type="refund.updated"),
            sample("standard", "refund", data__id="ref_2", data__amount=500),
            sample("standard", "refund", data__id="ref_3", data__status="pending"),
            sample("standard", type="subscription.created", data__id="sub_1", data__status="trialing"),
            sample("standard", "renewal", data__id="ord_3"),
        ],
        {"refund_ref_2", "trial_sub_1", "renewal_ord_3"},
    ),
    "digistore24": (
        [
            sample("digistore24", event="on_payment_subscription_signup"),
            sample("digistore24", api_mode="test", pay_method="test"),
            sample("digistore24", event="payment_denial"),
            sample("digistore24", event="connection_test"),
            sample("digistore24", "refund", transaction_id="3999991", transaction_amount="5.00"),
            sample("digistore24", "refund", event="on_chargeback", transaction_id="3999992"),
            sample("digistore24", "renewal", transaction_id="4000200", pay_sequence_no="3", billing_type="installment"),
        ],
        {"refund_3999991", "refund_3999992", "renewal_4000200"},
    ),
}
_OF_SAMPLES = {
    "stripe": {"purchase_cart-77", "refund_re_1", "renewal_in_2"},
    "paddle": {"purchase_cart-77", "refund_adj_1", "renewal_txn_2"},
    "lemonsqueezy": {"purchase_cart-77", "refund_1001_1000", "renewal_invoice-1001"},
    "razorpay": {"purchase_cart-77", "refund_rfnd_1"},
    "shopify": {"purchase_9001", "refund_7"},
    "woocommerce": {"purchase_52", "refund_60"},
    "square": {"purchase_cart-77", "refund_refT1"},
    "mollie": {"purchase_cart-77", "refund_re_T1", "renewal_tr_T2"},
    "paypal": {"purchase_cart-77", "refund_REF1", "renewal_SALET2"},
    "standard": {"purchase_cart-77", "refund_ref_1", "renewal_ord_2"},
    "digistore24": {"purchase_cart-77", "refund_3999990", "renewal_4000100"},
}
EVENTS = {provider: _OF_SAMPLES[provider] | _FURTHER[provider][1] for provider in PROVIDERS}


def story(provider: str) -> list[Notice]:
    """Each notice once."""
    names = [name for name in webhook_samples.names_of(provider) if (provider, name) != ("razorpay", "renewal")]
    told = [*(sample(provider, name) for name in names), *_FURTHER[provider][0]]
    twin = [(sample(provider), TWINS[provider])] if provider in TWINS else []
    return [*((one, "") for one in told), *twin]


def tellings(provider: str) -> Iterator[list[Notice]]:
    """Orders and multiplicities without end; the first are as told, and the other way round."""
    told = story(provider)
    yield told
    yield told[::-1] * 2
    for seed in itertools.count():
        chance = random.Random(f"{provider}{seed}")
        many = [one for one in told for _ in range(chance.choice([1, 1, 2, 3]))]
        yield chance.sample(many, len(many))


def told_as(notice: Notice) -> str:
    """For a test's message."""
    return json.dumps(notice[0])[:200]
