"""The seed's functions, with what a function on AWS has in hand: DynamoDB's numbers and sets, a model, what no JSON
can hold."""

import dataclasses
import datetime
import hashlib
import importlib.util
import json
import uuid
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import phonenumbers
import pytest

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox

LAMBDA = Path(__file__).parents[2] / "lambda"
FACTS = {"client_ip_address": "8.8.4.4", "client_user_agent": "Mozilla/5.0"}


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.setenv("META_PIXEL_ID", "1")
    monkeypatch.setenv("META_ACCESS_TOKEN", "EAAcanary")
    monkeypatch.setenv("RELAY_OUTBOX", f"sqlite:///{tmp_path}/outbox.db")
    spec = importlib.util.spec_from_file_location("meta_conversions_api", LAMBDA / "meta_conversions_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    module._relay().close()


def kept(module) -> dict:
    """The one event of the outbox, as it goes to Meta."""
    module._relay().close()
    module._relay.cache_clear()
    outbox = SqliteOutbox(module.os.environ["RELAY_OUTBOX"].removeprefix("sqlite:///"))
    (event,) = outbox.claim("1", 10, 60, 2e9).events
    outbox.close()
    return json.loads(event.body)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_what_dynamodb_gives_is_read_as_what_it_is(module):
    phone, account = phonenumbers.parse("+49 170 5551234"), uuid.UUID(int=7)
    user = {"email": b"Joe@Example.com", "phone": phone, "external_id": account}
    bought = {"value": Decimal("299.99"), "currency": "usd", "num_items": Decimal(2), "content_ids": {"course-1"}}
    told = module.handle_purchase(user | FACTS, bought, order_id="abc123")
    assert told == {"success": True, "event_id": "purchase_abc123"}
    event = kept(module)
    assert event["user_data"]["em"] == [sha256("joe@example.com")]
    assert event["user_data"]["ph"] == [sha256("491705551234")]
    assert event["user_data"]["external_id"] == [sha256(str(account))]
    assert event["custom_data"] == {
        "value": 299.99, "currency": "USD", "num_items": 2, "content_ids": ["course-1"], "order_id": "abc123",
    }  # fmt: skip


@pytest.mark.parametrize("order_id", [1001, 1001.0, Decimal(1001), b"1001"])
def test_the_id_of_an_order_is_the_pages_whatever_type_the_table_gives_it(module, order_id):
    told = module.handle_purchase({"email": "joe@example.com"}, {"value": 5, "currency": "USD"}, order_id=order_id)
    assert told == {"success": True, "event_id": "purchase_1001"}


def test_two_registrations_whose_ids_are_not_in_utf_8_are_two(module):
    """Latin-1, from an old table: one mark for each letter outside UTF-8 would make one registration of both."""
    keys = (b"K\xf6ln-1", b"K\xfcln-1")
    told = [module.handle_complete_registration({"email": "joe@example.com"}, registration_id=key) for key in keys]
    assert all(one["success"] for one in told) and told[0]["event_id"] != told[1]["event_id"]


def test_two_orders_without_an_id_are_two(module):
    """A gap in a data frame: one id for all of them would make duplicates of all but the first."""
    person, bought = {"email": "joe@example.com"}, {"value": 5, "currency": "USD"}
    told = [module.handle_purchase(person, bought, order_id=float("nan")) for _ in range(2)]
    assert all(one["success"] for one in told) and told[0]["event_id"] != told[1]["event_id"]


def test_a_date_is_the_moment_of_the_event(module):
    at = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    module.send_conversion_event("Lead", {"email": "joe@example.com", **FACTS}, event_id="a", event_time=at)
    assert kept(module)["event_time"] == int(at.timestamp())


@dataclasses.dataclass
class Customer:
    name: str


class Model:
    def __repr__(self) -> str:
        return "Model(name='Joe Smith', email='joe@example.com')"


@pytest.mark.parametrize(
    ("user", "custom", "field"),
    [
        ({"email": Model()}, {}, "user_data.email"),
        ({"email": "joe@example.com"}, {"value": 5, "student": Model()}, "custom_data.student"),
        ({"email": "joe@example.com"}, {"value": 5, "x": SimpleNamespace(name="Joe")}, "custom_data.x"),
        ({"email": b"\xff\xfe"}, {}, "user_data.email"),
    ],
)
def test_an_object_of_a_program_is_refused_by_its_name_and_never_sent_as_its_repr(module, user, custom, field):
    told = module.handle_purchase(user | FACTS, custom, order_id="abc123")
    assert told["success"] is False and told["field"] == field
    assert "Joe" not in json.dumps(told) and "joe" not in json.dumps(told)


def test_a_record_of_a_dataclass_is_no_person_in_clear(module):
    custom = {"value": 5, "currency": "USD", "customer": Customer("Joe Smith")}
    module.handle_purchase({"email": "joe@example.com", **FACTS}, custom, order_id="abc123")
    assert "Joe Smith" not in json.dumps(kept(module))


@pytest.mark.parametrize("event_id", ["contact_jane@shop.example_1", "contact_+49 170 5551234", b"jane@", [7], None])
def test_a_refusal_names_its_event_without_a_person_and_is_json(module, event_id):
    """The answer goes into the caller's log; Lambda makes JSON of it."""
    told = module.send_conversion_event("Lead", "no object", event_id=event_id)
    assert told["success"] is False and told["field"] == "user_data"
    assert not any(text in json.dumps(told) for text in ("jane@", "5551234"))


@pytest.mark.parametrize(("registration_id", "event_id"), [("r-7", "registration_r-7"), (7, "registration_7")])
def test_a_registration_that_is_refused_is_called_as_its_page_called_it(module, registration_id, event_id):
    assert module.handle_complete_registration("no object", None, registration_id)["event_id"] == event_id
    assert module.send_conversion_event("Lead", "no object", event_id=7)["event_id"] == 7
