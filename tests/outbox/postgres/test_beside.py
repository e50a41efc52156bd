"""What an event loop asks of the outbox beside the events: in the child of a fork, and where no thread is to be had."""

import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.intake.visit import Visit
from tests.failures.threads import no_more_threads
from tests.outbox.postgres.server import needs_postgres
from tests.outbox.sqlite.children import ends_well, in_child
from tests.outbox.suite import NOW

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


def test_a_child_knows_of_visitors_what_its_parent_knew(outbox):
    """As gunicorn --preload makes them: the refusal of the first who buys there would be passed over."""
    outbox.remember_visitor("order-1", Visit(consent="denied"), NOW)

    def knows() -> None:
        assert outbox.has_visitors()

    ends_well(in_child(knows))


def test_where_no_thread_is_to_be_had_nobody_is_told_that_the_outbox_is_closed(outbox):
    with no_more_threads("outbox-beside"), pytest.raises(OutboxUnavailable, match="no thread"):
        outbox.note_pixel("1", [("Lead", "a")], NOW).result()
    outbox.note_pixel("1", [("Lead", "b")], NOW).result()
