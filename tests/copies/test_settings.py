"""RELAY_COPIES_TO and what else a [[dataset]] table may say for itself: what cannot be right ends the start."""

import hashlib

import pytest

from conversion_relay.errors import SettingsError
from conversion_relay.intake.consent import POLICY_HEADER
from tests.copies import AGENCY, BRAND, MARKET, SHOP, brand, settings, table


def copying(pixel_id: str, *names: str) -> str:
    return table(pixel_id, f"RELAY_COPIES_TO = {list(names)}")


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ([copying("1", "9")], "RELAY_COPIES_TO: its name 1 is no META_PIXEL_ID of a [[dataset]] table"),
        ([copying("1", "2", "9"), table("2")], "[[dataset]] 1: RELAY_COPIES_TO: its name 2 is no META_PIXEL_ID"),
        ([table("2"), copying("1", "1")], "[[dataset]] 2: RELAY_COPIES_TO: it names its own dataset"),
        ([copying("1", "2"), copying("2", "1")], "[[dataset]] 1: RELAY_COPIES_TO: tables 1 to 2 to 1 copy in a circle"),
        (
            [table("9"), copying("1", "2"), copying("2", "3"), copying("3", "2")],
            "[[dataset]] 3: RELAY_COPIES_TO: tables 3 to 4 to 3 copy in a circle",
        ),
        ([copying("1", "x")], "[[dataset]] 1: RELAY_COPIES_TO: expected pixel ids, digits only"),
        ([copying("1", *map(str, range(2, 14)))], "[[dataset]] 1: RELAY_COPIES_TO: at most 10 datasets"),
        ([table("1", "RELAY_COPIES_TO = [true]")], "[[dataset]] 1: RELAY_COPIES_TO: a list of texts"),
        (
            [table("1", 'RELAY_COPY_TO = "2"')],
            "[[dataset]] 1: RELAY_COPY_TO: there is no such setting; RELAY_COP",
        ),
        ([table("1", "RELAY_MOST_PER_SECOND = 0")], "[[dataset]] 1: RELAY_MOST_PER_SECOND: expected a whole"),
        (
            [table("1", "RELAY_MOST_PER_DAY = -5")],
            "[[dataset]] 1: RELAY_MOST_PER_DAY: expected a whole number from 1 on",
        ),
        (
            [table("1", 'RELAY_CONSENT = "maybe"')],
            "[[dataset]] 1: RELAY_CONSENT: one of send, limited_data_use, withhold",
        ),
        ([table("1", 'RELAY_API_KEYS = "sha256:abc"')], "[[dataset]] 1: RELAY_API_KEYS: after sha256: stand 64"),
        (
            [table("1", f'RELAY_API_KEYS = "SHA256:{"a" * 64}"')],
            "[[dataset]] 1: RELAY_API_KEYS: after sha256: stand 64",
        ),
    ],
)
def test_what_cannot_be_right_is_told_by_table_and_setting(tmp_path, tables, told):
    with pytest.raises(SettingsError) as error:
        settings(tmp_path, *tables)
    assert str(error.value).startswith(told)


def test_copies_to_a_dataset_need_tables_and_the_environment_says_so(tmp_path):
    with pytest.raises(SettingsError, match=r"^RELAY_COPIES_TO: its name 1 is no META_PIXEL_ID of a \[\[dataset\]\]"):
        settings(tmp_path, META_PIXEL_ID="1", META_ACCESS_TOKEN="EAA", RELAY_COPIES_TO="2")


def test_a_copy_is_not_copied_again(tmp_path):
    read = settings(tmp_path, copying("1", "2"), copying("2", "3"), table("3"))
    first, second, _ = read.datasets
    assert [one.pixel_id for one in read.with_copies(first)] == ["1", "2"]
    assert [one.pixel_id for one in read.with_copies(second)] == ["2", "3"]
    assert [one.pixel_id for one in read.with_copies(first, second)] == ["1", "2", "3"]


def test_ids_may_be_numbers_and_stand_twice(tmp_path):
    assert settings(tmp_path, table("1", "RELAY_COPIES_TO = [2, 2]"), table("2")).datasets[0].copies_to == ("2",)


def test_what_a_table_says_of_itself_is_stronger_than_what_holds_for_all(tmp_path):
    own = ('RELAY_GPC = "withhold"', "RELAY_MAX_VALUE = 50", 'RELAY_PUBLIC_EVENTS = ["Lead"]')
    tables = (brand(), table(AGENCY, *own, 'RELAY_CONSENT = "withhold"', 'RELAY_DEFAULT_COUNTRY = "FR"'))
    read = settings(
        tmp_path, *tables, top='RELAY_CONSENT = "limited_data_use"\nRELAY_MAX_VALUE = 500', RELAY_GPC="ignore"
    )
    first, second = map(read.policy, read.datasets)
    assert (first.silence, first.gpc, first.max_value) == ("limited_data_use", "ignore", 500.0)
    assert (second.silence, second.gpc, second.max_value) == ("withhold", "withhold", 50.0)
    assert (second.public_event_names, second.default_country) == (frozenset({"Lead"}), "fr")
    assert read.of(read.datasets[1]).told_policy == {POLICY_HEADER: "gpc=withhold, consent=required"}


def test_a_page_that_sends_to_several_datasets_is_told_the_strictest_policy(tmp_path):
    strict = table(MARKET, f'RELAY_ALLOWED_ORIGINS = "{SHOP}"', 'RELAY_CONSENT = "withhold"')
    loose = table(AGENCY, f'RELAY_ALLOWED_ORIGINS = "{SHOP}"', 'RELAY_GPC = "ignore"')
    read = settings(tmp_path, loose, strict)
    assert read.strictest(read.datasets).told_policy == {POLICY_HEADER: "gpc=limit, consent=required"}


def test_neither_a_key_nor_its_digest_shows(tmp_path):
    digest = hashlib.sha256(b"a-key-that-nobody-knows").hexdigest()
    read = settings(tmp_path, table(BRAND, f'RELAY_API_KEYS = ["plain-key", "sha256:{digest}"]'))
    assert digest not in repr(read) and "plain-key" not in repr(read)
