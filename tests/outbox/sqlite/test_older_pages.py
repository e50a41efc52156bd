"""A file that was made with smaller pages is used as it is: it keeps them, and what reads pages knows them."""

import pytest

from conversion_relay.outbox.sqlite.file import MOST_LOG, OLDER_PAGE, PAGE, open_file
from conversion_relay.outbox.sqlite.salvage import salvage
from conversion_relay.outbox.sqlite.traces import keys_beside, pages_with, rows_on
from tests.outbox.sqlite.files import EVENTS, drained, filled, opened, overwrite, rows


@pytest.fixture(params=[OLDER_PAGE, PAGE])
def page(request, path):
    """The bytes of a page of the file at `path`."""
    for connection in open_file(path, new_page=request.param):
        connection.close()
    return request.param


def test_a_file_keeps_its_pages_and_its_log_is_as_long(path, page):
    filled(path)
    assert rows(path, "PRAGMA page_size") == [(page,)]
    writer, reader = open_file(path)
    ((log,),) = writer.execute("PRAGMA wal_autocheckpoint").fetchall()
    assert MOST_LOG / 64 < log * page <= MOST_LOG  # less on a small disk
    for connection in (writer, reader):
        connection.close()
    outbox = opened(path)
    assert len(drained(outbox)) == EVENTS
    outbox.close()


@pytest.mark.parametrize("broken", [16, 100, OLDER_PAGE, PAGE])
def test_without_its_head_every_event_is_still_found(path, page, broken):
    filled(path)
    overwrite(path, 0, bytes(broken if broken <= 100 else page))
    salvage(path)
    outbox = opened(path)
    assert len(drained(outbox)) == EVENTS
    outbox.close()


@pytest.mark.usefixtures("page")
def test_a_text_is_found_on_the_page_on_which_it_stands(path):
    filled(path)
    for n in range(0, EVENTS, 37):
        ((key,),) = rows(path, "SELECT key FROM event WHERE event_id = ?", f"e{n}")
        text = f'"event_id":"e{n}"'.encode()
        found = [rows_on(*page) for page in pages_with(path, lambda content, text=text: text in content)]
        assert any(key in rows for rows in found)
        assert not keys_beside(path, lambda content, text=text: text in content), "it lives there; nothing is beside it"
