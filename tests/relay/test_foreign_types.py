"""What a program takes from its database, its form or its data frame is read; one value of them costs no event."""

import ipaddress
import types

from conversion_relay import UserData
from tests.relay.test_misuse import tracked


class Column:
    """As numpy's arrays and the columns of a data frame."""

    def __len__(self):
        return 2

    def tolist(self):
        return ["5", "6"]


class NAType:
    """As pandas calls what is missing."""

    def __bool__(self):
        raise TypeError("ambiguous")


def phone(country_code, national_number, **more):
    """As phonenumbers' and django-phonenumber-field's."""
    plain = {"italian_leading_zero": None, "number_of_leading_zeros": None}
    return types.SimpleNamespace(country_code=country_code, national_number=national_number, **(plain | more))


def test_what_a_database_or_a_data_frame_gives_is_read():
    """A Django shop's phone field, an inet of PostgreSQL, a column with a gap: each cost the whole event."""
    as_texts = {"email": "jane@shop.example", "phone": "+16505551212", "client_ip_address": "198.51.100.7"}
    as_objects = {
        "email": {"jane@shop.example": 1}.keys(),
        "phone": phone(1, 6505551212),
        "client_ip_address": ipaddress.ip_address("198.51.100.7"),
        "city": NAType(),
    }
    assert tracked(user_data=as_objects)["user_data"] == tracked(user_data=as_texts)["user_data"]
    italian = UserData(email="jane@shop.example", phone=phone(39, 612345678, italian_leading_zero=True))
    assert tracked(user_data=italian) == tracked(user_data=UserData(email="jane@shop.example", phone="+390612345678"))
    no_number = {"email": "jane@shop.example", "phone": phone(None, None, raw_input="ask me")}
    assert tracked(user_data=no_number)["user_data"] == tracked()["user_data"]
    assert tracked(custom_data={"content_ids": Column()})["custom_data"] == {"content_ids": ["5", "6"]}
