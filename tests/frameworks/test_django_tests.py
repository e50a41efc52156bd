"""What a Django shop's own tests and its signals' receivers rely on."""

import pytest

from conversion_relay import Event, UserData
from tests.frameworks.shops import AGENT, FBP

pytestmark = pytest.mark.usefixtures("django_shop")


def lead(event_id: str = "lead-1") -> Event:
    return Event(event_name="Lead", event_id=event_id, user_data=UserData(email="jane@shop.example"))


def test_a_shop_whose_outbox_is_in_its_own_database_is_tested_like_any_other(collected):
    """A test's database holds no outbox: what is collected there still waits for the transaction."""
    from django.db import transaction
    from django.test import override_settings

    from conversion_relay.frameworks.django import track

    with override_settings(CONVERSION_RELAY={"OUTBOX_DATABASE": "default"}):
        for fails in (True, False):
            with transaction.atomic():
                assert track(None, lead()).status == "pending"
                transaction.set_rollback(fails)
            assert len(collected.events) == (0 if fails else 1)


@pytest.mark.parametrize("said", ["granted", "denied"])
def test_a_signal_without_a_request_knows_what_the_visitor_said_at_the_checkout(collected, said):
    """django-oscar's `order_placed` has none, and a task has none either."""
    from django.db import transaction
    from django.test import RequestFactory, override_settings

    from conversion_relay.frameworks.django import get_relay, track, visitor

    with override_settings(CONVERSION_RELAY={"CONSENT_COOKIE": "marketing"}):
        asked = RequestFactory(HTTP_USER_AGENT=AGENT, HTTP_COOKIE=f"marketing={said}; _fbp={FBP}").post("/checkout")
        visitor(asked).remember("basket-7")
        for fails in (True, False):
            with transaction.atomic():
                told = track(get_relay().facts_of("basket-7"), lead())
                transaction.set_rollback(fails)
            known = [event["user_data"]["fbp"] for event in collected.events]
            assert known == ([FBP] if said == "granted" and not fails else [])
        assert told.status == ("pending" if said == "granted" else "withheld")
        assert track(get_relay().facts_of("nobody"), lead()).event_id == "lead-1"


@pytest.fixture
def orders(tmp_path):
    """A second database, as a shop with routers has it."""
    from django.db import connections

    connections.databases["orders"] = {**connections.databases["default"], "NAME": str(tmp_path / "orders.db")}
    yield "orders"
    connections["orders"].close()
    del connections["orders"], connections.databases["orders"]


@pytest.mark.parametrize("outbox", ["default", "orders", None])
def test_an_order_of_another_database_that_is_rolled_back_tells_meta_nothing(collected, orders, outbox):
    from django.db import transaction
    from django.test import override_settings

    from conversion_relay.frameworks.django import track

    with override_settings(CONVERSION_RELAY={"OUTBOX_DATABASE": outbox} if outbox else {}):
        for fails in (True, False):
            with transaction.atomic(using=orders):
                assert track(None, lead()).status == "pending"
                transaction.set_rollback(fails, using=orders)
            assert len(collected.events) == (0 if fails else 1)


def test_the_transaction_of_the_outboxs_database_is_waited_for_before_any_other(collected, orders):
    from django.db import transaction
    from django.test import override_settings

    from conversion_relay.frameworks.django import track

    with override_settings(CONVERSION_RELAY={"OUTBOX_DATABASE": orders}), transaction.atomic():
        with transaction.atomic(using=orders):
            track(None, lead())
            transaction.set_rollback(True, using=orders)
        with transaction.atomic(using=orders):
            track(None, lead("lead-2"), using="default")
            transaction.set_rollback(True, using=orders)
    assert [event["event_id"] for event in collected.events] == ["lead-2"]
