"""Stripe's signature over the raw bytes, against Stripe's own library."""

import json

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.errors import SignatureError
from conversion_relay.payments.stripe import HEADER, verify
from tests.payments.signing import stripe_header as sign

NOW, SECRET = 1_795_435_200, "whsec_test"
BODY = json.dumps({"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {}}}, indent=2).encode()
SIGNED = sign(BODY, SECRET, NOW)
DIGEST = SIGNED.partition("v1=")[2]


def theirs(payload: bytes, header: str) -> bool:
    """Whether Stripe's own library takes the signature."""
    try:
        stripe.WebhookSignature.verify_header(payload.decode(), header, SECRET, tolerance=None)
    except stripe.SignatureVerificationError:
        return False
    return True


def ours(payload: bytes, header: str) -> bool:
    try:
        verify(payload, {HEADER: header}, [SECRET], NOW)
    except SignatureError:
        return False
    return True


@given(payload=st.text(max_size=300), secret=st.sampled_from([SECRET, "whsec_other", ""]), cut=st.integers(0, 3))
def test_a_signature_is_taken_here_when_stripes_own_library_takes_it(payload, secret, cut):
    raw = payload.encode("utf-8", "ignore")
    header = sign(raw, secret, NOW)
    header = header[: len(header) - cut] if cut else header
    assert ours(raw, header) is theirs(raw, header) is (secret == SECRET and not cut)


def test_any_of_several_secrets_and_any_of_several_signatures_will_do():
    assert verify(BODY, {HEADER: SIGNED}, ["whsec_new", SECRET], NOW) == "live"
    assert ours(BODY, SIGNED.replace("v1=", f"v1={'0' * 64},v1="))
    assert ours(BODY, f"{SIGNED},v0=ffff")


def test_the_secret_of_a_sandbox_makes_a_test_of_what_it_signed():
    assert verify(BODY, {HEADER: SIGNED}, ["whsec_live", f"test:{SECRET}"], NOW) == "test"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "signature_missing"),
        ("t=abc,v1=00", "signature_malformed"),
        (f"t={NOW}", "signature_malformed"),
        (f"v1={DIGEST}", "signature_malformed"),
        (f"t={NOW},t={NOW},v1={DIGEST}", "signature_malformed"),
        (f"{SIGNED}, {SIGNED}", "signature_malformed"),
        (f"t={NOW},v1={'0' * 64}", "signature_wrong"),
        (f"t={NOW + 1},v1={DIGEST}", "signature_wrong"),
        (f"t={NOW},v1={DIGEST[:-1]}", "signature_wrong"),
        (f"t={NOW},v1={DIGEST.upper()}x", "signature_wrong"),
        (f"t={NOW},v0={DIGEST}", "signature_malformed"),
        (f"t={NOW},v1=é", "signature_wrong"),
        (f"t={NOW},v1=" + ",v1=" * 10_000, "signature_wrong"),
        ("t=١٢٣,v1=00", "signature_malformed"),
        (f"t=1_2,v1={DIGEST}", "signature_malformed"),
        (f"t={'9' * 400},v1={DIGEST}", "signature_malformed"),
        (f"t=²,v1={DIGEST}", "signature_malformed"),
        ("=,=,=", "signature_malformed"),
    ],
    ids=range(18),
)
def test_a_forged_or_missing_signature_is_refused_and_never_crashes(header, reason):
    with pytest.raises(SignatureError) as refused:
        verify(BODY, {HEADER: header}, [SECRET], NOW)
    assert refused.value.reason == reason
    assert SECRET not in str(refused.value) and DIGEST not in str(refused.value)


def test_a_byte_changed_is_a_byte_too_many():
    with pytest.raises(SignatureError, match="not of this body"):
        verify(BODY + b" ", {HEADER: SIGNED}, [SECRET], NOW)


@pytest.mark.parametrize("skew", [-301, 301])
def test_an_old_signature_is_a_replay(skew):
    with pytest.raises(SignatureError) as refused:
        verify(BODY, {HEADER: SIGNED}, [SECRET], NOW + skew)
    assert refused.value.reason == "signature_too_old"


def test_without_a_secret_nothing_is_genuine():
    for secrets in ([], [""], ["test:"]):
        with pytest.raises(SignatureError):
            verify(BODY, {HEADER: sign(BODY, "", NOW)}, secrets, NOW)
