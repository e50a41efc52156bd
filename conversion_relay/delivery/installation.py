"""Reads what can be known of an installation from one of its processes, for `attention.py`."""

import os

from conversion_relay.delivery.attention import Known
from conversion_relay.outbox import DeadLetters, Meter, Overview, Queue, file_of
from conversion_relay.settings import Settings


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
