"""What of the settings a log or a traceback may show."""

import pytest

from conversion_relay import Settings

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
