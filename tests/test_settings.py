"""Settings: what is missing is named all at once, and no secret shows."""

import pytest

from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings

ENV = {"META_PIXEL_ID": "123", "META_ACCESS_TOKEN": "EAAsecret"}


def test_what_is_missing_is_named_all_at_once():
    with pytest.raises(
        SettingsError, match=r"^Missing required environment variables: META_PIXEL_ID, META_ACCESS_TOKEN$"
    ):
        Settings.from_env({})
    with pytest.raises(SettingsError, match=r"^Missing required environment variables: META_ACCESS_TOKEN$"):
        Settings.from_env({"META_PIXEL_ID": "123", "META_ACCESS_TOKEN": ""})


def test_no_secret_is_in_the_repr():
    secret = {
        "RELAY_API_KEYS": "k3y-one,k3y-two",
        "RELAY_ADMIN_PASSWORD": "pa55word",
        "STRIPE_WEBHOOK_SECRET": "whsec_1,whsec_2",
    }
    settings = Settings.from_env(ENV | secret)
    assert set(settings.secrets()) == {"EAAsecret", "k3y-one", "k3y-two", "pa55word", "whsec_1", "whsec_2"}
    assert not [text for text in settings.secrets() if text in repr(settings) or text in str(settings)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("META_PIXEL_ID", "12a"),
        ("META_ACCESS_TOKEN", "two words"),
        ("META_ACCESS_TOKEN", "line\nbreak"),
        ("META_GRAPH_URL", "http://graph.facebook.com"),
        ("META_GRAPH_URL", "https://user:pass@graph.facebook.com"),
        ("META_GRAPH_URL", "http://127.0.0.1.evil.example"),
        ("META_GRAPH_VERSION", "26"),
        ("RELAY_ALLOWED_ORIGINS", "https://shop.example/path"),
        ("RELAY_ALLOWED_ORIGINS", "*"),
        ("RELAY_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("RELAY_DEFAULT_COUNTRY", "Germany"),
        ("RELAY_DEFAULT_COUNTRY", "EU"),
        ("RELAY_DEFAULT_COUNTRY", "xx"),
        ("RELAY_GPC", "maybe"),
        ("RELAY_LOG_FORMAT", "xml"),
        ("RELAY_VARIANTS", "perhaps"),
        ("RELAY_ALLOWED_ORIGINS", "http://[::1"),
        ("META_GRAPH_URL", "https://[::1"),
        ("META_GRAPH_URL", "https://graph.example:x"),
        ("RELAY_CONFIG", "/no/such/file.toml"),
    ],
)
def test_a_malformed_setting_is_named_and_its_value_is_not_shown(name, value):
    with pytest.raises(SettingsError, match=rf"^{name}: ") as error:
        Settings.from_env(ENV | {name: value})
    assert "two words" not in str(error.value) and "pass@" not in str(error.value)


def test_several_datasets_come_from_the_file_and_the_environment_wins(tmp_path):
    file = tmp_path / "relay.toml"
    file.write_text(
        'RELAY_DEFAULT_COUNTRY = "DE"\nMETA_GRAPH_VERSION = "v25.0"\n'
        '[[dataset]]\nMETA_PIXEL_ID = "1"\nMETA_ACCESS_TOKEN = "EAAone"\nRELAY_ALLOWED_ORIGINS = ["https://a.example"]\n'
        '[[dataset]]\nMETA_PIXEL_ID = "2"\nMETA_ACCESS_TOKEN = "EAAtwo"\n'
    )
    settings = Settings.from_env({"RELAY_CONFIG": str(file), "META_GRAPH_VERSION": "v26.0"})
    assert [d.pixel_id for d in settings.datasets] == ["1", "2"]
    assert settings.datasets[0].allowed_origins == {"https://a.example"}
    assert (settings.default_country, settings.graph_version) == ("de", "v26.0")
    assert settings.dataset("2").access_token.reveal() == "EAAtwo" and settings.dataset("3") is None


SEVERAL = """
RELAY_DEFAULT_COUNTRY = "DE"
RELAY_TRUSTED_PROXIES = ["10.0.0.0/8", "127.0.0.1/32"]
RELAY_MOST_CALLS = 4
STRIPE_WEBHOOK_SECRET = "whsec_file-canary"

[[dataset]]
META_PIXEL_ID = 1232612085335834
META_ACCESS_TOKEN = "EAAfirst-canary"
META_TEST_EVENT_CODE = "TEST1"
RELAY_ALLOWED_ORIGINS = ["https://a.example", "HTTPS://B.example/"]
RELAY_API_KEYS = ["key-canary-1", "key-canary-2"]

[[dataset]]
META_PIXEL_ID = "2"
META_ACCESS_TOKEN = "EAAsecond-canary"
RELAY_ALLOWED_ORIGINS = "https://c.example:8443, https://d.example"
"""


@pytest.fixture
def several(tmp_path) -> dict[str, str]:
    file = tmp_path / "relay.toml"
    file.write_text(SEVERAL)
    return {"RELAY_CONFIG": str(file)}


def test_each_dataset_has_its_own_token_origins_keys_and_test_code(several):
    first, second = Settings.from_env(several).datasets
    assert (first.pixel_id, first.access_token.reveal()) == ("1232612085335834", "EAAfirst-canary")
    assert first.allowed_origins == {"https://a.example", "https://b.example"}
    assert [key.reveal() for key in first.api_keys] == ["key-canary-1", "key-canary-2"]
    assert first.test_event_code == "TEST1"
    assert (second.pixel_id, second.access_token.reveal()) == ("2", "EAAsecond-canary")
    assert second.allowed_origins == {"https://c.example:8443", "https://d.example"}
    assert (second.api_keys, second.test_event_code) == ((), None)


def test_what_is_not_of_one_dataset_is_of_all(several):
    settings = Settings.from_env(several)
    policies = [settings.policy(dataset) for dataset in settings.datasets]
    assert [policy.dataset for policy in policies] == ["1232612085335834", "2"]
    assert {policy.default_country for policy in policies} == {"de"}
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "127.0.0.1/32"]
    assert (settings.most_calls, settings.webhook_secrets["stripe"][0].reveal()) == (4, "whsec_file-canary")


def test_the_environment_outranks_the_file_setting_by_setting(several):
    settings = Settings.from_env(several | {"RELAY_MOST_CALLS": "2", "STRIPE_WEBHOOK_SECRET": "whsec_env"})
    assert (settings.most_calls, settings.default_country) == (2, "de")
    assert [secret.reveal() for secret in settings.webhook_secrets["stripe"]] == ["whsec_env"]


def test_a_variable_that_could_be_any_datasets_changes_none_of_several(several):
    alone = {"META_PIXEL_ID": "3", "META_ACCESS_TOKEN": "EAAenvironment", "RELAY_API_KEYS": "key-environment"}
    assert repr(Settings.from_env(several | alone)) == repr(Settings.from_env(several))
    assert "EAAenvironment" not in Settings.from_env(several | alone).secrets()


def test_the_token_in_a_file_outranks_the_variable(tmp_path):
    file = tmp_path / "token"
    file.write_text("  EAAof-the-file\n\n")
    settings = Settings.from_env(ENV | {"META_ACCESS_TOKEN_FILE": str(file)})
    assert settings.datasets[0].access_token.reveal() == "EAAof-the-file"
    assert Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN_FILE": str(file)}).datasets
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"^META_ACCESS_TOKEN_FILE: the file is empty"):
        Settings.from_env(ENV | {"META_ACCESS_TOKEN_FILE": str(file)})


def test_no_secret_of_any_dataset_shows_and_all_are_known_to_the_log_filter(several):
    settings = Settings.from_env(several | {"RELAY_ADMIN_PASSWORD": "password-canary"})
    shown = repr(settings) + str(settings) + repr(settings.datasets) + repr(vars(type(settings)))
    assert "canary" not in shown and "EAA" not in shown
    assert sorted(settings.secrets()) == [
        "EAAfirst-canary",
        "EAAsecond-canary",
        "key-canary-1",
        "key-canary-2",
        "password-canary",
        "whsec_file-canary",
    ]


def test_without_a_word_every_setting_has_its_default():
    settings = Settings.from_env(ENV)
    (dataset,) = settings.datasets
    assert (dataset.allowed_origins, dataset.api_keys, dataset.test_event_code) == (frozenset(), (), None)
    assert (settings.graph_url, settings.outbox) == ("https://graph.facebook.com", "sqlite:///conversion-relay.db")
    assert (settings.gpc, settings.silence, settings.log_format) == ("limited_data_use", "send", "auto")
    assert (settings.default_country, settings.trusted_proxies, settings.webhook_secrets) == (None, (), {})
    assert (settings.set_cookies, settings.variants, settings.most_calls) == (False, False, 8)
    assert settings.held_event_names == {"Purchase"} and "PageView" in settings.public_event_names
    assert not settings.admin_password and "Purchase" not in settings.public_event_names


@pytest.mark.parametrize(
    "name",
    [
        "META_GRAPH_URL",
        "RELAY_OUTBOX",
        "RELAY_DEFAULT_COUNTRY",
        "RELAY_GPC",
        "RELAY_CONSENT",
        "RELAY_SET_COOKIES",
        "RELAY_PUBLIC_EVENTS",
        "RELAY_MAX_VALUE",
        "RELAY_VARIANTS",
        "RELAY_LOG_FORMAT",
        "RELAY_TRUSTED_PROXIES",
        "RELAY_ALLOWED_ORIGINS",
        "RELAY_API_KEYS",
        "RELAY_ADMIN_PASSWORD",
        "STRIPE_WEBHOOK_SECRET",
        "META_TEST_EVENT_CODE",
        "META_ACCESS_TOKEN_FILE",
        "RELAY_CONFIG",
    ],
)
def test_a_variable_that_is_set_to_nothing_is_as_if_it_were_not_there(name):
    if name == "META_GRAPH_URL":
        with pytest.raises(SettingsError, match=r"^META_GRAPH_URL: "):
            Settings.from_env(ENV | {name: ""})
        return
    assert repr(Settings.from_env(ENV | {name: ""})) == repr(Settings.from_env(ENV))


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("META_GRAPH_URL", "https://graph.example/", "graph_url", "https://graph.example"),
        ("META_GRAPH_URL", "http://[::1]:8001", "graph_url", "http://[::1]:8001"),
        ("META_GRAPH_URL", "http://localhost:8001/", "graph_url", "http://localhost:8001"),
        ("META_GRAPH_VERSION", "v25.0", "graph_version", "v25.0"),
        ("RELAY_DEFAULT_COUNTRY", "gB", "default_country", "gb"),
        ("RELAY_PUBLIC_EVENTS", " Lead ,,MyEvent", "public_event_names", {"Lead", "MyEvent"}),
        ("RELAY_HOLD_LATE", "", "held_event_names", frozenset()),
        ("RELAY_HOLD_LATE", "Purchase, Subscribe", "held_event_names", {"Purchase", "Subscribe"}),
        ("RELAY_MAX_VALUE", "499.99", "max_value", 499.99),
        ("RELAY_MOST_CALLS", "64", "most_calls", 64),
        ("RELAY_SET_COOKIES", "Yes", "set_cookies", True),
        ("RELAY_VARIANTS", "no", "variants", False),
        ("RELAY_CONSENT", "withhold", "silence", "withhold"),
    ],
)
def test_a_setting_is_read_into_its_field(name, value, field, expected):
    assert getattr(Settings.from_env(ENV | {name: value}), field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("META_PIXEL_ID", "1" * 21),
        ("META_PIXEL_ID", "１２３"),
        ("META_ACCESS_TOKEN", "EAA\u200bcanary"),
        ("META_ACCESS_TOKEN", "“EAAcanary”"),
        ("META_GRAPH_URL", "graph.facebook.com"),
        ("META_GRAPH_URL", "https://graph.facebook.com?access_token=canary"),
        ("META_GRAPH_URL", "http://10.0.0.1"),
        ("META_GRAPH_VERSION", "v26.0/../canary"),
        ("RELAY_ALLOWED_ORIGINS", "https://a.example,shop.example"),
        ("RELAY_ALLOWED_ORIGINS", "null"),
        ("RELAY_ALLOWED_ORIGINS", "https://a.example?canary"),
        ("RELAY_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("RELAY_TRUSTED_PROXIES", "proxy.canary.example"),
        ("RELAY_CONSENT", "Send"),
        ("RELAY_MAX_VALUE", "1e9"),
        ("RELAY_MAX_VALUE", "-1"),
        ("RELAY_MAX_VALUE", "500 EUR"),
        ("RELAY_MOST_CALLS", "0"),
        ("RELAY_MOST_CALLS", "65"),
        ("RELAY_MOST_CALLS", "-1"),
        ("RELAY_MOST_CALLS", "٨"),
        ("RELAY_SET_COOKIES", "on"),
        ("RELAY_VARIANTS", "2"),
        ("RELAY_DEFAULT_COUNTRY", "ÄÖ"),
    ],
)
def test_an_odd_value_is_named_with_an_example_and_not_repeated(name, value):
    with pytest.raises(SettingsError) as error:
        Settings.from_env(ENV | {name: value})
    said = str(error.value)
    assert said.startswith(f"{name}: ") and len(said) > len(name) + 8
    assert "canary" not in said and value not in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'RELAY_GPC = "canary', "RELAY_CONFIG: not valid TOML"),
        (b"\xff", "RELAY_CONFIG: the file is not UTF-8"),
        (b'[[dataset]]\nMETA_PIXEL_ID = "canary"\nMETA_ACCESS_TOKEN = "E"', "[[dataset]] 1: META_PIXEL_ID: expected"),
        (b'[[dataset]]\nMETA_PIXEL_ID = 1\nMETA_ACCESS_TOKEN = "a canary"', "[[dataset]] 1: META_ACCESS_TOKEN: hold"),
        (
            b'[[dataset]]\nMETA_PIXEL_ID = 1\nMETA_ACCESS_TOKEN = "E"\nRELAY_ALLOWED_ORIGINS = ["*"]',
            "[[dataset]] 1: RELAY_ALLOWED_ORIGINS: no",
        ),
    ],
)
def test_a_file_that_is_no_good_ends_the_start_and_is_not_quoted(tmp_path, content, says):
    file = tmp_path / "relay.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"RELAY_CONFIG": str(file)})
    assert str(error.value).startswith(says) and "canary" not in str(error.value)


def test_a_command_that_sends_nothing_needs_no_token():
    settings = Settings.from_env({}, required=())
    assert [dataset.pixel_id for dataset in settings.datasets] == ["0"] and settings.secrets() == []
    with pytest.raises(SettingsError, match=r"^Missing required environment variables: META_PIXEL_ID$"):
        Settings.from_env({}, required=("META_PIXEL_ID",))


def test_the_environment_that_is_read_by_default_is_the_processes_own(monkeypatch, tmp_path):
    for name, value in (ENV | {"RELAY_VARIANTS": "1", "META_ACCESS_TOKEN_FILE": ""}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RELAY_CONFIG", raising=False)
    assert Settings.from_env().variants is True and Settings.files() == []
    monkeypatch.setenv("RELAY_CONFIG", str(tmp_path / "relay.toml"))
    assert Settings.files() == [str(tmp_path / "relay.toml")]
