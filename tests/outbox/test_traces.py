"""Nothing of a person who was erased stands in the file, also where SQLite moved rows from page to page before."""

import random

import pytest

from conversion_relay.event import SealedEvent
from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.sqlite.file import OLDER_PAGE, PAGE, open_file
from conversion_relay.outbox.sqlite.traces import rows_on
from conversion_relay.outbox.verdict import Dead, Delivered

NOW = 1_795_435_200.0


def person(number: int) -> str:
    return f"{number:064x}"


def sealed(number: int, chance: random.Random, longest: int) -> SealedEvent:
    body = f'{{"event_id":"{number}","em":"{person(number)}","padding":"{"x" * chance.randrange(300, longest)}"}}'
    times = {"event_time": int(NOW), "expires_at": int(NOW) + 600_000}
    return SealedEvent(dataset="1", event_name="Lead", event_id=str(number), body=body.encode(), **times)


@pytest.mark.parametrize(
    ("seed", "page", "erased_by", "longest"),
    [
        (0, OLDER_PAGE, "person", 1_200),
        (0, PAGE, "person", 1_200),
        (9, OLDER_PAGE, "person", 1_200),
        (9, PAGE, "person", 1_200),
        (0, OLDER_PAGE, "choice", 1_200),
        (0, OLDER_PAGE, "person", 12_000),
        (0, PAGE, "person", 40_000),
    ],
)
def test_what_sqlite_left_of_an_erased_body_is_overwritten(tmp_path, seed, page, erased_by, longest):
    """Five hundred of six hundred events end in some order; a copy of one or the other body stays behind. The longest
    rows do not find room on their page."""
    chance, path = random.Random(seed), tmp_path / "outbox.db"
    for connection in open_file(path, new_page=page):
        connection.close()
    outbox = open_outbox(f"sqlite:///{path}")
    outbox.put([sealed(n, chance, longest) for n in range(600)], NOW)
    lease = outbox.claim("1", 600, 60, NOW)
    outbox.settle(lease, [(Dead("refused"), list(lease.events))], None, NOW)
    ended = chance.sample(range(600), 500)
    for first in range(0, 500, 4):
        outbox.replay(NOW, [str(n) for n in ended[first : first + 4]])
        lease = outbox.claim("1", 600, 60, NOW)
        outbox.settle(lease, [(Delivered(), list(lease.events))], None, NOW)
    if erased_by == "person":
        outbox.erase([person(n) for n in ended], NOW)
    else:
        keys = {story.event_id: story.key for story in outbox.recent(600)}
        assert outbox.erase_chosen([keys[str(n)] for n in ended], NOW) == 500
    content = path.read_bytes() + (tmp_path / "outbox.db-wal").read_bytes()
    assert [n for n in ended if person(n).encode() in content] == []
    dead = outbox.dead(1_000)
    assert {story.event_id for story in dead} == {str(n) for n in set(range(600)) - set(ended)}
    assert outbox.replay(NOW, None) == 100 and len(outbox.claim("1", 600, 60, NOW).events) == 100
    outbox.close()


def test_a_page_of_another_kind_names_no_rows():
    assert rows_on(b"\x05" + bytes(4_095)) == {}
