"""What env files leave of a value: docker keeps its quotes, one of Windows a CR, a compose file eats dollars."""

import os

import pytest

from conversion_relay.dashboard.password import Password
from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings, misspelt, values

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


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_another_charset_is_told_and_not_shown(name):
    """`é` in Latin-1: each notice of the provider was an error, and so was each call to Meta."""
    of_latin_1 = f"{VALUES[name]}é".encode("latin-1").decode("utf-8", "surrogateescape")  # as CPython reads it
    with pytest.raises(SettingsError) as error:
        Settings.from_env(ENV | {name: of_latin_1})
    assert str(error.value).startswith(f"{name}: ") and "UTF-8" in str(error.value)
    assert "canary" not in str(error.value) and str(error.value).isascii()


@pytest.mark.parametrize("name", [*VALUES, "RELAY_CONFIG", "META_ACCESS_TOKEN_FILE"])
def test_a_zero_byte_is_told(name):
    """Of a mapping, or of TOML (`"\\u0000"`); no environment holds one."""
    with pytest.raises(SettingsError, match=f"{name}: it holds a zero byte"):
        Settings.from_env(ENV | {name: f"{VALUES.get(name, 'a')}\0"})


def test_the_name_of_a_file_is_in_the_charset_of_its_disk(tmp_path):
    """`RELAY_CONFIG`, and the token's file."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:  # macOS takes names in UTF-8 alone
        return
    (folder / "token").write_text("EAAx")
    env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN_FILE": str(folder / "token")}
    assert Settings.from_env(env).datasets[0].access_token.reveal() == "EAAx"
    (folder / "relay.toml").write_text('RELAY_GPC = "withhold"')
    assert Settings.from_env(ENV | {"RELAY_CONFIG": str(folder / "relay.toml")}).gpc == "withhold"


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


@pytest.mark.parametrize(
    "content",
    [
        b"EAAcanary\r\n",
        b"\xef\xbb\xbfEAAcanary",
        "EAAcanary\r\n".encode("utf-16"),
    ],
)
@pytest.mark.parametrize("end", ["", "\r", " "])
def test_a_token_is_read_from_a_file_of_any_editor(tmp_path, content, end):
    (file := tmp_path / "token").write_bytes(content)
    found = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN_FILE": f"{file}{end}"})
    assert found.datasets[0].access_token.reveal() == "EAAcanary"
    assert [seen.path for seen in found.read_from] == [str(file)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b'"EAAcanary"', "quotes"),
        (b"META_ACCESS_TOKEN=EAAcanary", "the token alone"),
        (b'{"token": "EAAcanary"}', "the token alone"),
        (b"EAA canary", "odd character"),
        (b"\x80canary", "not UTF-8"),
    ],
)
def test_what_is_no_token_is_told_by_the_name_of_its_file_and_not_used(tmp_path, content, said):
    (file := tmp_path / "token").write_bytes(content)
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN_FILE": str(file)})
    assert str(error.value).startswith("META_ACCESS_TOKEN_FILE: ")
    assert said in str(error.value) and "canary" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "said"), [("canary", "no such file"), ("", "folder"), ("canary" * 99, "cannot be read")]
)
@pytest.mark.parametrize("setting", ["META_ACCESS_TOKEN_FILE", "RELAY_CONFIG"])
def test_a_file_that_cannot_be_read_is_told_with_why_and_without_its_name(tmp_path, setting, name, said):
    """A token may stand where its file's name belongs."""
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"META_PIXEL_ID": "1", setting: f"{tmp_path}/{name}"})
    assert str(error.value).startswith(f"{setting}: ") and said in str(error.value)
    assert "canary" not in str(error.value)


def test_the_settings_files_name_is_read_without_what_an_env_file_left(tmp_path):
    (file := tmp_path / "relay.toml").write_bytes('META_PIXEL_ID = 7\r\nMETA_ACCESS_TOKEN = "t"\r\n'.encode("utf-16"))
    found = Settings.from_env({"RELAY_CONFIG": f"{file}\r"})
    assert found.only_dataset == "7" and [seen.path for seen in found.read_from] == [str(file)]
    with pytest.raises(SettingsError, match=r"^RELAY_CONFIG: .*quotes"):
        Settings.from_env({"RELAY_CONFIG": f'"{file}"'})


def test_settings_in_a_pipe_are_refused_before_anybody_waits_for_it(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    with pytest.raises(SettingsError, match=r"^RELAY_CONFIG: it is a pipe"):
        Settings.from_env({"RELAY_CONFIG": str(pipe)})


OF_A_SERVICE = {
    "RELAY_PORT": "tcp://10.96.0.7:8000",
    "RELAY_SERVICE_HOST": "10.96.0.7",
    "RELAY_SERVICE_PORT": "8000",
    "RELAY_SERVICE_PORT_HTTP": "8000",
    "RELAY_PORT_8000_TCP": "tcp://10.96.0.7:8000",
    "RELAY_PORT_8000_TCP_ADDR": "10.96.0.7",
    "META_RELAY_PORT_8000_TCP_PROTO": "tcp",
    "RELAY_OUTBOX_SERVICE_HOST": "10.96.0.8",
}


def test_what_kubernetes_writes_for_a_service_named_relay_is_nobodys_mistake(caplog):
    misspelt._warn.cache_clear()
    assert read(ENV | OF_A_SERVICE) == read(ENV)
    assert not caplog.records


@pytest.mark.parametrize("name", ["RELAY_PORT", "RELAY_HOST", "RELAY_PATH"])
def test_a_name_that_only_begins_like_a_setting_is_not_taken_for_another(name, caplog):
    misspelt._warn.cache_clear()
    Settings.from_env(ENV | {name: "8000"})
    assert [record.getMessage() for record in caplog.records] == [f"{name} is no setting of the relay and is not read"]


@pytest.mark.parametrize("name", ["RELAY_ADMIN_PASSWORD", "RELAY_API_KEYS", "META_APP_SECRET", "META_PIXEL_ID"])
def test_a_setting_that_is_looked_for_in_a_file_of_its_own_is_told_where_it_may_stand(name):
    env = {key: value for key, value in ENV.items() if key != name}
    with pytest.raises(SettingsError, match=rf"^{name}_FILE: .*; {name} may stand in the TOML file"):
        Settings.from_env(env | {f"{name}_FILE": "/run/secrets/canary"})


def test_of_a_providers_secret_in_a_file_a_shop_is_warned(caplog):
    misspelt._warn.cache_clear()
    Settings.from_env(ENV | {"STRIPE_WEBHOOK_SECRET_FILE": "/run/secrets/canary", "POSTGRES_PASSWORD_FILE": "x"})
    (record,) = caplog.records
    assert record.getMessage().startswith("STRIPE_WEBHOOK_SECRET_FILE is no setting") and "canary" not in caplog.text


@pytest.mark.parametrize("left", ["${CANARY}", "{{ canary.key }}", "$(CANARY)"])
@pytest.mark.parametrize(
    "name", ["META_ACCESS_TOKEN", "RELAY_API_KEYS", "RELAY_ADMIN_PASSWORD", "STRIPE_WEBHOOK_SECRET"]
)
def test_what_nothing_replaced_is_no_secret(name, left):
    """Anybody could guess it. systemd, TOML and Kubernetes leave what they do not know as it stands."""
    with pytest.raises(SettingsError, match=rf"^{name}: .*placeholder") as error:
        Settings.from_env(ENV | {name: left})
    assert "canary" not in str(error.value).lower()


def test_a_password_may_hold_any_signs():
    for password in ("$ecret", "a${b}", "$(x)y", "{{", "$2b$12$abc"):
        assert Settings.from_env(ENV | {"RELAY_ADMIN_PASSWORD": password}).admin_password.reveal() == password


@pytest.mark.parametrize("name", ["RELAY_PUBLIC_EVENTS", "RELAY_HOLD_LATE"])
def test_a_standard_event_in_another_spelling_is_told(name, caplog):
    values._warn.cache_clear()
    Settings.from_env(ENV | {name: "purchase, Page View, Lead, my_own"})
    assert sorted(record.getMessage().partition(" in another")[0] for record in caplog.records) == [
        f"{name} lists PageView",
        f"{name} lists Purchase",
    ]


def test_metas_address_is_told_to_be_without_its_version():
    with pytest.raises(SettingsError, match="META_GRAPH_VERSION says"):
        Settings.from_env(ENV | {"META_GRAPH_URL": "https://graph.facebook.com/v27.0/"})


def test_the_most_money_may_be_a_number_with_a_fraction(tmp_path):
    (file := tmp_path / "relay.toml").write_text("RELAY_MAX_VALUE = 500.5\n")
    assert Settings.from_env(ENV | {"RELAY_CONFIG": str(file)}).max_value == 500.5
