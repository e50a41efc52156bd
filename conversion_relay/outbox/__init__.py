"""The outbox: where accepted events wait, durable, until delivery has settled them.

In come sealed events: bytes that name no person but by digest. Out go leases of them to delivery, and stories about
them to operators. `protocol.py` says what a store promises, and what could go wrong; `verdict.py` has the words in
which a lease is settled; each store has a package or file of its own (`sqlite/`, `postgres/`, `sqs.py`). This room
knows no HTTP and nothing of Meta: what an answer of Meta's means, and when an event is sent again, is decided in
`delivery/`.
"""

from typing import Literal

from conversion_relay.errors import SettingsError
from conversion_relay.outbox.limited import IN_A_TRANSACTION, Limited, unsupported
from conversion_relay.outbox.place import FILE, file_of, located, misaddressed
from conversion_relay.outbox.protocol import (
    DeadLetters,
    Housekeeping,
    Lease,
    LeasedEvent,
    Leases,
    Meter,
    Operator,
    Outbox,
    Overview,
    Queue,
    Settlement,
    Visits,
)
from conversion_relay.outbox.special import Joins, JoinsAsync, Sums
from conversion_relay.outbox.story import (
    STATES,
    Attempt,
    Counts,
    DeadGroup,
    Figures,
    Found,
    Search,
    SideCounts,
    SignOfLife,
    State,
    Story,
)

__all__ = [
    "IN_A_TRANSACTION",
    "STATES",
    "Access",
    "Attempt",
    "Counts",
    "DeadGroup",
    "DeadLetters",
    "Figures",
    "Found",
    "Housekeeping",
    "Joins",
    "JoinsAsync",
    "Lease",
    "LeasedEvent",
    "Leases",
    "Limited",
    "Meter",
    "Operator",
    "Outbox",
    "Overview",
    "Queue",
    "Search",
    "Settlement",
    "SideCounts",
    "SignOfLife",
    "State",
    "Story",
    "Sums",
    "Visits",
    "file_of",
    "located",
    "misaddressed",
    "open_outbox",
    "unsupported",
]


Access = Literal["create", "existing", "read"]
"""`create`: made when there is none. `existing`: SettingsError when there is none. `read`: the same, and whatever is
done with it, no file is created or changed."""


def open_outbox(url: str, access: Access = "create", *, ballast: bool = False, dataset: str | None = None) -> Outbox:
    """The store that RELAY_OUTBOX names; every one of them is a Queue, the rest is asked for with `isinstance`.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE[?dead=QUEUE]`,
    `postgresql://USER:PASSWORD@HOST/DATABASE`.
    `ballast`: keep a file that is given up on a full disk, for whoever runs for long. `dataset`: the only configured
    one, where events go whose dataset's name cannot be read any more.
    Raises SettingsError for anything else, and for a place that cannot be one; OutboxUnavailable where the same may be
    opened later: a database that is not up yet, a full disk, a file that another process holds."""
    if why := misaddressed(url):
        raise SettingsError(why)
    if url.startswith(FILE):
        path = located(url).removeprefix(FILE)
        if access != "create":
            from conversion_relay.outbox.sqlite.read_only import SqliteReader

            reader = SqliteReader(path)
            if access == "read":
                return reader
            reader.close()
        from conversion_relay.outbox.sqlite.outbox import SqliteOutbox

        return SqliteOutbox(path, ballast=ballast, dataset=dataset)
    if url.lower().startswith("postgres"):
        try:
            from conversion_relay.outbox.postgres.outbox import PostgresOutbox
        except ModuleNotFoundError:
            raise SettingsError("RELAY_OUTBOX: postgresql:// needs pip install 'conversion-relay[postgres]'") from None

        return PostgresOutbox(url, create=access == "create")
    from conversion_relay.outbox.sqs import SqsOutbox

    try:
        import aws_request_signer  # noqa: F401 - without it the first event would be the one that fails
    except ModuleNotFoundError:
        raise SettingsError("RELAY_OUTBOX: sqs:// needs pip install 'conversion-relay[aws]'") from None
    return SqsOutbox(url)
