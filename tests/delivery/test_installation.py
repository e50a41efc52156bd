"""What is known of the disk under the outbox."""

import pytest

from conversion_relay import Settings
from conversion_relay.cli.said_at_start import say_when_not_local
from conversion_relay.delivery import installation

ROOT = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
EFS = "90 22 0:45 / /mnt/efs rw,relatime shared:40 - nfs4 127.0.0.1:/ rw,vers=4.1"


def of(outbox: str) -> Settings:
    return Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": outbox})


@pytest.mark.parametrize(
    ("rows", "outbox", "kind"),
    [
        ([ROOT], "sqlite:////var/lib/relay.db", None),
        ([ROOT, EFS], "sqlite:////var/lib/relay.db", None),
        ([ROOT, EFS], "sqlite:////mnt/efs/relay/outbox.db", "nfs4"),
        ([ROOT, EFS], "sqlite:////mnt/efs-not/outbox.db", None),
        ([ROOT, EFS, "91 90 8:2 / /mnt/efs/local rw - xfs /dev/sdb rw"], "sqlite:////mnt/efs/local/outbox.db", None),
        ([ROOT, EFS, "92 22 8:2 / /mnt/efs rw - xfs /dev/sdb rw"], "sqlite:////mnt/efs/outbox.db", None),
        ([ROOT, r"93 22 0:50 / /mnt/the\040share rw - cifs //nas/share rw"], "sqlite:////mnt/the share/o.db", "cifs"),
        ([ROOT.replace("ext4", "overlay")], "sqlite:////data/o.db", None),
        ([ROOT.replace("ext4", "nfs")], "sqlite:////data/o.db", "nfs"),
        ([ROOT.replace("ext4", "nfs")], "postgresql://db/relay", None),
    ],
)
def test_a_network_file_system_is_told_at_the_start(rows, outbox, kind, tmp_path, monkeypatch, caplog):
    (tmp_path / "mountinfo").write_text("\n".join([*rows, ""]))
    monkeypatch.setattr(installation, "MOUNTS", tmp_path / "mountinfo")
    settings = of(outbox)
    assert installation.mounted_from_elsewhere(settings) == kind
    say_when_not_local(settings)
    assert (f"network file system ({kind})" in caplog.text) is (kind is not None)


def test_nothing_is_said_of_a_system_that_tells_no_mounts(tmp_path, monkeypatch):
    assert installation.mounted_from_elsewhere(of(f"sqlite:///{tmp_path}/o.db")) is None
    monkeypatch.setattr(installation, "MOUNTS", tmp_path / "no-such-file")
    assert installation.mounted_from_elsewhere(of(f"sqlite:///{tmp_path}/o.db")) is None
