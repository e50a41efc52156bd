"""What of the settings a log or a traceback may show."""

import os
import traceback

import pytest

from conversion_relay import Relay, Settings
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


def shown_variables(error: BaseException) -> str:
    """What an error page or a report shows of our frames, of the errors that it shows."""
    shown, told = [], error
    while told is not None:
        for frame, _ in traceback.walk_tb(told.__traceback__):
            if f"{os.sep}conversion_relay{os.sep}" in frame.f_code.co_filename:
                shown.append(repr(frame.f_locals))
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
    return "\n".join(shown)


MISTAKES = [
    {"RELAY_GPC": "canary"},
    {"RELAY_API_KEY": "canary"},
    {"META_PIXEL_ID": "canary"},
    {"META_PIXEL_ID": ""},
    {"META_ACCESS_TOKEN": "EAA canary"},
    {"RELAY_CONFIG": "/nowhere/relay.toml"},
    {"RELAY_NOTIFY": "https://u:canary@hooks.example"},
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_the_variables_of_a_mistake_in_the_settings_show_no_secret(mistake):
    """Django mails them to the admins, with all of the environment in them; reports of errors show them elsewhere."""
    environ = ENV | {"META_ACCESS_TOKEN": "EAAcanary", "STRIPE_WEBHOOK_SECRET": "whsec_canary"} | mistake
    for read in (Settings.from_env, Relay.from_env):
        with pytest.raises(SettingsError) as raised:
            read(environ)
        assert "canary" not in shown_variables(raised.value)


@pytest.mark.parametrize("rest", ["?schema=Odd", "?pooler=x", "?pool_size=5", "/more@x"])
def test_the_variables_of_a_mistake_in_an_outboxs_address_do_not_show_its_password(rest):
    pytest.importorskip("psycopg")
    settings = Settings.from_env(ENV | {"RELAY_OUTBOX": f"postgresql://relay:canary@db.example/relay{rest}"})
    with pytest.raises(SettingsError) as raised:
        _ = Relay(settings).outbox
    assert "canary" not in shown_variables(raised.value)
