"""What an event loop asks of the outbox beside the events: in the child of a fork, where no thread is to be had, and
when another machine tells of the same order at the same moment."""

import threading

import msgspec
import psycopg
import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.intake.visit import Visit
from tests.failures.threads import no_more_threads
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.sqlite.children import ends_well, in_child
from tests.outbox.suite import NOW
from tests.processes import until

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


def test_a_look_that_found_nobody_does_not_undo_what_was_remembered_meanwhile(outbox, monkeypatch):
    read = outbox._database.read

    def slowly(sql):
        found = read(sql)
        outbox.remember_visitor("order-1", Visit(consent="denied"), NOW)
        return found

    monkeypatch.setattr(outbox._database, "read", slowly)
    outbox._look_for_visitors()
    assert outbox.has_visitors()


SEEN = Visit(fbp="fb.1.1700000000000.1", vouched=True)
AGREED = Visit(fbp="fb.1.1700000000000.1", consent="granted", for_long=True)
DENIED = Visit(consent="denied", for_long=True)
CLICKED = Visit(fbp="fb.1.1700000000000.1", fbc="fb.1.1700000000000.A")


@pytest.mark.parametrize(("first", "second"), [(AGREED, DENIED), (AGREED, CLICKED), (SEEN, AGREED), (DENIED, SEEN)])
def test_what_is_told_of_an_order_at_the_same_moment_counts_as_if_it_was_told_after(outbox, first, second):
    """Another machine's row is not committed yet when this one looks, and is in the way when it writes."""
    with psycopg.connect(cheap().conninfo) as other:
        seen_at = NOW + (83 * 86_400 if first.for_long else 0)
        other.execute("INSERT INTO s0.visitor VALUES (%b, %b, %b)", ("1001", msgspec.json.encode(first), seen_at))
        telling = threading.Thread(target=outbox.remember_visitor, args=("1001", second, NOW))
        telling.start()
        until(lambda: cheap().execute("SELECT 1 FROM pg_locks WHERE NOT granted"), 10)
        other.commit()
        telling.join(10)
    assert outbox.visitor("1001", NOW) == first.filled_from(second)
