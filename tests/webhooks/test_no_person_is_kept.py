"""What a notice leaves behind for the next one (orders, subscriptions, renewals) and in the log names nobody."""

import json
import logging

import pytest

from tests.payments.signing import rfc2104
from tests.webhooks.shop import NOW, open_shop_of

FILE = """
[[source]]
name = "school"
header = "X-Signature"
type = "kind"
paid = ["paid"]
renewed = ["renewed"]
refunded = ["returned"]
[source.fields]
key = "order"
payment = "payment"
subscription = "member"
refund = "refund"
value = "value"
currency = "currency"
time = "at"
email = "mail"
"""
PERSONS = ["zzcanary@example.org", "Zzcanary Zzbird", '{"name": "Zzcanary Zzbird", "phone": "+16505550199"}']


@pytest.fixture
def shop(tmp_path):
    with open_shop_of(tmp_path, FILE, SCHOOL_WEBHOOK_SECRET="canary", RELAY_SUBSCRIPTIONS="Subscribe") as opened:
        yield opened


def told(shop, kind: str, **members) -> str:
    notice = {"kind": kind, "order": "o-1", "value": 9.5, "currency": "EUR", "at": NOW - 60, "mail": "a@b.example"}
    raw = json.dumps(notice | members).encode()
    headers = {"x-signature": rfc2104(b"canary", raw).hex()}
    return shop.webhooks.answer("school", raw, headers).content.decode()


def kept(shop, folder) -> str:
    shop.relay.close()
    return "".join(file.read_text("latin-1") for file in folder.glob("outbox.db*") if file.is_file())


@pytest.mark.parametrize("person", PERSONS, ids=["email", "name", "document"])
def test_a_platform_that_names_a_subscription_by_its_member_leaves_no_person_in_the_outbox(shop, tmp_path, person):
    answers = [
        told(shop, "paid", member=person, payment="p-1"),
        told(shop, "renewed", member=person, payment=person),
        told(shop, "returned", member=person, payment=person, refund=person),
    ]
    events = shop.events()
    assert [event["event_name"] for event in events.values()] == ["Subscribe", "Purchase", "Refund"]
    refund = list(events.values())[-1]
    assert refund["original_event_data"]["event_id"] in events, "it is about the event under the id that Meta has"
    for text in (*answers, json.dumps(events), kept(shop, tmp_path)):
        assert "zzcanary" not in text.lower() and "zzbird" not in text.lower()


def test_a_subscription_that_is_named_by_its_member_is_one_subscription(shop):
    """The digest in the name's place is the same in every notice."""
    for n in (1, 2):
        told(shop, "paid", member=PERSONS[0], payment=f"p-{n}", order=f"o-{n}")
    assert [event["event_name"] for event in shop.events().values()] == ["Subscribe", "Purchase"]


def test_a_type_that_holds_an_address_or_a_number_is_struck_out_of_the_log(shop, caplog):
    """Which place tells the type is chosen by who writes the table; a program's own log has no filter of ours."""
    caplog.set_level(logging.INFO, "conversion_relay")
    told(shop, "message from zzcanary@example.org, +1 650 555 0199")
    (record,) = [one for one in caplog.records if one.message == "A payment notice was not counted"]
    assert record.kind == "message from ***, ***"
