"""Every store of registrations, by one suite: SQLite of the demo, and DynamoDB of AWS over moto."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import msgspec
import pytest

from conversion_relay import OutboxUnavailable
from conversion_relay.course_site.dynamodb import DynamoRegistrations
from conversion_relay.course_site.registrations import SqliteRegistrations
from conversion_relay.course_site.shop import Registration, Registrations
from tests.aws.moto_server import aws_calls, make_table

pytestmark = pytest.mark.xdist_group("aws")
NOW = 1_795_435_200
_numbers = count()


def dynamo_table(calls) -> str:
    text = [{"AttributeName": name, "AttributeType": "S"} for name in ("course_id", "email", "registration_id")]
    key = [{"AttributeName": "course_id", "KeyType": "HASH"}, {"AttributeName": "email", "KeyType": "RANGE"}]
    index = {
        "IndexName": "registration_id",
        "KeySchema": [{"AttributeName": "registration_id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    name = f"registrations{next(_numbers)}"
    return make_table(calls, name, KeySchema=key, AttributeDefinitions=text, GlobalSecondaryIndexes=[index])


@pytest.fixture(scope="module")
def calls():
    with aws_calls() as calls:
        yield calls


@pytest.fixture(params=["sqlite", "dynamodb"])
def store(request, tmp_path) -> Iterator[Registrations]:
    if request.param == "sqlite":
        yield SqliteRegistrations(tmp_path / "shop" / "registrations.db")
    else:
        calls = request.getfixturevalue("calls")
        yield DynamoRegistrations(calls, dynamo_table(calls))


def registration(registration_id: str = "r1", **more) -> Registration:
    whole = {
        "registration_id": registration_id,
        "course_id": "watercolour",
        "email": "Canary.Person@example.org",
        "name": "Canaria Personsson",
        "registered_at": NOW + 0.25,
    }
    return Registration(**whole | more)


def test_what_was_stored_is_found_whole(store):
    whole = registration(
        phone="+44 20 7946 0958",
        client_ip_address="8.8.4.4",
        client_user_agent="Mozilla/5.0",
        fbp="fb.1.1.1",
        fbc="fb.1.1.A",
        url="https://courses.example/?a=é",
        consent="granted",
        fields={"level": "beginner", "seats": 2, "share": 0.5, "news": True, "naïve": "日本"},
    )
    assert store.register(whole) == "r1"
    assert store.find("r1") == whole


@pytest.mark.parametrize("registration_id", ["", "nobody", "#r1", "r1 ", "'; DROP TABLE x; --", "é", "x" * 999])
def test_an_id_that_was_never_given_out_finds_nobody(store, registration_id):
    store.register(registration())
    assert store.find(registration_id) is None
    assert store.mark_paid(registration_id, NOW) is False


@pytest.mark.parametrize("again", ["canary.person@example.org", " CANARY.PERSON@EXAMPLE.ORG "])
def test_the_same_address_again_replaces_while_unpaid_and_keeps_its_id(store, again):
    store.register(registration("r1", phone="1"))
    assert store.register(registration("r2", email=again, phone="2")) == "r1"
    found = store.find("r1")
    assert (found.registration_id, found.phone) == ("r1", "2")
    assert store.find("r2") is None


def test_a_paid_one_is_not_replaced(store):
    store.register(registration("r1", phone="1"))
    store.register(registration("r2", phone="2"))
    assert store.mark_paid("r1", NOW) is True
    assert store.register(registration("r3", phone="3")) is None
    assert store.find("r3") is None
    assert (store.find("r1").paid_at, store.find("r1").phone) == (NOW, "2")


def test_courses_and_addresses_do_not_mix(store):
    store.register(registration("r1"))
    store.mark_paid("r1", NOW)
    assert store.register(registration("r2", course_id="sourdough")) == "r2"
    assert store.register(registration("r3", email="another@example.org")) == "r3"
    assert store.find("r2").paid_at is store.find("r3").paid_at is None


def test_a_payment_is_marked_once(store):
    store.register(registration())
    assert [store.mark_paid("r1", NOW), store.mark_paid("r1", NOW + 60)] == [True, False]
    assert store.find("r1").paid_at == NOW


def test_of_many_webhooks_at_once_one_is_the_first(store):
    store.register(registration())
    with ThreadPoolExecutor(8) as stripe:
        marked = list(stripe.map(lambda n: store.mark_paid("r1", NOW + n), range(16)))
    assert marked.count(True) == 1


def test_of_many_forms_at_once_one_counts_and_all_get_its_id(store):
    given: set[str | None] = set()

    def register(n: int) -> None:
        with contextlib.suppress(OutboxUnavailable):  # DynamoDB refuses transactions that meet; the visitor tries again
            given.add(store.register(registration(f"r{n}", phone=str(n))))

    with ThreadPoolExecutor(8) as visitors:
        list(visitors.map(register, range(8)))
    assert len(given) == 1 and store.find(given.pop())


def test_a_person_is_not_printed():
    assert repr(registration()) == "Registration(r1)"


def test_sqlite_remembers_over_a_restart_and_shows_the_file_to_nobody_else(tmp_path):
    path = tmp_path / "shop" / "registrations.db"
    SqliteRegistrations(path).register(registration())
    assert SqliteRegistrations(path).find("r1").name == "Canaria Personsson"
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("verb", ["register", "find", "mark_paid"])
def test_a_table_that_is_not_there_is_told_as_unavailable_and_names_nobody(calls, caplog, verb):
    store = DynamoRegistrations(calls, "nowhere")
    arguments = {"register": [registration()], "find": ["r1"], "mark_paid": ["r1", NOW]}[verb]
    with pytest.raises(OutboxUnavailable) as refused:
        getattr(store, verb)(*arguments)
    assert "DynamoDB" in str(refused.value)
    assert "canary" not in (str(refused.value) + caplog.text).lower()


def test_what_a_later_version_adds_does_not_keep_an_old_one_from_reading(tmp_path):
    document = msgspec.json.decode(msgspec.json.encode(registration())) | {"colour": "red"}
    assert msgspec.convert(document, Registration).name == "Canaria Personsson"
