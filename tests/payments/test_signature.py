"""HMAC over raw bytes: which signatures vouch for a message, whatever a header holds."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay import SignatureError
from conversion_relay.payments import PROVIDERS, Ignored, read, verify
from conversion_relay.payments.signature import signed_in
from tests.payments.signing import stripe_header

MESSAGE, SECRETS = b'1795435200.{"id": "evt_1"}', ("whsec_new", "whsec_old")


def hexdigest(message: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


GOOD = hexdigest(MESSAGE, "whsec_new")


@pytest.mark.parametrize(
    ("signatures", "signed"),
    [
        ([GOOD], True),
        ([hexdigest(MESSAGE, "whsec_old")], True),
        (["0" * 64, GOOD], True),
        ([GOOD, "é"], True),
        ([], False),
        ([""], False),
        (["0" * 64], False),
        ([GOOD[:-1]], False),
        ([f"{GOOD}0"], False),
        ([f" {GOOD}"], False),
        ([GOOD.upper()], False),
        (["é" * 64], False),
        (["\ud800"], False),
        ([hexdigest(MESSAGE, "whsec_other")], False),
        ([hexdigest(MESSAGE + b" ", "whsec_new")], False),
    ],
)
def test_one_signature_of_one_secret_is_enough_and_nothing_else_is(signatures, signed):
    assert (signed_in(MESSAGE, signatures, SECRETS) is not None) is signed


def test_without_secrets_nothing_is_signed():
    assert signed_in(MESSAGE, [GOOD, hexdigest(MESSAGE, "")], []) is None


@given(message=st.binary(max_size=200), signatures=st.lists(st.text(max_size=70), max_size=4))
def test_whatever_is_given_as_a_signature_raises_nothing_and_vouches_for_nothing(message, signatures):
    assert signed_in(message, signatures, SECRETS) is None


@given(message=st.binary(max_size=200), secret=st.text("abc_123", min_size=1), other=st.binary(max_size=200))
def test_a_signature_vouches_for_its_own_message_alone(message, secret, other):
    digest = hexdigest(message, secret)
    assert signed_in(message, [digest], [secret])
    assert (signed_in(other, [digest], [secret]) is not None) is (other == message)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_refuses_what_it_did_not_sign_and_says_why(provider):
    with pytest.raises(SignatureError) as refused:
        verify(provider, b"{}", {}, ["whsec"], 1_795_435_200)
    assert refused.value.reason and refused.value.field and str(refused.value)


@pytest.mark.parametrize("provider", ["", "Stripe", "signature", "payment", "../stripe", "os"])
def test_only_known_providers_are_asked(provider):
    with pytest.raises(ValueError, match="stripe"):
        verify(provider, b"{}", {}, ["whsec"], 1_795_435_200)


def test_a_notice_goes_to_the_provider_that_is_named():
    body = b'{"type": "invoice.paid", "data": {"object": {}}}'
    headers = {"stripe-signature": stripe_header(body, "whsec", 1_795_435_200)}
    assert verify("stripe", body, headers, ["whsec"], 1_795_435_200) == "live"
    assert read("stripe", body) == Ignored("other_kind", "invoice.paid")
