"""Digistore24's form: whose it is, and what each of an order's notices comes to."""

import hashlib
import itertools
import json
import random
from urllib.parse import urlencode

import pytest

from conversion_relay import SignatureError
from conversion_relay.payments import verify
from tests.payments.signing import form_of
from tests.webhooks.shop import EVERY_PROVIDER, NOW, open_shop
from tests.webhooks.stories import sample
from tests.webhooks.test_odd_notices import ODD

PHRASE = "s3cret-passphrase"
# Made by Digistore24: https://github.com/digistore24/ds24-skills, skills/ds24-ipn/scripts/vectors.json (MIT)
VECTORS = [
    (
        {"order_id": "ORD-1", "product_id": "42"},
        "9A23DE2603A33D17D935908580B5DB90C452DE8E68556E2A4AD96F1C3EC3BFD2"
        "EE3AE47B819B96286812224FBCED943D0ACF48C8C20CA57570E2263B6ABAF099",
    ),
    (
        {"amount": "47.00", "product_id": "42", "order_id": "ORD-1"},
        "D10912B7772A60B4CCA3F9B1BF1D5AE5E32D75FC75FCBC44BFD265D7890B07C3"
        "ACA99F1C6DB50A69AF4762A5C4C1812A4CF7C388367F93682F846AE74E685025",
    ),
    (
        {"order_id": "ORD-1", "note": "", "product_id": "42"},
        "9A23DE2603A33D17D935908580B5DB90C452DE8E68556E2A4AD96F1C3EC3BFD2"
        "EE3AE47B819B96286812224FBCED943D0ACF48C8C20CA57570E2263B6ABAF099",
    ),
    (  # names in capitals
        {"order_id": "ORD-1", "product_id": "42"},
        "650DFA85696C764CF5276397D48D5F1E7D1D0D42D2836E459CAE83A36814DF67"
        "E90C59A508B73D98280400758A65381D09BFA36D7F575345639D24F269A666A2",
    ),
    (
        {"order_id": "ORD-2", "buyer_first_name": "Jörg", "buyer_last_name": "Müller-Straße"},
        "2F30138F4508E37C322DF849C4421E0F2B876FD065762B3257253B6BB22256F1"
        "0BE479F442E3AE5B0922A3FE12A32355AB41B830481F2B4835F92A1B05E604B5",
    ),
    (
        {"order_id": "ORD-3", "custom": "m:abc+def/ghi=jkl", "buyer_email": "a+b@example.de"},
        "A3696FD825F03952BBA847F87B5622BE370CBC312406E58647E809D90BCF6133"
        "68AB228EC45C69B25D9A7EF8F4288BF08E5B66A774A3C49E5FC3FCCB189CE192",
    ),
]


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path, RELAY_REFUNDS="event", RELAY_TEST_PAYMENTS="ignore", **EVERY_PROVIDER) as opened:
        yield opened


def told(shop, name: str = "paid", **fields: str):
    return shop.told("digistore24", sample("digistore24", name, **fields))


def raw_answer(shop, raw: bytes):
    return shop.webhooks.answer("digistore24", raw, {})


def is_taken(raw: bytes, *secrets: str) -> bool:
    try:
        verify("digistore24", raw, {}, secrets or [PHRASE], NOW)
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize(("fields", "sign"), VECTORS)
def test_what_digistore24_itself_made_is_taken(fields, sign):
    for written in (sign, sign.lower()):
        assert is_taken(urlencode(fields | {"sha_sign": written}).encode())
        assert is_taken(urlencode({"SHASIGN": written} | fields).encode(), "another", PHRASE)
    assert not is_taken(urlencode(fields | {"sha_sign": sign}).encode(), "another")
    assert verify("digistore24", urlencode(fields | {"sha_sign": sign}).encode(), {}, [f"test:{PHRASE}"], NOW) == "test"


@pytest.mark.parametrize("sign", ["", "no_signature_passphrase_provided", "é", "0" * 128])
@pytest.mark.parametrize("secrets", [[PHRASE], [""], ["test:"], []])
def test_what_is_not_signed_is_nobodys_also_where_no_passphrase_is(sign, secrets):
    unsigned = hashlib.sha512(b"order_id=ORD-1").hexdigest().upper()
    with pytest.raises(SignatureError):
        verify("digistore24", urlencode({"order_id": "ORD-1", "sha_sign": sign}).encode(), {}, secrets, NOW)
    with pytest.raises(SignatureError):
        verify("digistore24", urlencode({"order_id": "ORD-1", "sha_sign": unsigned}).encode(), {}, secrets, NOW)


def test_what_was_changed_on_its_way_is_refused_or_says_the_same(shop):
    """A bit or a byte anywhere. What is taken all the same is another spelling of the same form."""
    chance, raw = random.Random("digistore24"), form_of(sample("digistore24"), "topsecret")
    for _ in range(1_500):
        at = chance.randrange(len(raw))
        changed = chance.choice(
            [
                raw[:at] + bytes([raw[at] ^ (1 << chance.randrange(8))]) + raw[at + 1 :],
                raw[:at] + raw[at + 1 :],
                raw[:at] + chance.choice([b"&", b"=", b"%", b"0", b"\xff"]) + raw[at:],
                raw[:at],
            ]
        )
        if is_taken(changed, "topsecret"):
            assert raw_answer(shop, changed).body.get("event_id", "purchase_cart-77") == "purchase_cart-77", changed
    assert set(shop.events()) <= {"purchase_cart-77"}


@pytest.mark.parametrize(
    "changed",
    [
        lambda raw: raw + b"&API_MODE=",
        lambda raw: raw + b"&Order_Id=&PAY_METHOD=",
        lambda raw: raw.replace(b"api_mode", b"Api_Mode").replace(b"pay_method", b"PAY_METHOD"),
    ],
)
@pytest.mark.parametrize("in_capitals", [False, True])
def test_a_test_does_not_become_a_sale_by_names_that_nobody_signed(shop, changed, in_capitals):
    raw = form_of(sample("digistore24", api_mode="test", pay_method="test"), "topsecret", in_capitals=in_capitals)
    assert raw_answer(shop, raw).body["reason"] == "test_payment"
    said = raw_answer(shop, changed(raw))
    assert said.status == 400 or said.body["reason"] == "test_payment"
    assert shop.events() == {}


def test_a_name_that_takes_a_part_of_its_value_along_is_refused(shop):
    raw = form_of(sample("digistore24", custom="consent=denied"), "topsecret")
    moved = raw.replace(b"custom=consent%3Ddenied", b"custom%3Dconsent=denied")
    assert raw_answer(shop, moved).body["reason"] == "signature_malformed" and moved != raw
    assert raw_answer(shop, raw).status == 200


def test_it_hears_ok_and_the_connection_test_counts_nothing(shop):
    said = told(shop)
    assert (said.status, said.content, said.content_type) == (200, b"OK", "text/plain; charset=utf-8")
    assert told(shop, event="connection_test").content == b"OK"
    refused = raw_answer(shop, b"event=on_payment")
    assert (refused.status, refused.content_type) == (400, "application/json") and b"sha_sign" in refused.content
    assert len(shop.events()) == 1


def test_an_upsell_of_the_order_is_a_payment_of_its_own(shop):
    ids = [told(shop, transaction_id=f"{n}", order_item_id=f"{n}0", custom="").body["event_id"] for n in (1, 2, 1)]
    assert ids == ["purchase_A1B2C3D4", "purchase_A1B2C3D4_2", "purchase_A1B2C3D4"]


def test_a_subscription_and_instalments_are_one_purchase_and_then_renewals(shop):
    for kind, first in (("subscription", 1), ("installment", 5)):
        for n in (1, 2, 3, 2):
            more = {"pay_sequence_no": str(n), "billing_type": kind, "order_id": kind, "custom": ""}
            told(shop, transaction_id=f"{first + n}", order_item_id=f"{first}", **more)
    made = {name: event["action_source"] for name, event in shop.events().items()}
    assert made == {
        "purchase_subscription": "other",
        "renewal_3": "system_generated",
        "renewal_4": "system_generated",
        "purchase_installment": "other",
        "renewal_7": "system_generated",
        "renewal_8": "system_generated",
    }


def test_what_went_back_is_told_of_its_purchase_with_and_without_a_minus(shop):
    told(shop)
    for n, amount in enumerate(("-10.00", "10.00")):
        told(shop, "refund", transaction_id=f"9{n}", transaction_amount=amount, parent_transaction_id="")
    backs = [event for event in shop.events().values() if event["event_name"] == "Refund"]
    assert [event["custom_data"]["value"] for event in backs] == [10.0, 10.0]
    assert {event["original_event_data"]["event_id"] for event in backs} == {"purchase_cart-77"}
    assert told(shop, transaction_id="8", transaction_amount="-5.00").body["reason"] == "not_an_amount"


def test_a_local_time_that_is_still_to_come_is_of_the_moment_it_was_told(shop):
    told(shop, transaction_date="2026-11-23", transaction_time="14:00:00")
    (event,) = shop.events().values()
    assert event["event_time"] == NOW


def test_a_genuine_form_of_any_shape_is_never_an_error(shop):
    chance = random.Random("shapes")
    names = itertools.cycle(("paid", "refund", "renewal", "pending"))
    for name in itertools.islice(names, 120):
        fields = sample("digistore24", name)
        for one in chance.sample(sorted(fields), 3):
            odd = chance.choice(ODD)
            fields[one] = (odd if isinstance(odd, str) else json.dumps(odd)).encode("utf-8", "replace").decode()
        answer = shop.told("digistore24", fields)
        assert answer.status == 200 or answer.body["reason"] == "payment_unknown", (fields, answer)


def test_no_person_and_no_passphrase_leaves_the_form(shop, caplog):
    told(shop, custom="Ada Canary", address_phone_no="+49 30 1234567")
    raw_answer(shop, form_of(sample("digistore24", custom="Ada Canary"), "topsecret")[:-1])
    written = json.dumps(shop.events()) + caplog.text
    assert not any(part in written.lower() for part in ("ada", "canary", "topsecret", "1234567"))
