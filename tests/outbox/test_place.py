"""A relative RELAY_OUTBOX means one file, whatever folder is current when somebody asks about it."""

import time

import pytest

from conversion_relay import Event, Relay, UserData
from conversion_relay.cli.reread import Reread
from conversion_relay.collector.operating import operating
from conversion_relay.delivery.installation import known
from conversion_relay.delivery.notify import Notifier
from conversion_relay.errors import SettingsError
from conversion_relay.outbox import open_outbox, place
from conversion_relay.outbox.audit import Audit, Change
from conversion_relay.outbox.sqlite.backup import backup, restore
from conversion_relay.settings import Settings
from tests.one_module import replace_in

ENVIRON = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_OUTBOX": "sqlite:///relay.db"}


def test_the_figures_are_of_the_file_of_the_start(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Relay(Settings.from_env(ENVIRON)) as relay:
        relay.outbox.counts()
        monkeypatch.chdir("elsewhere")
        found = operating(known(relay.outbox, relay.settings, time.time()), {}, relay.settings)
        sizes = {metric.name: metric.samples[0].value for metric in found if metric.name.endswith("_bytes")}
    assert sizes["relay_disk_free_bytes"] > 0 and sizes["relay_db_bytes"] > 0


def test_free_space_is_asked_of_the_disk_of_the_start(tmp_path, monkeypatch):
    """The folder of now may be gone: asked there, nothing would be known, and no alarm raised."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(tmp_path)
    with Relay(Settings.from_env(ENVIRON)) as relay:
        notifier = Notifier(relay.outbox, relay.settings, time.time)
        monkeypatch.chdir(gone)
        gone.rmdir()
        notifier.use(Settings.from_env(ENVIRON))
        for settings in (relay.settings, notifier._settings):
            assert known(relay.outbox, settings, time.time()).free_bytes


def test_changes_by_hand_are_listed_beside_the_file_of_the_start(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env(ENVIRON)
    with Relay(settings) as relay:
        reread, audit = Reread(settings, relay.outbox), Audit(settings.outbox)
        monkeypatch.chdir("elsewhere")
        reread(settings)
        audit.note(Change(time.time(), "command line", "replay", 1))
        Audit(relay.settings.outbox).note(Change(time.time(), "dashboard", "erase", 1))
    monkeypatch.chdir(tmp_path)
    assert [change.action for change in Audit(settings.outbox).newest(5)] == ["erase", "replay", "settings"]
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("name", ["a b.db", "a%20b.db", "\u00fc.db", "what?.db", "x#y.db", "x.db?mode=memory"])
def test_a_name_that_a_uri_reads_in_another_way_is_backed_up_and_restored(tmp_path, name):
    with Relay(Settings.from_env({**ENVIRON, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/{name}"})) as relay:
        relay.track(Event(event_name="Lead", user_data=UserData(external_id="7")))
        assert backup(tmp_path / name, tmp_path / f"copy of {name}") == 1
    (tmp_path / "back").mkdir()
    assert restore(tmp_path / f"copy of {name}", tmp_path / "back" / name).events == 1


def test_a_file_in_the_place_of_the_folder_is_no_damage(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"the folder for .* is a file"):
        Relay(Settings.from_env({**ENVIRON, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/file/x.db"})).outbox.counts()


def test_a_file_that_its_own_user_may_not_write_to_is_told_so_and_not_to_change_hands(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    replace_in(place, "os", monkeypatch, open=refuse)  # root may write anywhere
    with pytest.raises(SettingsError) as told:
        open_outbox(f"sqlite:///{tmp_path}/relay.db")
    assert "belongs to this user" in str(told.value) and "chmod" in str(told.value)
