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
