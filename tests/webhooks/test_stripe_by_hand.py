"""What a shop does by hand at Stripe: an invoice for a subscription, a capture days after the checkout."""

import pytest

from tests.payments import stripe_notices as notices
from tests.webhooks.shop import open_shop

COMPLETED, CAPTURED = "checkout.session.completed", "payment_intent.succeeded"


@pytest.mark.parametrize("of", [{}, {"parent": None, "subscription": "sub_1"}])
def test_an_invoice_that_was_made_by_hand_for_a_subscription_is_counted_once(tmp_path, of):
    """Only an invoice tells of this money: a checkout opens none with this reason and a subscription."""
    with open_shop(tmp_path) as shop:
        shop.stripe(COMPLETED, notices.subscription_session())
        told = [shop.stripe("invoice.paid", notices.invoice("manual", "in_9", **of)).body for _ in range(2)]
        assert [one["message"] for one in told] == ["accepted", "duplicate"]
        assert told[0]["event_id"] == "renewal_in_9"
        # That of a checkout, which the session told of.
        other = notices.invoice("manual", "in_8", parent=None)
        assert shop.stripe("invoice.paid", other).body["reason"] == "other_kind"
        assert len(shop.events()) == 2


def test_where_invoices_are_the_shops_own_it_may_be_an_order_by_its_name(tmp_path):
    with open_shop(tmp_path, STRIPE_PAYMENTS="invoice,refund") as shop:
        named = notices.invoice("manual", "in_9", metadata={"order_id": "1001"})
        assert shop.stripe("invoice.paid", named).body["event_id"] == "purchase_1001"


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_captured_later_is_one_purchase_of_what_was_captured(tmp_path, first):
    named = {"metadata": {"order_id": "cart-77"}}
    with open_shop(tmp_path, STRIPE_PAYMENTS="checkout,payment_intent,refund") as shop:
        held = notices.session(payment_status="unpaid", payment_intent="pi_2", client_reference_id="cart-78")
        assert shop.stripe(COMPLETED, held).body == {"message": "pending", "reason": "unpaid"}
        part = notices.intent(id="pi_2", amount_received=3_000, metadata={"order_id": "cart-78"})
        at_once = [(COMPLETED, notices.session()), (CAPTURED, notices.intent(**named))]
        for kind, thing in [(CAPTURED, part), at_once[first], at_once[1 - first], (CAPTURED, part)]:
            assert shop.stripe(kind, thing).status == 200
        values = {name: event["custom_data"]["value"] for name, event in shop.events().items()}
        assert values == {"purchase_cart-78": 30.0, "purchase_cart-77": 49.9}
