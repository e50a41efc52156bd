"""Stripe's signature over the raw bytes, against Stripe's own library; and what was paid, in its currency's unit."""

import json
from decimal import Decimal

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.errors import InvalidEvent, SignatureError
from conversion_relay.payments import Ignored, Payment, Unpaid
from conversion_relay.payments.stripe import HEADER, verify
from tests.payments.signing import stripe_header as sign

NOW, SECRET = 1_795_435_200, "whsec_test"


def body(kind: str = "checkout.session.completed", **session) -> bytes:
    paid = {
        "id": "cs_1",
        "payment_status": "paid",
        "amount_total": 29999,
        "currency": "usd",
        "client_reference_id": "r1",
    }
    return json.dumps(
        {"id": "evt_1", "type": kind, "created": NOW - 5, "data": {"object": paid | session}}, indent=2
    ).encode()


def read(payload: bytes, header: str | None = None, now: float = NOW, secrets=(SECRET,)):
    return verify(payload, {HEADER: sign(payload, SECRET, NOW) if header is None else header}, secrets, now)


def theirs(payload: bytes, header: str) -> bool:
    """Whether Stripe's own library takes the signature."""
    try:
        stripe.WebhookSignature.verify_header(payload.decode(), header, SECRET, tolerance=None)
    except stripe.SignatureVerificationError:
        return False
    return True


def ours(payload: bytes, header: str) -> bool:
    try:
        read(payload, header)
    except SignatureError:
        return False
    except InvalidEvent:
        return True  # the signature is right; the body makes no sense
    return True


@given(payload=st.text(max_size=300), secret=st.sampled_from([SECRET, "whsec_other", ""]), cut=st.integers(0, 3))
def test_a_signature_is_taken_here_when_stripes_own_library_takes_it(payload, secret, cut):
    raw = payload.encode("utf-8", "ignore")
    header = sign(raw, secret, NOW)
    header = header[: len(header) - cut] if cut else header
    assert ours(raw, header) is theirs(raw, header) is (secret == SECRET and not cut)


def test_a_paid_session_is_a_payment():
    payment = read(body())
    assert isinstance(payment, Payment)
    assert (payment.reference, payment.amount, payment.currency, payment.paid_at) == (
        "r1",
        Decimal("299.99"),
        "USD",
        NOW - 5,
    )
    assert "customer" not in repr(payment)


@pytest.mark.parametrize(
    ("currency", "amount_total", "amount"),
    [("jpy", 12000, "12000"), ("krw", 5, "5"), ("kwd", 1234, "1.234"), ("isk", 500, "5.00"), ("ugx", 500, "5.00"),
     ("eur", 1, "0.01"), ("mga", 300, "300")],
)  # fmt: skip
def test_the_amount_is_in_the_currencys_own_minor_unit(currency, amount_total, amount):
    payment = read(body(currency=currency, amount_total=amount_total))
    assert payment.amount == Decimal(amount)


def test_money_that_comes_later_is_a_payment_too():
    assert isinstance(read(body("checkout.session.async_payment_succeeded")), Payment)


@pytest.mark.parametrize("status", ["unpaid", "no_payment_required", "whatever"])
def test_a_session_that_is_not_paid_is_none(status):
    assert read(body(payment_status=status)) == Unpaid(status)


def test_other_events_are_ignored():
    assert read(body("invoice.paid")) == Ignored("invoice.paid")


def test_any_of_several_secrets_and_any_of_several_signatures_will_do():
    good = sign(body(), SECRET, NOW)
    assert isinstance(read(body(), secrets=("whsec_new", SECRET)), Payment)
    assert isinstance(read(body(), good.replace("v1=", f"v1={'0' * 64},v1=")), Payment)
    assert isinstance(read(body(), f"{good},v0=ffff"), Payment)


SIGNED = sign(body(), SECRET, NOW)
DIGEST = SIGNED.partition("v1=")[2]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "signature_missing"),
        ("t=abc,v1=00", "signature_malformed"),
        (f"t={NOW}", "signature_malformed"),
        (f"v1={DIGEST}", "signature_malformed"),
        (f"t={NOW},t={NOW},v1={DIGEST}", "signature_malformed"),
        (f"t={NOW},v1={'0' * 64}", "signature_wrong"),
        (f"t={NOW + 1},v1={DIGEST}", "signature_wrong"),
        (f"t={NOW},v1={DIGEST[:-1]}", "signature_wrong"),
        (f"t={NOW},v1={DIGEST.upper()}x", "signature_wrong"),
        (f"t={NOW},v0={DIGEST}", "signature_malformed"),
        (f"t={NOW},v1=é", "signature_wrong"),
        (f"t={NOW},v1=" + ",v1=" * 10_000, "signature_wrong"),
        ("t=١٢٣,v1=00", "signature_malformed"),
        ("=,=,=", "signature_malformed"),
    ],
    ids=range(14),
)
def test_a_forged_or_missing_signature_is_refused_and_never_crashes(header, reason):
    with pytest.raises(SignatureError) as refused:
        read(body(), header)
    assert refused.value.reason == reason
    assert SECRET not in str(refused.value) and DIGEST not in str(refused.value)


def test_a_byte_changed_is_a_byte_too_many():
    with pytest.raises(SignatureError, match="not of this body"):
        verify(body() + b" ", {HEADER: SIGNED}, [SECRET], NOW)


@pytest.mark.parametrize("skew", [-301, 301])
def test_an_old_signature_is_a_replay(skew):
    with pytest.raises(SignatureError) as refused:
        read(body(), SIGNED, now=NOW + skew)
    assert refused.value.reason == "signature_too_old"


def test_without_a_secret_nothing_is_genuine():
    with pytest.raises(SignatureError):
        verify(body(), {HEADER: sign(body(), "", NOW)}, [], NOW)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b"{}", "type"),
        (b'{"type": "checkout.session.completed"}', "data"),
        (b'{"type": "checkout.session.completed", "data": {}}', "data.object"),
        (b'{"type": "checkout.session.completed", "data": {"object": 5}}', "data.object"),
        (b'{"type": "checkout.session.completed", "data": {"object": {}}}', "data.object.payment_status"),
        (body(amount_total=None), "data.object.amount_total"),
        (body(amount_total=-1), "data.object.amount_total"),
        (body(amount_total="299"), "data.object.amount_total"),
        (body(currency="zzz"), "data.object.currency"),
        (body(currency=None), "data.object.currency"),
    ],
    ids=range(12),
)
def test_a_genuine_body_that_makes_no_sense_names_the_field(payload, field):
    with pytest.raises(InvalidEvent) as invalid:
        read(payload, sign(payload, SECRET, NOW))
    assert invalid.value.field == field
