"""Settings that change while we run."""

import os
import signal

import pytest

from conversion_relay.settings import Settings
from conversion_relay.settings_watch import SettingsWatch


@pytest.fixture
def token(tmp_path, monkeypatch):
    place = tmp_path / "token"
    place.write_text("EAAfirst\n")
    monkeypatch.setenv("META_PIXEL_ID", "1")
    monkeypatch.setenv("META_ACCESS_TOKEN_FILE", str(place))
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield place
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def used():
    return []


def tokens(used) -> list[str]:
    return [settings.datasets[0].access_token.reveal() for settings in used]


def test_nothing_changed_nothing_read(token, used):
    watch = SettingsWatch(used.append, Settings.from_env())
    watch()
    assert used == []


def test_a_file_that_changed_is_read_once(token, used):
    watch = SettingsWatch(used.append, Settings.from_env())
    token.write_text("EAAsecond-token\n")
    watch()
    watch()
    assert tokens(used) == ["EAAsecond-token"]


def test_a_file_that_was_put_in_its_place_is_read_even_if_it_looks_the_same(token, used):
    watch = SettingsWatch(used.append, Settings.from_env())
    other = token.with_name("other")
    other.write_text("EAAother\n")
    os.utime(other, ns=(token.stat().st_atime_ns, token.stat().st_mtime_ns))
    other.replace(token)
    watch()
    assert tokens(used) == ["EAAother"]


def test_what_changes_between_reading_and_watching_is_seen(token, used):
    """A process that opens its outbox slowly, a library whose first event comes after an hour."""
    settings = Settings.from_env()
    token.write_text("EAAsecond-token\n")
    watch = SettingsWatch(used.append, settings)
    watch()
    assert tokens(used) == ["EAAsecond-token"]


def test_sighup_reads_again_though_nothing_changed(token, used):
    watch = SettingsWatch(used.append, Settings.from_env())
    os.kill(os.getpid(), signal.SIGHUP)
    watch()
    assert tokens(used) == ["EAAfirst"]


def test_settings_that_are_no_good_leave_the_old_ones_and_are_told_without_a_token(token, used, caplog):
    watch = SettingsWatch(used.append, Settings.from_env())
    token.write_text("EAAhalf a token\n")
    watch()
    assert used == [] and "the old ones stay" in caplog.text and "half a token" not in caplog.text
    token.write_text("")  # as `>` leaves it, until what is written comes
    watch()
    assert used == []
    token.unlink()
    watch()
    token.write_text("EAAthird\n")
    watch()
    assert tokens(used) == ["EAAthird"]


def test_a_token_file_that_the_toml_file_names_is_watched_too(token, tmp_path, monkeypatch, used):
    config = tmp_path / "relay.toml"
    config.write_text(f'[[dataset]]\nMETA_PIXEL_ID = 1\nMETA_ACCESS_TOKEN_FILE = "{token}"\n')
    monkeypatch.setenv("RELAY_CONFIG", str(config))
    monkeypatch.delenv("META_ACCESS_TOKEN_FILE")
    watch = SettingsWatch(used.append, Settings.from_env())
    token.write_text("EAAsecond\n")
    watch()
    assert tokens(used) == ["EAAsecond"]
    other = tmp_path / "other"
    other.write_text("EAAthird\n")
    config.write_text(f'[[dataset]]\nMETA_PIXEL_ID = 1\nMETA_ACCESS_TOKEN_FILE = "{other}"\n')
    watch()
    other.write_text("EAAfourth-longer\n")
    watch()
    assert tokens(used) == ["EAAsecond", "EAAthird", "EAAfourth-longer"]
