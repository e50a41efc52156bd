"""Event ids: the same on both sides, sortable, and without an address in them."""

import hashlib
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay import event_id
from conversion_relay.personal_data import held

DIGEST = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"  # of test@example.com
PHONE = hashlib.sha256(b"16505551212").hexdigest()
EMAILS = st.emails(domains=st.sampled_from(["example.com", "mail.example.co.uk", "xn--bcher-kva.example"])).filter(
    lambda email: re.fullmatch(r"[\w.+-]+@[\w.-]+", email, re.ASCII) and "_" not in email
)


def sha(email: str) -> str:
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


@given(now=st.floats(0, 2**47 / 1000), entropy=st.binary(min_size=10, max_size=10))
def test_a_new_id_is_a_uuid_of_version_7_with_the_time_in_front(now, entropy):
    made = uuid.UUID(event_id.uuid7(now, entropy))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(now * 1000)
    assert made.int & (1 << 62) - 1 == int.from_bytes(entropy, "big") & (1 << 62) - 1


@given(first=st.integers(0, 2**37), later=st.integers(1, 2**37), a=st.binary(min_size=10, max_size=10))
def test_ids_sort_as_their_times_do_whatever_is_random_in_them(first, later, a):
    assert event_id.uuid7(first, b"\xff" * 10) < event_id.uuid7(first + later, a)


def test_only_the_random_part_tells_two_ids_of_one_moment_apart():
    made = {event_id.uuid7(1.7e9, n.to_bytes(10, "big")) for n in range(1_000)}
    assert len(made) == 1_000 and len({text[:13] for text in made}) == 1


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [
        ("contact_test@example.com_1692345678", f"contact_{DIGEST}_1692345678"),
        ("contact_TEST@Example.com_1692345678", f"contact_{DIGEST}_1692345678"),
        ("contact_test%40example.com_1692345678", f"contact_{DIGEST}_1692345678"),
        ("purchase_test@example.com", f"purchase_{DIGEST}"),
        ("test@example.com", DIGEST),
        ("a:test@example.com,b", f"a:{DIGEST},b"),
        ("contact_+16505551212_1", f"contact_{PHONE}_1"),
        ("contact_+1 (650) 555-1212_1", f"contact_{PHONE}_1"),
        ("contact_0016505551212_1", f"contact_{PHONE}_1"),
        ("lead_%2B1-650-555-1212", f"lead_{PHONE}"),
        ("contact_test&#64;example.com_1", f"contact_{DIGEST}_1"),
        ("contact_ｔｅｓｔ＠example.com_1", f"contact_{DIGEST}_1"),
        ("purchase_+500 points", "purchase_+500 points"),
        ("lead_test@example.com_test@example.com", None),
        ("order-1@", "order-1@"),
        ("@shop", "@shop"),
        ("price@3", "price@3"),
        ("purchase_abc", "purchase_abc"),
        ("", ""),
        ("注文_1", "注文_1"),
    ],
)
def test_an_address_in_a_foreign_id_becomes_its_digest_and_the_rest_stays(given_id, expected):
    made = event_id.without_email(given_id)
    assert held(made) != "email"
    if expected is not None:
        assert made == expected


@given(email=EMAILS, stamp=st.integers(1, 2**33))
def test_the_servers_contact_id_is_what_the_door_makes_of_the_pages_own(email, stamp):
    ours = event_id.for_contact(email, stamp)
    assert ours == f"contact_{sha(email)}_{stamp}"
    assert held(ours) != "email" and email.lower() not in ours


@given(text=st.text(max_size=60))
def test_any_id_is_free_of_addresses_after_the_door_and_the_same_the_second_time(text):
    made = event_id.without_email(text)
    assert event_id.without_email(made) == made
    if held(text) != "email":
        assert made == text


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("joe@example.com", True),
        ("JOE+tag@sub.example.museum", True),
        ("https://shop.example/thanks/joe%40example.com", True),
        ("?q=joe@example.com&x=1", True),
        ("jürgen@bücher.example", True),
        ("<joe@example.com>", True),
        ("joe@localhost", False),
        ("joe@example.c", False),
        ("joe @ example.com", False),
        ("@example.com", False),
        ("price @ 3.50", False),
        ("100% cotton", False),
        ("a%4example.com", False),
        ("", False),
    ],
)
def test_what_is_an_address_and_what_only_has_its_sign(text, holds):
    assert (held(text) == "email") is holds


@given(kind=st.sampled_from([event_id.for_registration, event_id.for_purchase]), order=st.text(max_size=20))
def test_an_order_gives_one_id_however_often_it_is_told(kind, order):
    assert kind(order) == kind(order)
    assert kind(order).endswith(f"_{order}") and event_id.for_purchase(order) != event_id.for_registration(order)


@pytest.mark.parametrize(
    "written",
    [
        *("undefined", "null", "None", "NaN", "[object Object]", " undefined ", "(not set)", "#N/A", "#REF!"),
        *("purchase_undefined", "purchase_null", "purchase_None", "order-NaN", "lead_", "ORDER:"),
        *("order_[object Object]", "purchase-null"),
        *("{{event_id}}", "purchase_{{order.id}}", "${orderId}", "<%= id %>", "%%ORDER%%", "*|ORDER|*", "{order_id}"),
    ],
)
def test_what_programs_and_templates_write_for_no_id_names_no_event(written):
    assert event_id.names_no_event(written)
    assert not event_id.surely_names_one(written)


@given(st.text(alphabet="undefilNoNa_-:{}$1 ", max_size=12))
def test_what_a_quick_look_takes_for_an_id_is_one(text):
    assert not (event_id.surely_names_one(text) and event_id.names_no_event(text))


@pytest.mark.parametrize(
    "written",
    [
        *("1", "a", "null-1", "undefined_1764230400", "registration_nan", "lead_none", "nullable", "x_y_"),
        *("0190163d-8694-739b-aea5-966c26f8ad91", "#1001", "ORD-2026-1", "a%20b", "{7}", "100%", "[1]", ""),
    ],
)
def test_an_odd_id_still_names_an_event(written):
    assert not event_id.names_no_event(written)
