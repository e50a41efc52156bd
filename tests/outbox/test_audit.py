"""The list of changes by hand, which several processes write."""

import threading
from pathlib import Path

from conversion_relay.outbox.audit import MOST_BYTES, Audit, Change


def test_what_another_process_notes_while_the_older_half_is_dropped_stays(tmp_path, monkeypatch):
    audit, replace = Audit(f"sqlite:///{tmp_path}/outbox.db"), Path.replace
    other = threading.Thread(target=audit.note, args=(Change(2.0, "dashboard", "erase", 7),))

    def replace_late(fresh: Path, path: Path) -> Path:
        other.start()
        other.join(0.2)  # it has written by then, unless it waits for us
        return replace(fresh, path)

    monkeypatch.setattr(Path, "replace", replace_late)
    (tmp_path / "outbox.db-changes").write_bytes((b"x" * 999 + b"\n") * (MOST_BYTES // 1_000))
    audit.note(Change(1.0, "command line", "replay", 3))
    other.join(20)
    assert {change.count for change in audit.newest(5)} == {3, 7}
