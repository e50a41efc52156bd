"""What a provider tells of who paid reaches Meta as match keys: each member that it has, from where it has it."""

import json
from hashlib import sha256

import pytest

from tests.webhooks.shop import EVERY_PROVIDER, open_shop
from tests.webhooks.stories import sample

WHOLE = {
    "em": "ada@example.com", "ph": "4930901820", "fn": "ada", "ln": "lovelace", "ct": "berlin", "st": "be",
    "zp": "10115", "country": "de", "external_id": "u-7",
}  # fmt: skip
PERSON = {"first_name": "Ada", "last_name": "Lovelace"}
ON_STREET = {"city": "Berlin", "postal_code": "10115", "country": "DE"}
EMAIL, PHONE, NAME = "ada@example.com", "+49 30 901820", "Ada Lovelace"
TOLD: dict[str, tuple[str, dict]] = {
    "stripe": (
        "em ph fn ln ct st zp country external_id",
        {
            "data__object__customer_details": {
                "email": EMAIL, "phone": PHONE, "name": NAME, "address": ON_STREET | {"state": "BE"},
            },
            "data__object__metadata": {"external_id": "u-7"},
        },
    ),
    "paddle": (
        "em ph fn ln ct zp country external_id",
        {
            "data__customer": {"email": EMAIL, "name": NAME},
            "data__address": {"city": "Berlin", "postal_code": "10115", "country_code": "DE"},
            "data__custom_data": {"phone": PHONE, "external_id": "u-7"},
        },
    ),
    "lemonsqueezy": (
        "em fn ln external_id",
        {
            "data__attributes__user_email": EMAIL, "data__attributes__user_name": NAME,
            "meta__custom_data": {"external_id": "u-7"},
        },
    ),
    "razorpay": (
        "em ph external_id",
        {
            "payload__payment__entity__email": EMAIL, "payload__payment__entity__contact": PHONE,
            "payload__payment__entity__notes": {"external_id": "u-7"},
        },
    ),
    "shopify": (
        "em ph fn ln ct st zp country external_id",
        {
            "email": EMAIL, "phone": PHONE, "customer": {"id": "u-7"},
            "billing_address": PERSON
            | {"city": "Berlin", "zip": "10115", "country_code": "DE", "province_code": "BE", "province": "Land BE"},
        },
    ),
    "woocommerce": (
        "em ph fn ln ct st zp country external_id",
        {
            "billing": PERSON
            | {"email": EMAIL, "phone": PHONE, "city": "Berlin", "state": "BE", "postcode": "10115", "country": "DE"},
            "customer_id": "u-7",
        },
    ),
    "square": (
        "em fn ln ct st zp country external_id",
        {
            "data__object__payment__buyer_email_address": EMAIL, "data__object__payment__customer_id": "u-7",
            "data__object__payment__billing_address": PERSON
            | {"locality": "Berlin", "administrative_district_level_1": "BE", "postal_code": "10115", "country": "DE"},
        },
    ),
    "mollie": (
        "em ph fn ln ct st zp country external_id",
        {
            "_embedded__entity__customerId": "u-7",
            "_embedded__entity__billingAddress": {
                "email": EMAIL, "phone": PHONE, "givenName": "Ada", "familyName": "Lovelace", "city": "Berlin",
                "region": "BE", "postalCode": "10115", "country": "DE",
            },
        },
    ),
    "standard": (
        "em ph fn ln ct st zp country external_id",
        {
            "data__customer": {"email": EMAIL, "phone_number": PHONE, "name": NAME, "external_id": "u-7"},
            "data__billing_address": ON_STREET | {"state": "BE"},
        },
    ),
    "digistore24": (
        "em ph fn ln ct st zp country external_id",
        {
            "email": EMAIL, "address_phone_no": PHONE, "address_first_name": "Ada", "address_last_name": "Lovelace",
            "address_city": "Berlin", "address_state": "BE", "address_zipcode": "10115", "address_country": "DE",
            "buyer_id": "u-7",
        },
    ),
}  # fmt: skip
"""PayPal's notice of a capture names no buyer."""


@pytest.mark.parametrize("provider", TOLD)
def test_who_paid_reaches_meta_with_every_member_that_the_provider_tells(tmp_path, provider):
    names, members = TOLD[provider]
    with open_shop(tmp_path, **EVERY_PROVIDER) as shop:
        assert shop.told(provider, sample(provider, **members)).body["message"] == "accepted"
        (event,) = shop.events().values()
    person = {name: value for name, value in event["user_data"].items() if name in WHOLE}
    assert person == {name: [sha256(WHOLE[name].encode()).hexdigest()] for name in names.split()}, json.dumps(event)
