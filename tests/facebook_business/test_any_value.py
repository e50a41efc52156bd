"""Values of any type and of each alphabet, through the SDK's names: nothing is raised, and the hashes are the SDK's own
where it is right."""

import hashlib
import importlib
from dataclasses import fields
from datetime import date
from decimal import Decimal

import pytest

from conversion_relay import facebook_business as shim
from tests.facebook_business.test_shim import THEIRS, collected
from tests.frameworks.shops import FBP

__all__ = ["collected"]


class Odd:
    """Of a program's own."""


ODD = [
    None,
    "",
    0,
    -1.5,
    float("nan"),
    True,
    b"x",
    Odd(),
    Odd,
    "\ud800",
    10**400,
    2j,
    Decimal("9.50"),
    date(1997, 2, 16),
]
ODD += [[], {}, ["a", None, ["b"]], {"k": [1]}, {1: 2}, ("a", "b"), {"a"}, shim.Gender.MALE, shim.Content(product_id=5)]


def odd_events():
    """One for each member of each shape and each odd value."""
    for value in ODD:
        for shape, name in ((shim.UserData, "user_data"), (shim.CustomData, "custom_data")):
            yield from (shim.Event("Lead", **{name: shape(**{one.name: value})}) for one in fields(shape))
        for one in fields(shim.Event):
            if one.init:
                yield shim.Event(**{"event_name": "Lead", one.name: value})


def test_a_value_of_any_type_costs_no_other_event_and_raises_nothing(collected):
    odd = list(odd_events())
    good = shim.Event("Lead", event_id="good", user_data=shim.UserData(external_id="7"))
    response = shim.EventRequest("1", [*odd, good]).execute()
    assert "good" in [event["event_id"] for event in collected.events]
    assert len(odd) > 1_000 and len(response.messages) > 100


ONE = {
    "email": ["j@s.example", " JANE@Shop.Example ", "jané@bücher.de", "a+b@c.co"],
    "phone": ["+1 650 555 1212", "16505551212", "0049 30 1234567", "650-555-1212", "+86 138 0013 8000"],
    "gender": [shim.Gender.MALE, shim.Gender.FEMALE],
    "date_of_birth": ["19970216"],
    "first_name": ["Jane", "JOSÉ", "Zoë", "Ελένη", "Иван", "محمد", "田中", "김", "Đặng", "נועה", "สมชาย"],
    "last_name": ["SMITH", "Müller", "Ñandú", "Øst", "Łukasz", "Θεοδώρου", "Жуков", "佐藤", "이"],
    "city": ["Menlo Park", "São Paulo", "MÜNCHEN", "東京", "Saint-Denis", "St. Louis", "Москва"],
    "state": ["CA", "N.Y.", "ny ", "東京都"],
    "country_code": ["us", "US", "de "],
    "zip_code": ["94035", "94035-1234", "SW1A 1AA", "10 115"],
    "f5first": ["Janes"],
    "f5last": ["Smith"],
    "fi": ["J"],
    "dobd": ["1", "16"],
    "dobm": ["2", "12"],
    "doby": ["1997"],
}


@pytest.mark.parametrize(("member", "value"), [(member, value) for member, values in ONE.items() for value in values])
def test_each_alphabet_comes_to_the_sdks_hash_where_the_sdk_is_right(collected, member, value):
    theirs = importlib.import_module(f"{THEIRS}.adobjects.serverside.user_data").UserData
    given = (
        getattr(importlib.import_module(f"{THEIRS}.adobjects.serverside.gender").Gender, value.name)
        if (isinstance(value, shim.Gender))
        else value
    )
    expected = theirs(**{member: given}).normalize()
    (event,) = shim.EventRequest(
        "1", [shim.Event("Lead", user_data=shim.UserData(**{member: value}, fbp=FBP))]
    ).normalize()
    for key, hashed in expected.items():
        assert event["user_data"][key] in (hashed, [hashed], list(hashed))


def test_an_external_id_is_hashed_where_the_sdk_sends_it_as_it_is(collected):
    """Told in docs/from-facebook-business.md; the pixel's copy must be the same text before it is hashed."""
    theirs = importlib.import_module(f"{THEIRS}.adobjects.serverside.user_data").UserData
    assert theirs(external_id="Customer-7").normalize()["external_id"] in ("Customer-7", ["Customer-7"])
    (event,) = shim.EventRequest(
        "1", [shim.Event("Lead", user_data=shim.UserData(external_id="Customer-7"))]
    ).normalize()
    assert event["user_data"]["external_id"] == [hashlib.sha256(b"customer-7").hexdigest()]
