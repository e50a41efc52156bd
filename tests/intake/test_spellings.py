"""Other programs' names for what Meta calls otherwise."""

import pytest

from conversion_relay.event import Event, UserData
from conversion_relay.intake.spellings import EVENT_MEMBERS, LONGEST_NAME, PERSON_MEMBERS, spelling


@pytest.mark.parametrize("kind", [Event, UserData])
def test_each_of_our_own_names_is_one_spelling_of_itself(kind):
    known = EVENT_MEMBERS if kind is Event else PERSON_MEMBERS
    assert [known[spelling(name)] for name in kind.__struct_fields__] == list(kind.__struct_fields__)


def test_every_spelling_is_of_a_key_that_exists():
    assert set(PERSON_MEMBERS.values()) <= set(UserData.__struct_fields__)
    assert all(word == spelling(word) for word in PERSON_MEMBERS)


def test_a_key_of_several_values_is_named_in_the_plural_as_in_metas_sdks():
    plural = "emails phones genders dates_of_birth last_names first_names cities states countryCodes zips zip_codes"
    keys = "email phone gender date_of_birth last_name first_name city state country zip zip"
    assert [PERSON_MEMBERS[spelling(name)] for name in plural.split()] == keys.split()


@pytest.mark.parametrize("name", ["name", "id", "mail", "address", "street", "", "x" * (LONGEST_NAME + 1)])
def test_what_could_mean_several_things_is_not_guessed(name):
    assert spelling(name) not in PERSON_MEMBERS
