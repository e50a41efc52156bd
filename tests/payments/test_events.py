"""From a notice to Meta's event: what is claimed of it is true."""

from decimal import Decimal

import pytest

from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.payments import Payment, Renewal
from conversion_relay.payments.events import Terms, event_of
from conversion_relay.payments.notice import Context, Customer, Money, Stage

NOW = 1_795_435_200


def paid(kind=Payment, **more):
    return kind(
        provider="stripe", webhook_id="e", payment_id="pi_1", order_key="1001", paid_at=NOW - 9,
        money=Money(Decimal("49.90"), "EUR"), **more,
    )  # fmt: skip


@pytest.mark.parametrize(("days", "is_claimed"), [(1, True), (89, True), (91, False)])
@pytest.mark.parametrize("kind", [Payment, Renewal])
def test_a_click_is_claimed_as_long_as_meta_counts_it(kind, days, is_claimed):
    fbc = f"fb.1.{(NOW - days * 86_400) * 1000}.AbC"
    event = event_of(paid(kind, context=Context(fbc=fbc)), RequestFacts(), Terms(), NOW)
    assert event.user_data.fbc == (fbc if is_claimed else None)


@pytest.mark.parametrize(
    ("facts", "source"),
    [
        (RequestFacts(client_user_agent="UA", url="https://shop.example/"), "website"),
        (RequestFacts(client_user_agent="UA"), "other"),
        (RequestFacts(url="https://shop.example/"), "other"),
        (RequestFacts(fbp="fb.1.1.1"), "other"),
    ],
)
def test_a_page_is_claimed_where_the_browser_and_the_page_are_known(facts, source):
    assert event_of(paid(), facts, Terms(), NOW).action_source == source


def test_money_of_which_nobody_is_named_is_counted_all_the_same():
    assert event_of(paid(), RequestFacts(), Terms(), NOW).user_data.external_id == "purchase_1001"
    named = paid(customer=Customer(email="ada.test@example.com"))
    assert event_of(named, RequestFacts(), Terms(), NOW).user_data.external_id is None


def test_a_stage_of_a_lead_is_of_the_crm_and_its_lead():
    stage = Stage(provider="crm", event_name="Qualified Lead", key="d-1", at=NOW, source="crm",
                  customer=Customer(lead_id="1234567890123456"))  # fmt: skip
    event = event_of(stage, RequestFacts(), Terms(), NOW)
    assert (event.event_id, event.action_source) == ("stage_d-1_Qualified-Lead", "system_generated")
    assert event.custom_data == {"event_source": "crm", "lead_event_source": "crm"}
    assert event.user_data.lead_id == "1234567890123456"


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ada Lovelace", "Ada", "Lovelace"),
        (" Ana \t María  García ", "Ana", "María García"),
        ("Ada", "Ada", None),
        ("Lovelace, Ada", "Ada", "Lovelace"),
        ("Prof. Dr. Ada Lovelace", "Ada", "Lovelace"),
        ("Ada Lovelace, Jr.", "Ada", "Lovelace"),
        ("Іван Петренко", "Іван", "Петренко"),
        ("山田 太郎", "太郎", "山田"),
        ("山田\u3000太郎", "太郎", "山田"),
        ("김 철수", "철수", "김"),
        ("山田太郎", None, None),
        ("김철수", None, None),
        (",", None, None),
        ("x" * 301, None, None),
    ],
)
def test_a_name_in_one_text_is_parted_where_its_order_is_known(name, first, last):
    person = event_of(paid(customer=Customer(name=name)), RequestFacts(), Terms(), NOW).user_data
    assert (person.first_name, person.last_name) == (first, last)


def test_a_buyer_whose_name_cannot_be_parted_is_counted_all_the_same():
    person = event_of(paid(customer=Customer(name="山田太郎")), RequestFacts(), Terms(), NOW).user_data
    assert person.external_id == "purchase_1001"
