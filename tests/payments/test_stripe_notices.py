"""What Stripe's notices say: one payment is read from one kind of notice, in its currency's own unit."""

import json
from decimal import Decimal

import pytest

from conversion_relay.errors import InvalidEvent
from conversion_relay.payments import (
    NO_OPTIONS,
    Ask,
    Ignored,
    Options,
    Payment,
    Pending,
    Refund,
    Renewal,
    Trial,
    read,
    read_answer,
)
from conversion_relay.payments.notice import Customer, Money
from tests.payments import stripe_notices as notices
from tests.payments.stripe_notices import NOW, event


def said(kind: str, thing: dict, options: Options = NO_OPTIONS, **more):
    return read("stripe", json.dumps(event(kind, thing, **more)).encode(), options)


def kinds(*names: str) -> Options:
    return Options(kinds=names)


def test_a_paid_session_is_a_payment_of_what_was_paid_under_the_shops_own_key():
    payment = said("checkout.session.completed", notices.session())
    assert isinstance(payment, Payment)
    assert (payment.order_key, payment.payment_id, payment.also) == ("cart-77", "pi_1", ("cs_1",))
    assert payment.money == Money(Decimal("49.90"), "EUR") and payment.paid_at == NOW - 9
    assert payment.customer == Customer(
        email="Ada.Test@example.com", name="Ada Test", phone="+4930123456", city="Berlin", zip="10115", country="DE"
    )
    assert "example" not in repr(payment) and "Ada" not in repr(payment.customer)


@pytest.mark.parametrize(
    ("currency", "amount_total", "amount"),
    [("jpy", 12000, "12000"), ("krw", 5, "5"), ("kwd", 1230, "1.230"), ("isk", 500, "5.00"), ("ugx", 500, "5.00"),
     ("eur", 1, "0.01"), ("mga", 300, "300"), ("huf", 100, "1.00"), ("twd", 100, "1.00")],
)  # fmt: skip
def test_the_amount_is_in_stripes_own_minor_unit(currency, amount_total, amount):
    payment = said("checkout.session.completed", notices.session(currency=currency, amount_total=amount_total))
    assert payment.money == Money(Decimal(amount), currency.upper())


@pytest.mark.parametrize("odd", [{"amount_total": None}, {"amount_total": "4990"}, {"amount_total": -1}])
def test_an_amount_that_is_none_is_said_and_not_guessed(odd):
    assert said("checkout.session.completed", notices.session(**odd)).money == Money(None, "EUR", "not_an_amount")


def test_the_order_is_named_by_the_place_that_the_shop_configured():
    thing = notices.session(metadata={"order_id": "1001", "cart": "c-9"}, invoice="in_5")
    for places, key in [
        ((), "cart-77"),
        (("metadata.cart",), "c-9"),
        (("metadata.none", "metadata.order_id"), "1001"),
        (("invoice",), "in_5"),
        (("metadata.none",), "pi_1"),
    ]:
        assert said("checkout.session.completed", thing, Options(order_key=places)).order_key == key
    anonymous = notices.session(client_reference_id=None, payment_intent=None)
    assert said("checkout.session.completed", anonymous).order_key == "cs_1"


def test_money_that_comes_later_waits_and_is_a_payment_then():
    assert said("checkout.session.completed", notices.session(payment_status="unpaid")) == Pending(
        "unpaid", "checkout.session.completed"
    )
    later = said("checkout.session.async_payment_succeeded", notices.session())
    assert isinstance(later, Payment) and later.order_key == "cart-77"


def test_a_free_order_is_a_payment_of_nothing():
    free = notices.session(payment_status="no_payment_required", amount_total=0, payment_intent=None)
    assert said("checkout.session.completed", free).money == Money(Decimal(0), "EUR")


def test_what_was_bought_is_read_where_the_notice_holds_it():
    items = [
        {"id": "li_1", "price": {"product": "prod_a"}, "quantity": 2, "amount_total": 4_000, "description": "Print"},
        {"id": "li_2", "price": {"product": "prod_b"}, "quantity": 1, "amount_total": 990},
    ]
    lines = said("checkout.session.completed", notices.session(line_items={"data": items})).lines
    assert [(line.id, line.quantity, line.price) for line in lines] == [
        ("prod_a", 2, Decimal(20)),
        ("prod_b", 1, Decimal("9.9")),
    ]


def test_what_the_shop_gave_along_of_the_visitor_is_read():
    fbp, fbc = "fb.1.1596403881668.1116446470", "fb.1.1596403881668.A"
    given = {"fbp": fbp, "_fbc": fbc, "user_agent": "UA", "consent": "granted", "external_id": "u-1"}
    payment = said("checkout.session.completed", notices.session(metadata=given))
    assert (payment.context.fbp, payment.context.fbc, payment.context.client_user_agent) == (fbp, fbc, "UA")
    assert (payment.context.consent, payment.customer.external_id) == ("granted", "u-1")


def test_a_subscription_begins_with_its_session_and_renews_by_its_invoices():
    first = said("checkout.session.completed", notices.subscription_session())
    assert isinstance(first, Payment) and (first.payment_id, first.subscription) == ("in_1", "sub_1")
    again = said("invoice.paid", notices.invoice("subscription_create", "in_1"))
    assert again == Ignored("other_kind", "invoice.paid"), "the session told of this money"
    renewal = said("invoice.paid", notices.invoice("subscription_cycle", "in_2"))
    assert isinstance(renewal, Renewal)
    assert (renewal.payment_id, renewal.order_key, renewal.subscription) == ("in_2", "in_2", "sub_1")
    assert renewal.money == Money(Decimal(9), "EUR")


def test_an_invoice_of_an_older_version_names_its_subscription_elsewhere():
    old = notices.invoice("subscription_cycle") | {"parent": None, "subscription": "sub_9", "payment_intent": "pi_9"}
    renewal = said("invoice.paid", old)
    assert renewal.subscription == "sub_9" and "pi_9" in renewal.also


def test_a_trial_is_told_by_its_subscription():
    begun = {"id": "sub_1", "status": "trialing", "currency": "eur", "metadata": {"order_id": "1001"}}
    trial = said("customer.subscription.created", begun)
    assert isinstance(trial, Trial) and (trial.subscription, trial.order_key) == ("sub_1", "1001")
    assert said("customer.subscription.created", begun | {"status": "active"}) == Ignored(
        "other_type", "customer.subscription.created"
    )
    assert said("invoice.paid", notices.invoice("subscription_cycle", amount_paid=0)) == Ignored("free", "invoice.paid")


def test_each_kind_of_payment_is_counted_where_the_shop_says_that_it_is_its_own():
    everything = [
        ("checkout.session.completed", notices.session(), "checkout"),
        ("payment_intent.succeeded", notices.intent(), "payment_intent"),
        ("invoice.paid", notices.invoice("manual", parent=None), "invoice"),
    ]
    for kind, thing, name in everything:
        assert isinstance(said(kind, thing, kinds(name)), Payment)
        assert said(kind, thing, kinds("charge")) == Ignored("other_kind", kind)
    assert said("payment_intent.succeeded", notices.intent()) == Ignored("other_kind", "payment_intent.succeeded")


def test_a_site_of_its_own_reads_the_payment_intent():
    payment = said("payment_intent.succeeded", notices.intent(), kinds("payment_intent"))
    assert (payment.order_key, payment.payment_id, payment.also) == ("1001", "pi_1", ("ch_1",))
    assert (payment.customer.email, payment.customer.city) == ("ada.test@example.com", "Berlin")


def test_money_that_goes_back_is_read_once_it_went():
    back = said("refund.updated", notices.refund())
    assert isinstance(back, Refund) and (back.refund_id, back.payments) == ("re_1", ("pi_1", "ch_1"))
    assert back.money == Money(Decimal(10), "EUR") and back.at == NOW - 5
    assert said("refund.created", notices.refund(status="pending")) == Ignored("refund_not_done", "refund.created")
    lost = said("charge.dispute.funds_withdrawn", {"id": "du_1", "charge": "ch_1", "amount": 4_990, "currency": "eur"})
    assert (lost.kind, lost.refund_id) == ("chargeback", "du_1")


def test_each_part_of_a_charge_that_goes_back_is_a_refund_of_its_own():
    def told(total: int, before: int):
        more = {"data": {"object": notices.charge(amount_refunded=total)}}
        more["data"]["previous_attributes"] = {"amount_refunded": before}
        return said("charge.refunded", {}, kinds("charge"), **more)

    first, second = told(1_000, 0), told(1_500, 1_000)
    assert [(one.refund_id, one.money.amount) for one in (first, second)] == [
        ("ch_1_1000", Decimal(10)),
        ("ch_1_1500", Decimal(5)),
    ]


@pytest.mark.parametrize(
    ("kind", "thing", "why"),
    [
        ("checkout.session.expired", {}, "failed"),
        ("checkout.session.completed", {"mode": "setup", "payment_status": "no_payment_required"}, "setup"),
        ("checkout.session.completed", {"payment_status": ["paid"]}, "odd_shape"),
        ("checkout.session.completed", {}, "odd_shape"),
        ("payment_intent.payment_failed", {}, "failed"),
        ("invoice.finalized", {}, "other_type"),
        ("charge.dispute.created", {}, "other_type"),
        ("customer.created", {"livemode": "odd", "name": 5}, "other_type"),
        ("entitlements.active_entitlement_summary.updated", {}, "other_type"),
        ("", {}, "other_type"),
    ],
)
def test_what_is_no_payment_is_genuine_and_not_counted(kind, thing, why):
    assert said(kind, thing) == Ignored(why, kind)


def test_a_test_of_stripes_is_told_by_the_notice():
    assert said("checkout.session.completed", notices.session(), livemode=False).mode == "test"


def test_a_thin_event_is_asked_for_and_reads_like_the_snapshot():
    ask = read("stripe", json.dumps(notices.thin()).encode())
    assert ask == Ask(
        provider="stripe",
        path="/v1/checkout/sessions/cs_1",
        what="checkout.session.completed",
        webhook_id="evt_thin",
        at=1_795_430_391,
    )
    payment = read_answer(ask, json.dumps(notices.session()).encode())
    assert isinstance(payment, Payment) and (payment.order_key, payment.paid_at) == ("cart-77", 1_795_430_391)


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/x", "//evil.example/v1/a/b", "/v1/../admin", "/v1/checkout/sessions/cs_1?x=1", "", 5,
     "/v1/checkout/sessions/cs_1\r\nHost: x", "/v1/" + "a" * 500],
)  # fmt: skip
def test_a_thin_event_never_chooses_where_our_key_goes(url):
    assert read("stripe", json.dumps(notices.thin(url=url)).encode()) == Ignored(
        "odd_shape", "v1.checkout.session.completed"
    )


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_json_object_are_unreadable(payload):
    with pytest.raises(InvalidEvent) as invalid:
        read("stripe", payload)
    assert (invalid.value.reason, invalid.value.field) == ("unreadable", "body")


@pytest.mark.parametrize("payload", [b"{}", b'{"type":5}', b'{"type":"x","data":[]}', b'{"data":{"object":{}}}'])
def test_an_object_of_another_shape_is_none_of_ours(payload):
    assert isinstance(read("stripe", payload), Ignored)
