"""What of the settings a log or a traceback may show."""

import pytest

from conversion_relay import Settings
from conversion_relay.errors import SettingsError

ENV = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAsecret"}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://relay:canary@db.example/relay",
        "postgresql://db.example/relay?user=relay&password=canary",
    ],
)
def test_the_outboxs_password_is_not_in_the_repr(url):
    settings = Settings.from_env(ENV | {"RELAY_OUTBOX": url})
    assert settings.outbox == url and "canary" in settings.secrets()
    assert "canary" not in repr(settings) + repr(settings.outbox)


def test_an_outbox_without_a_password_is_named_in_the_repr():
    assert "sqlite:///relay.db" in repr(Settings.from_env(ENV | {"RELAY_OUTBOX": "sqlite:///relay.db"}))


DATASET = '[[dataset]]\nMETA_PIXEL_ID = "1"\nMETA_ACCESS_TOKEN = "EAAsecret"\n'


def test_a_providers_secret_stands_at_the_files_top_and_in_no_dataset(tmp_path):
    """In a dataset's table it would be read by nobody, and every notice refused."""
    file = tmp_path / "relay.toml"
    file.write_text(f'ACME_WEBHOOK_SECRET = "canary"\n{DATASET}')
    assert "canary" in Settings.from_env({"RELAY_CONFIG": str(file)}).secrets()
    file.write_text(f'{DATASET}ACME_WEBHOOK_SECRET = "canary"\n')
    with pytest.raises(SettingsError, match=r"ACME_WEBHOOK_SECRET"):
        Settings.from_env({"RELAY_CONFIG": str(file)})
