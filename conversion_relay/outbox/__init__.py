"""outbox"""

from urllib.parse import urlsplit

from conversion_relay.errors import SettingsError
from conversion_relay.outbox.protocol import (
    STATES,
    Attempt,
    Counts,
    Lease,
    LeasedEvent,
    Leases,
    Outbox,
    Settlement,
    Sides,
    State,
    Story,
)

__all__ = [
    "STATES",
    "Attempt",
    "Counts",
    "Lease",
    "LeasedEvent",
    "Leases",
    "Outbox",
    "Settlement",
    "Sides",
    "State",
    "Story",
    "open_outbox",
]


def open_outbox(url: str) -> Outbox:
    """`sqlite:///relative.db`, `sqlite:////absolute.db`, `sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE`. Raises
    SettingsError for anything else."""
    scheme = urlsplit(url).scheme
    if scheme == "sqlite" and url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        from conversion_relay.outbox.sqlite.outbox import SqliteOutbox

        return SqliteOutbox(url.removeprefix("sqlite:///"))
    if scheme == "sqs":
        from conversion_relay.outbox.sqs import SqsOutbox

        return SqsOutbox(url)
    raise SettingsError("RELAY_OUTBOX: expected sqlite:///file.db (four slashes for an absolute path) or sqs://...")
