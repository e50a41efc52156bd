"""What an idle worker asks costs no reading, and is never older than the last commit of anybody."""

import apsw
import pytest

from tests.outbox.sqlite.files import event, opened
from tests.outbox.suite import NOW, claim

NAMES = "SELECT name FROM dataset ORDER BY name"


@pytest.fixture
def statements(database):
    """What the reading connection runs from here on."""
    run: list[str] = []
    database.reader.set_exec_trace(lambda _, sql, __: run.append(sql) or True)
    return run


def add(database, name: str) -> None:
    database.submit(lambda db: db.execute("INSERT INTO dataset (name) VALUES (?)", (name,)).fetchall()).result()


def test_while_nobody_commits_nothing_is_read(database, statements):
    for _ in range(5):
        assert database.latest(NAMES) == [[]]
    assert [sql for sql in statements if "dataset" in sql] == [NAMES]


def test_a_commit_of_this_process_and_of_another_connection_is_seen_at_once(database, path):
    assert database.latest(NAMES, NAMES) == [[], []]
    add(database, "1")
    assert database.latest(NAMES) == [[("1",)]]
    other = apsw.Connection(str(path))
    other.execute("INSERT INTO dataset (name) VALUES ('2')")
    assert database.latest(NAMES) == [[("1",), ("2",)]]
    other.close()


def test_a_file_that_was_closed_for_a_fork_is_read_anew(database, path):
    """Versions count from the opening of a connection, so the new one begins where the old one began."""
    assert database.latest(NAMES) == [[]]
    database.before_fork(5)
    other = apsw.Connection(str(path))
    other.execute("INSERT INTO dataset (name) VALUES ('2')")
    other.close()
    database.after_fork_in_parent()
    assert database.latest(NAMES) == [[("2",)]]


def test_a_worker_hears_of_what_another_process_put_took_and_gave_back(path):
    ours, theirs = opened(path), opened(path)
    assert ours.waiting(NOW) == {}
    theirs.put([event(1)], NOW)
    assert ours.waiting(NOW) == {"1": 0.0}
    lease = claim(theirs)
    assert ours.waiting(NOW) == {}
    theirs.release(lease)
    assert ours.waiting(NOW) == {"1": 0.0}
    ours.close()
    theirs.close()
