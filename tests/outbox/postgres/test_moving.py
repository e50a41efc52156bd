"""`migrate`: what an embedded outbox held is in PostgreSQL, in whatever state it was."""

import contextlib
import json
import time

import apsw
import pytest
from click.testing import CliRunner

from conversion_relay.cli import verbs
from conversion_relay.errors import SettingsError
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.postgres.moving import Mover
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.sqlite import database
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import Dead, Delivered, Hold, RetryAt, Suspect
from tests.outbox.postgres.backend import url_of
from tests.outbox.postgres.server import needs_postgres
from tests.outbox.sqlite.old_schemas import write_schema_1, write_schema_2, write_schema_3, write_schema_4
from tests.outbox.sqlite.steps import steps
from tests.outbox.suite import REFUSED, claim, sealed

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]
FAR = 2_000_000_000


@pytest.fixture
def now():
    return time.time()


@pytest.fixture
def filled(tmp_path, now):
    """One event in each state, and a backlog."""
    outbox = SqliteOutbox(str(tmp_path / "outbox.db"))
    outbox.put(
        [sealed(name, expires_in=FAR) for name in ("delivered", "dead", "later", "held", "suspect", "leased")], now
    )
    lease = claim(outbox, now=now)
    by_id = {event.event_id: event for event in lease.events}
    for name, verdict in (
        ("delivered", Delivered()),
        ("dead", Dead("meta_100_2804009")),
        ("later", RetryAt(now + 900, "http_500", sent=True)),
        ("held", Hold("ambiguous_late")),
        ("suspect", Suspect(now)),
    ):
        outbox.settle(lease, [(verdict, [by_id[name]])], REFUSED, now)
    outbox.put([sealed(f"b{n}", dataset="2", expires_in=FAR) for n in range(2_500)], now)
    outbox.remember_visitor("order-1", Visit(fbp="fb.1.1.1"), now)
    outbox.note_pixel("1", [("Lead", "delivered")], now).result()
    outbox.close()
    return tmp_path / "outbox.db"


def moved(file, url, *more: str) -> str:
    result = CliRunner().invoke(verbs, ["migrate", f"sqlite:///{file}", *more], env={"RELAY_OUTBOX": url})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_every_event_is_there_in_its_state_with_its_story(filled, now):
    outbox = SqliteOutbox(str(filled))
    outbox.waiting(now)
    books, stories = (
        outbox.counts(),
        {name: outbox.find(name) for name in ("delivered", "dead", "later", "held", "leased")},
    )
    sides, figures = outbox.deduplication(), outbox.figures(0)
    outbox.close()
    url = url_of("moved")
    ballast = filled.with_name(f"{filled.name}-ballast")
    ballast.touch()
    assert json.loads(moved(filled, url, "--json")) == {"moved": 2_506, "known": 0, "visitors": 1}
    assert not ballast.exists(), "64 MB that nobody would ever give back"
    there = PostgresOutbox(url)
    assert there.counts() == books
    for name, expected in stories.items():
        found = there.find(name)
        assert [(s.state, s.reason, s.attempts, s.due_at, s.settled_at, s.history) for s in found] == [
            (s.state, s.reason, s.attempts, s.due_at, s.settled_at, s.history) for s in expected
        ]
    assert (there.deduplication(), there.figures(0)) == (sides, figures)
    assert there.visitor("order-1", now) is not None
    assert there.put([sealed("delivered")], now)[0].duplicate
    assert {event.event_id for event in claim(there, now=now).events} == {"leased"}
    assert there.claim_suspects("1", 10, 60, now).events[0].event_id == "suspect"
    assert there.replay(now, ["held", "dead"]) == 2
    assert claim(there, limit=5_000, now=now, dataset="2").events[0].body
    there.close()
    assert not filled.exists() and filled.with_name("outbox.db.moved").exists()


def test_a_move_that_was_stopped_goes_on_and_what_came_by_itself_is_not_doubled(filled, now):
    url = url_of("moved")
    there = PostgresOutbox(url)
    there.put([sealed("b7", dataset="2"), sealed("new", dataset="2")], now)
    mover = Mover(filled, url)
    assert mover.step()
    mover.close()
    told = json.loads(moved(filled, url, "--json"))
    assert told["moved"] + mover.done.events == 2_505 and told["known"] + mover.done.known == 1
    books = there.counts()
    assert (books["1"].accepted, books["2"].accepted) == (6, 2_501)
    assert all(book.imbalance == 0 for book in books.values())
    there.close()


def test_a_file_that_a_living_process_holds_is_not_moved(filled):
    holder = SqliteOutbox(str(filled))
    try:
        with pytest.raises(SettingsError, match="still uses"):
            moved(filled, url_of("moved"))
    finally:
        holder.close()
    assert filled.exists()


@pytest.mark.parametrize(
    ("write", "events"), [(write_schema_1, 4), (write_schema_2, 2), (write_schema_3, 1), (write_schema_4, 1)]
)
def test_a_file_of_an_older_version_is_moved_without_a_start_from_it(tmp_path, write, events):
    write(tmp_path / "outbox.db")
    url = url_of("moved")
    assert json.loads(moved(tmp_path / "outbox.db", url, "--json"))["moved"] == events
    there = PostgresOutbox(url)
    assert {book.imbalance for book in there.counts().values()} == {0}
    assert sum(book.accepted for book in there.counts().values()) == events
    there.close()


def test_a_file_that_was_moved_half_is_opened_by_nobody_else(filled, monkeypatch):
    """A timer with the old address sent from the file what PostgreSQL's workers sent, too."""
    step = Mover.step

    def stopped(self: Mover) -> bool:
        assert step(self)
        raise KeyboardInterrupt

    url = url_of("moved")
    with monkeypatch.context() as patch:
        patch.setattr(Mover, "step", stopped)
        CliRunner().invoke(verbs, ["migrate", f"sqlite:///{filled}"], env={"RELAY_OUTBOX": url})
    with pytest.raises(SettingsError, match=r"outbox\.db was handed over to PostgreSQL by `migrate`"):
        SqliteOutbox(str(filled))
    with pytest.raises(SettingsError, match="handed over to PostgreSQL"):  # `status` said: start `deliver`
        open_outbox(f"sqlite:///{filled}", "read")
    told = json.loads(moved(filled, url, "--json"))
    assert told["moved"] == 1_506
    with pytest.raises(SettingsError, match="was handed over"):  # who puts it back would send all of it again
        SqliteOutbox(str(filled.with_name("outbox.db.moved")))
    SqliteOutbox(str(filled)).close()


def test_what_is_damaged_of_a_file_that_was_handed_over_is_not_saved_for_anybody_else(filled):
    mover = SqliteOutbox(str(filled), hands_over=True)
    with pytest.raises(SettingsError, match="handed over"):  # the mark stands in the log as yet
        SqliteOutbox(str(filled))
    mover.close()
    damaged = bytearray(filled.read_bytes())
    damaged[4_096:] = b"\xff" * (len(damaged) - 4_096)
    filled.write_bytes(damaged)
    with pytest.raises(SettingsError, match="handed over"):
        SqliteOutbox(str(filled))
    assert filled.read_bytes() == damaged


def test_a_file_that_could_not_be_moved_is_as_free_as_before(filled, monkeypatch):
    """A process that opened it in the same moment, which is only seen behind the mark."""
    holder: list[SqliteOutbox] = []
    hand_over = database.hand_over

    def at_the_same_time(db) -> None:
        holder.append(SqliteOutbox(str(filled)))
        hand_over(db)

    with monkeypatch.context() as patch:
        patch.setattr(database, "hand_over", at_the_same_time)
        with pytest.raises(SettingsError, match="still uses"):
            moved(filled, url_of("moved"))
    holder[0].close()
    SqliteOutbox(str(filled)).close()


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_what_is_no_outbox_is_left_alone(tmp_path, content):
    path = tmp_path / "outbox.db"
    if content is None:
        with contextlib.closing(apsw.Connection(str(path))) as db:
            db.execute("CREATE TABLE event (id)").fetchall()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=r"outbox\.db is no outbox: it is empty, or a file of something else"):
        moved(path, url_of("moved"))
    assert path.read_bytes() == before


def test_another_file_under_the_same_path_is_moved_too_and_neither_is_overwritten(tmp_path, now):
    """A service that was started with the old address once more; or the second machine of a fleet."""
    url, file = url_of("moved"), tmp_path / "outbox.db"
    for name in ("first", "second"):
        outbox = SqliteOutbox(str(file))
        outbox.put([sealed(name, expires_in=FAR)], now)
        outbox.note_pixel("1", [("Lead", name)], now).result()
        outbox.close()
        assert json.loads(moved(file, url, "--json"))["moved"] == 1
    there = PostgresOutbox(url)
    assert {event.event_id for event in claim(there, now=now).events} == {"first", "second"}
    assert there.deduplication()["1"]["Lead"].both == 2
    there.close()
    assert {found.name for found in tmp_path.glob("*.moved*")} == {"outbox.db.moved", "outbox.db.moved-2"}


def test_what_was_stopped_after_its_last_step_adds_no_figure_twice(filled):
    url = url_of("moved")
    PostgresOutbox(url).close()
    movers = [Mover(filled, url), Mover(filled, url)]  # two at once
    for mover in movers:
        while mover.step():
            pass
        mover.the_rest()
        mover.close()
    there = PostgresOutbox(url)
    once = (there.counts(), there.deduplication(), there.figures(0))
    assert json.loads(moved(filled, url, "--json")) == {"moved": 0, "known": 0, "visitors": 0}
    assert (there.counts(), there.deduplication(), there.figures(0)) == once
    assert once[0]["2"].accepted == 2_500 and sum(mover.done.events for mover in movers) == 2_506
    there.close()


def test_a_refusal_in_the_file_counts_for_what_is_paid_while_it_is_moved(filled, now):
    """The service uses PostgreSQL by then, and the visitor has looked at another page."""
    declined, seen, clicked = Visit(consent="denied", for_long=True), Visit(fbp="fb.1.1.1"), Visit(fbc="fb.1.1.A")
    outbox = SqliteOutbox(str(filled))
    for order, visit in (("declined", declined), ("declined, then seen", declined), ("seen", seen)):
        outbox.remember_visitor(order, visit, now)
    outbox.close()
    url = url_of("moved")
    there = PostgresOutbox(url)
    there.remember_visitor("declined, then seen", seen, now)
    there.remember_visitor("seen", clicked, now)
    mover = Mover(filled, url)
    assert mover.step()
    assert there.visitor("declined", now) == there.visitor("declined, then seen", now) == declined
    assert there.visitor("seen", now) == seen.filled_from(clicked)
    there.put([sealed("purchase_seen")], now)
    there.erase_chosen([there.find("purchase_seen")[0].key], now)
    Mover(filled, url).close()
    mover.close()
    assert there.visitor("seen", now) is None, "a move that goes on brings nobody back"
    there.close()


def test_one_moves_a_file_and_another_is_refused(filled):
    from conversion_relay.cli.migrate import _alone

    url = url_of("moved")
    with _alone(filled), pytest.raises(SettingsError, match="still uses"):
        moved(filled, url)
    moved(filled, url)
    with pytest.raises(SettingsError, match="no such file"):
        moved(filled, url)


def test_a_step_costs_the_same_however_many_wait_behind_it(tmp_path, now):
    """A backlog of a million is a thousand steps: if each read all of it, the move took hours."""

    def taken(n: int) -> int:
        old = SqliteOutbox(str(tmp_path / f"{n}.db"))
        old.put([sealed(f"{n}-{i}", expires_in=FAR) for i in range(n)], now)
        old.close()
        mover = Mover(tmp_path / f"{n}.db", url)
        assert mover.step()  # the first one sorts them
        second = steps(mover._old, mover.step)
        mover.close()
        return second

    url = url_of("moved")
    PostgresOutbox(url).close()
    assert taken(20_000) < 2 * taken(2_000)
