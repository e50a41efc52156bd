"""While another session's transaction keeps deleted rows in the queue, claims begin behind them (`floors.py`): what
stands before that place is found all the same. Here every store is taken for crowded."""

import pytest

from conversion_relay.outbox.postgres import crowd, floors, waiting
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.machine import OutboxMachine, runs
from tests.outbox.postgres.backend import PostgresBackend, url_of
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import NOW, claim, sealed, settle_all
from tests.processes import until

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


@pytest.fixture(autouse=True)
def crowded(monkeypatch):
    monkeypatch.setattr(crowd, "CROWD", -1)
    # The model's time is not the clock's by which such looks are rare.
    for module in (floors, waiting):
        monkeypatch.setattr(module, "A_LITTLE", floors.Look(0.0, 0.0))


def opened(url: str) -> PostgresOutbox:
    outbox = PostgresOutbox(url)
    outbox.tidy(NOW)  # whoever keeps house sees that it is crowded
    return outbox


@pytest.fixture
def outbox():
    outbox = opened(url_of("s0"))
    outbox.put([sealed("a"), sealed("b")], NOW)
    settle_all(outbox, claim(outbox), Delivered())
    assert outbox.claim("1", 10, 60, NOW) is None
    yield outbox
    outbox.close()


def ids(lease) -> list[str]:
    return [event.event_id for event in lease.events] if lease else []


def test_what_is_put_next_waits_and_is_claimed(outbox):
    outbox.put([sealed("c")], NOW)
    assert "1" in outbox.waiting(NOW)
    assert ids(outbox.claim("1", 10, 60, NOW)) == ["c"]
    assert "1" not in outbox.waiting(NOW)


def test_what_is_put_under_a_clock_that_was_set_back_is_claimed_at_once(outbox):
    outbox.put([sealed("c")], NOW - 3_600)
    assert "1" in outbox.waiting(NOW)
    assert ids(outbox.claim("1", 10, 60, NOW - 3_600)) == ["c"]


def test_so_it_is_where_nothing_was_claimed_before():
    fresh = opened(url_of("s0"))
    fresh.note_pixel("1", [("Lead", "known")], NOW)
    assert "1" not in fresh.waiting(NOW)
    fresh.put([sealed("c")], NOW - 3_600)
    assert ids(fresh.claim("1", 10, 60, NOW - 3_600)) == ["c"]
    fresh.close()


def test_what_comes_back_is_claimed_at_once(outbox):
    outbox.put([sealed("c")], NOW)
    lease = claim(outbox)
    assert outbox.claim("1", 10, 60, NOW) is None
    outbox.release(lease)
    assert "1" in outbox.waiting(NOW)
    assert ids(outbox.claim("1", 10, 60, NOW)) == ["c"]


def test_what_another_process_put_long_before_is_found_by_the_next_look_from_the_front(outbox):
    other = opened(f"{cheap().url}&schema=s0")
    other.put([sealed("late")], NOW - 60)
    until(lambda: "1" in looked_ahead(outbox).waiting(NOW))
    assert ids(outbox.claim("1", 10, 60, NOW)) == ["late"]
    other.close()


def looked_ahead(outbox):
    """Whoever keeps house does so every second."""
    outbox.tidy(NOW)
    return outbox


def test_a_look_at_a_thousand_datasets_compares_none_with_all_others(outbox, monkeypatch):
    asked, read = [], outbox._database.read
    monkeypatch.setattr(outbox._database, "read", lambda *of, **how: asked.append((of, how)) or read(*of, **how))
    outbox.put([sealed(f"d{n}", dataset=str(n)) for n in range(1, 30)], NOW)
    assert len(outbox.waiting(NOW)) == 29
    sql, values = next(of for of, _ in asked if "unnest" in of[0])
    plan = "\n".join(line for (line,) in read(f"EXPLAIN {sql}", values, pinned=True))
    assert "queue" in plan and "Join Filter" not in plan


class CrowdedBackend(PostgresBackend):
    def open(self, place):
        outbox = super().open(place)
        outbox.tidy(NOW)
        return outbox


class CrowdedMachine(OutboxMachine):
    """Without what looks at the lanes only now and then while it is crowded."""

    backend = CrowdedBackend()

    def teardown(self) -> None:
        super().teardown()
        self.backend.schemas.clear()

    def tidy(self) -> None: ...

    def another_machine_takes_over(self) -> None: ...


CrowdedMachine.TestCase.settings = runs(12)
TestCrowdedModel = CrowdedMachine.TestCase
