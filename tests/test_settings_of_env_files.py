"""What env files leave of a value: docker keeps its quotes, one of Windows a CR, a compose file eats dollars."""

import pytest

from conversion_relay.dashboard.password import Password
from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings

ENV = {"META_PIXEL_ID": "123", "META_ACCESS_TOKEN": "EAAsecret"}
VALUES = {
    "META_PIXEL_ID": "1232612085335834",
    "META_ACCESS_TOKEN": "EAAcanary",
    "META_APP_SECRET": "canary",
    "META_TEST_EVENT_CODE": "TEST123",
    "META_GRAPH_VERSION": "v27.0",
    "RELAY_ADMIN_PASSWORD": "canary and more",
    "RELAY_ALLOWED_ORIGINS": "https://shop.example",
    "RELAY_API_KEYS": "canary",
    "RELAY_CONSENT": "withhold",
    "RELAY_DEFAULT_COUNTRY": "DE",
    "RELAY_LOG_FORMAT": "json",
    "RELAY_MAX_VALUE": "500",
    "RELAY_OUTBOX": "sqlite:////var/lib/canary.db",
    "RELAY_PUBLIC_EVENTS": "Lead",
    "RELAY_SET_COOKIES": "true",
    "STRIPE_WEBHOOK_SECRET": "whsec_canary",
    "PAYPAL_WEBHOOK_ID": "canary",
    "STRIPE_API_KEY": "rk_canary",
    "SHOPIFY_ORDER_KEY": "note_attributes.key",
}


def read(env: dict[str, str]) -> tuple[str, list[str]]:
    found = Settings.from_env(env)
    return repr(found), found.secrets()


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("name", VALUES)
def test_quotes_that_belong_to_a_value_are_told_and_the_value_is_not(name, quote):
    with pytest.raises(SettingsError) as error:
        Settings.from_env(ENV | {name: f"{quote}{VALUES[name]}{quote}"})
    assert str(error.value).startswith(f"{name}: ") and "quotes" in str(error.value)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("name", VALUES)
def test_a_line_end_is_no_part_of_a_value(name, end):
    assert read(ENV | {name: VALUES[name] + end}) == read(ENV | {name: VALUES[name]})


def test_blanks_are_no_part_of_a_value_but_of_a_password():
    assert read(ENV | {"STRIPE_WEBHOOK_SECRET": " whsec_1 "}) == read(ENV | {"STRIPE_WEBHOOK_SECRET": "whsec_1"})
    assert read(ENV | {"META_TEST_EVENT_CODE": " TEST1"}) == read(ENV | {"META_TEST_EVENT_CODE": "TEST1"})
    assert Settings.from_env(ENV | {"RELAY_ADMIN_PASSWORD": " a "}).admin_password.reveal() == " a "


@pytest.mark.parametrize("name", ["RELAY_API_KEYS", "STRIPE_WEBHOOK_SECRET", "RELAY_PUBLIC_EVENTS"])
def test_a_list_in_brackets_is_told(name):
    with pytest.raises(SettingsError, match=f"{name}: .*brackets"):
        Settings.from_env(ENV | {name: '["a", "b"]'})


def test_a_table_of_the_file_is_read_the_same_way(tmp_path):
    file = tmp_path / "relay.toml"
    file.write_text('[[dataset]]\nMETA_PIXEL_ID = "1"\nMETA_ACCESS_TOKEN = "t"\nRELAY_API_KEYS = "\'canary\'"\n')
    with pytest.raises(SettingsError, match="quotes") as error:
        Settings.from_env({"RELAY_CONFIG": str(file)})
    assert "canary" not in str(error.value)


def test_what_is_no_setting_of_ours_may_hold_what_it_likes():
    assert Settings.from_env(ENV | {"PS1": '"', "GREETING": '"hello"', "LESSOPEN": "[x]"}).datasets[0].pixel_id == "123"


@pytest.mark.parametrize("left", ["=19=65536,t=3,p=4", "=19=65536,t=3,p=4/abc+"])
def test_what_is_left_of_a_hash_is_no_password(left):
    with pytest.raises(SettingsError, match="dollar signs"):
        Password(left)


def test_a_password_of_another_charset_is_compared_and_no_error():
    assert Password("caf\udce9").is_right(b"caf\xe9")
