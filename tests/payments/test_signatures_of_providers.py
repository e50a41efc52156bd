"""Every provider's signature, against a second writing of its scheme: 5,000 deliveries pass, 5,000 changed ones do not.

What is changed stands in `mutations.py`. Nothing but SignatureError may come of it, and the door answers each with 400
(`tests/webhooks/test_mutations.py`). PayPal's signing takes a millisecond each: a usual run signs fewer of its
deliveries, TEST_EXAMPLES=5000 all of them.
"""

import itertools
import os
import random

import pytest

from conversion_relay.errors import SignatureError
from conversion_relay.payments import verify
from tests.payments.mutations import MANY, NOW, bodies, mutations, signature
from tests.payments.signing import (
    CERT_URL,
    IN_HEADERS,
    SECRETS,
    WEBHOOK_ID,
    headers_of,
    paypal_certificates,
    secret_of,
)

VECTOR = '{"id":"ev_1","note":"Grüße €"}'.encode()


def more(provider: str) -> dict:
    if provider != "paypal":
        return {}
    _, pem, root = paypal_certificates()
    return {"certificates": pem, "roots": [root]}


def is_taken(provider: str, body: bytes, headers: dict[str, str], secrets: list[str] | None = None) -> bool:
    try:
        verify(provider, body, headers, secrets or [secret_of(provider)], NOW, **more(provider))
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("provider", IN_HEADERS)
def test_what_the_provider_signed_is_taken(provider):
    chance = random.Random(provider)
    n = MANY if provider != "paypal" else int(os.environ.get("TEST_EXAMPLES", "500"))
    for body in itertools.islice(bodies(provider), n):
        assert is_taken(provider, body, headers_of(provider, body, NOW - chance.randrange(-299, 299)))


@pytest.mark.parametrize("provider", IN_HEADERS)
def test_what_was_changed_on_its_way_is_refused_and_crashes_nothing(provider):
    for name, body, headers in itertools.islice(mutations(provider), MANY):
        assert not is_taken(provider, body, headers), (name, body, headers)


@pytest.mark.parametrize(
    ("provider", "value"),
    [
        ("stripe", "4c8af71d92bd15605dc27ab2008fbfff5d7001d94fdfa8b8c370e4fc3074f75a"),
        ("paddle", "b3124c583ef631c1f08f042d089114ec3902f07c4b50f0d5f6202443baa974d3"),
        ("razorpay", "3133bb66f6f3157dd1927a7757a3bbd00a5f44bf978c3fd49d04fa5cc93f9f94"),
        ("lemonsqueezy", "3133bb66f6f3157dd1927a7757a3bbd00a5f44bf978c3fd49d04fa5cc93f9f94"),
        ("mollie", "3133bb66f6f3157dd1927a7757a3bbd00a5f44bf978c3fd49d04fa5cc93f9f94"),
        ("shopify", "MTO7ZvbzFX3Rknp3V6O70ApfRL+XjD/UnQT6XMk/n5Q="),
        ("woocommerce", "MTO7ZvbzFX3Rknp3V6O70ApfRL+XjD/UnQT6XMk/n5Q="),
        ("square", "XdCvRHnWRWhBKfh4xryQCuGPFJxyApFzPs1YsiXck9U="),
    ],
)
def test_what_the_vendors_own_libraries_make_is_taken(provider, value):
    """Computed with stripe 16.1, paddle-python-sdk 1.16, razorpay 2.0, mollie-api-py 1.10 and squareup 46, where there
    is such a library, over VECTOR at 1790000000."""
    name, at = signature(provider), 1_790_000_000
    whole = {"stripe": f"t={at},v1={value}", "paddle": f"ts={at};h1={value}"}.get(provider, value)
    assert verify(provider, VECTOR, {name: whole}, [secret_of(provider)], at) == "live"


def test_what_the_library_of_standard_webhooks_makes_is_taken():
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1790000000",
        "webhook-signature": "v1a,xyz v1,AAAA v1,En6jsOzq7PFmgozJZ860eO0OSmiXpfTakUgTbJUK7FY=",
    }
    for names in (headers, {name.replace("webhook", "svix"): value for name, value in headers.items()}):
        assert verify("standard", VECTOR, names, ["whsec_dGVzdHNlY3JldA"], 1_790_000_000) == "live"


@pytest.mark.parametrize("provider", [name for name in IN_HEADERS if name != "paypal"])  # a webhook's id is not rotated
def test_while_a_secret_is_rotated_both_are_taken_and_the_mode_is_the_secrets(provider):
    headers, secret = headers_of(provider, VECTOR, NOW), secret_of(provider)
    other = SECRETS["square"].replace("topsecret", "other") if provider == "square" else "whsec_b3RoZXI="
    assert verify(provider, VECTOR, headers, [other, secret], NOW) == "live"
    assert verify(provider, VECTOR, headers, [other, f"test:{secret}"], NOW) == "test"
    assert not is_taken(provider, VECTOR, headers, [other])


@pytest.mark.parametrize("secret", ["", "test:", "whsec_", "test:whsec_", "https://shop.example/ "])
@pytest.mark.parametrize("provider", [name for name in IN_HEADERS if name not in ("paypal", "stripe")])
def test_an_empty_secret_vouches_for_nobody(provider, secret):
    if provider in ("standard", "square") or not secret.startswith(("whsec", "test:whsec", "https")):
        empty = {"standard": "whsec_", "square": "https://shop.example/ "}.get(provider, " ")
        forged = headers_of(provider, VECTOR, NOW, empty)
        assert not is_taken(provider, VECTOR, forged, [secret])


def test_a_woocommerce_secret_that_was_copied_from_a_page_is_read_as_the_shop_reads_it():
    headers = headers_of("woocommerce", VECTOR, NOW, 'a&b"c')
    assert is_taken("woocommerce", VECTOR, headers, ["a&amp;b&quot;c"])
    assert is_taken("woocommerce", VECTOR, headers, ['a&b"c'])


@pytest.mark.parametrize(
    "url",
    [
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://evil.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/../../x",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?x=y",
        "https://169.254.169.254/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        CERT_URL + "\n",
        "é",
    ],
)
def test_a_certificate_is_fetched_from_paypal_alone(url):
    from conversion_relay.payments.paypal import certificate_url

    headers = headers_of("paypal", VECTOR, NOW)
    assert certificate_url(headers, [WEBHOOK_ID]) == CERT_URL
    with pytest.raises(SignatureError):
        certificate_url(headers | {"paypal-cert-url": url}, [WEBHOOK_ID])


def test_a_certificate_of_somebody_else_or_of_no_known_root_or_too_old_vouches_for_nothing():
    headers = headers_of("paypal", VECTOR, NOW)
    _, pem, root = paypal_certificates()
    for name, days in (("evilpaypal.com", 400), ("shop.example", 400), ("messageverificationcerts.paypal.com", 1)):
        _, other, its_root = paypal_certificates(name, days)
        for chain, roots in ((other, [its_root]), (pem, [its_root]), (pem, []), (b"", [root]), (b"-----BEGIN", [root])):
            with pytest.raises(SignatureError) as refused:
                verify("paypal", VECTOR, headers, [WEBHOOK_ID], NOW, certificates=chain, roots=roots)
            assert refused.value.reason == "certificate_untrusted"


def test_a_notice_for_another_paypal_shop_is_not_ours():
    headers = headers_of("paypal", VECTOR, NOW, "ANOTHERWEBHOOK")
    assert not is_taken("paypal", VECTOR, headers)
    assert not is_taken("paypal", VECTOR, headers_of("paypal", VECTOR, NOW), [f"test:{WEBHOOK_ID}"])


def test_an_unsigned_mollie_notice_is_only_taken_where_mollie_can_be_asked():
    assert verify("mollie", b"id=tr_T1", {}, [], NOW, can_ask=True) == "live"
    for body, can_ask in ((b"id=tr_T1", False), (b"id=tr_T1&x=1", True), (b"id=../x", True), (b"{}", True)):
        with pytest.raises(SignatureError):
            verify("mollie", body, {}, ["topsecret"], NOW, can_ask=can_ask)
