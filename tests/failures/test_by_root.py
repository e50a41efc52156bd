"""Root asks and repairs what runs as a service's own user: the service can use what root made."""

import os
import stat

import pytest

from conversion_relay.event import SealedEvent
from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.audit import MOST_BYTES, Audit, Change
from conversion_relay.outbox.place import opened
from conversion_relay.outbox.sqlite.backup import backup, restore
from tests.failures.conditions import need_root

SERVICE = 65_534
LEAD = SealedEvent(dataset="1", event_name="Lead", event_id="a", event_time=1, expires_at=2**40, body=b"{}")


@pytest.fixture
def folder(tmp_path):
    """/var/lib/conversion-relay: the service's, and closed to all others."""
    need_root()
    place = tmp_path / "service"
    place.mkdir(mode=0o700)
    os.chown(place, SERVICE, SERVICE)
    return place


def owners(folder):
    return {path.relative_to(folder).as_posix(): path.stat().st_uid for path in folder.rglob("*")}


def test_an_outbox_that_root_makes_belongs_to_the_service_with_all_that_stands_beside_it(folder):
    outbox = open_outbox(f"sqlite:///{folder}/outbox.db", ballast=True)
    outbox.put([LEAD], 0.0)
    made = owners(folder)
    outbox.close()
    assert {"outbox.db", "outbox.db-wal", "outbox.db-opening", "outbox.db-owners", "outbox.db-ballast"} <= made.keys()
    assert set(made.values()) == {SERVICE}, made
    assert stat.S_IMODE((folder / "outbox.db").stat().st_mode) == 0o600


def test_what_root_restores_belongs_to_the_service_and_a_copy_to_root(folder, tmp_path):
    outbox = open_outbox(f"sqlite:///{folder}/outbox.db")
    outbox.put([LEAD], 0.0)
    backup(folder / "outbox.db", folder / "copy.db")
    outbox.close()
    restore(folder / "copy.db", folder / "again.db")
    assert (owners(folder)["again.db"], owners(folder)["copy.db"]) == (SERVICE, 0)


def test_the_list_of_changes_stays_the_services_also_when_its_older_half_is_dropped(folder):
    audit = Audit(f"sqlite:///{folder}/outbox.db")
    audit.note(Change(at=1.0, by="command line", action="erase"))
    assert owners(folder) == {"outbox.db-changes": SERVICE}
    (folder / "outbox.db-changes").write_bytes(b"\n" * MOST_BYTES)
    audit.note(Change(at=2.0, by="command line", action="erase"))
    assert owners(folder) == {"outbox.db-changes": SERVICE}
    assert (folder / "outbox.db-changes").stat().st_size < MOST_BYTES
    assert [change.at for change in audit.newest(5)] == [2.0]


@pytest.mark.parametrize("lead_to", ["there", "nowhere"])
def test_a_link_that_the_service_laid_gives_it_no_file_of_roots(folder, tmp_path, lead_to):
    (tmp_path / "there").write_text("root's")
    (folder / "link").symlink_to(tmp_path / lead_to)
    os.close(opened(folder / "link", os.O_RDWR))
    assert (tmp_path / lead_to).stat().st_uid == 0
