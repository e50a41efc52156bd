"""Reads what can be known of an installation from one of its processes, for `attention.py`."""

import os
import re
from pathlib import Path

from conversion_relay.delivery.attention import Known
from conversion_relay.outbox import DeadLetters, Meter, Overview, Queue, file_of
from conversion_relay.settings import Settings

MOUNTS = Path("/proc/self/mountinfo")
"""https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html"""
FROM_ELSEWHERE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "beegfs", "fuse.sshfs", "fuse.s3fs"}
    | {"fuse.gcsfuse", "fuse.rclone", "fuse.glusterfs", "fuse.ceph", "fuse.mount-s3", "fuse.juicefs", "fuse.davfs2"}
)
"""What the kernel calls file systems of another machine. EFS and Filestore are nfs4, Azure Files is cifs or nfs4."""


def known(outbox: Queue, settings: Settings, now: float) -> Known:
    """Raises OutboxUnavailable."""
    return Known(
        now=now,
        books=outbox.counts() if isinstance(outbox, DeadLetters) else {},
        signs=outbox.workers() if isinstance(outbox, Overview) else None,
        configured=frozenset(dataset.pixel_id for dataset in settings.datasets),
        version=settings.graph_version,
        free_bytes=free_bytes(settings),
        sides=outbox.recent_sides(now) if isinstance(outbox, Meter) else {},
    )


def free_bytes(settings: Settings) -> int | None:
    """Of the disk under the outbox; None where it lies elsewhere."""
    file = file_of(settings.outbox)
    if file is None:
        return None
    try:
        found = os.statvfs(file.parent)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def mounted_from_elsewhere(settings: Settings) -> str | None:
    """The kind of network file system under the outbox. SQLite's locks and its shared memory work there among the
    processes of one machine at best: in a rolling deployment two machines open one file and damage it."""
    file = file_of(settings.outbox)
    if file is None:
        return None
    try:
        rows = MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:  # another system than Linux
        return None
    kind, longest = None, -1
    for row in rows:
        mount, _, source = row.partition(" - ")
        at = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), mount.split(" ")[4])
        if file.parent.is_relative_to(at) and len(at) >= longest:
            kind, longest = source.split(" ")[0], len(at)  # of two at one place the later one is seen
    return kind if kind in FROM_ELSEWHERE else None
