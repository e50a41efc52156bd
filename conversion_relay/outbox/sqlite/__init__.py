"""The embedded outbox."""

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox

__all__ = ["SqliteOutbox"]
