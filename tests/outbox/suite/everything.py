"""Every part at once, for a store that can do all of it."""

from tests.outbox.suite.housekeeping import HousekeepingSuite
from tests.outbox.suite.later import LaterSuite
from tests.outbox.suite.leases import LeasesSuite
from tests.outbox.suite.letters import DeadLettersSuite
from tests.outbox.suite.meter import MeterSuite
from tests.outbox.suite.operator import OperatorSuite
from tests.outbox.suite.queue import LedgerSuite, QueueSuite
from tests.outbox.suite.visits import VisitsSuite


class EverySuite(
    QueueSuite,
    LedgerSuite,
    LeasesSuite,
    LaterSuite,
    DeadLettersSuite,
    OperatorSuite,
    VisitsSuite,
    MeterSuite,
    HousekeepingSuite,
):
    """All the promises of `outbox/protocol.py`."""
