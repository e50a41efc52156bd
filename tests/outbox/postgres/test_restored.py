"""Databases that were copied or restored by PostgreSQL's own means."""

import logging
import time
from urllib.parse import urlencode

import pytest

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.outbox.postgres.keys import first_key, period_of
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.story import Attempt
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.dashboard.here import REFUSED, Here
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import NOW, claim, sealed

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]
ANSWER = Attempt(at=NOW, outcome="accepted")


@pytest.fixture
def url():
    cheap().execute("DROP SCHEMA IF EXISTS restored CASCADE")
    return f"{cheap().url}&schema=restored"


@pytest.fixture
def filled(url):
    outbox = PostgresOutbox(url)
    outbox.put([sealed(f"e{n}") for n in range(3)], NOW)
    lease = claim(outbox)
    for event in lease.events:
        outbox.settle(lease, [(Delivered(), [event])], ANSWER, NOW)
    outbox.close()
    return url


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("DELETE FROM restored.about", "as after a dump of the schema alone"),
        ("INSERT INTO restored.about (version, id) VALUES (3, 'other')", "the rows of two outboxes"),
    ],
)
def test_a_schema_without_rows_or_with_two_outboxes_is_told(filled, rows, told):
    cheap().execute(rows)
    for create in (True, False):
        with pytest.raises(SettingsError, match=told):
            PostgresOutbox(filled, create=create)


def test_a_schema_in_which_the_role_makes_no_table_is_refused_at_the_start(filled):
    """As after `pg_restore --no-owner`, where the tables were given back and the schema was not."""
    cheap().execute(
        "DROP ROLE IF EXISTS restorer; CREATE ROLE restorer LOGIN; GRANT USAGE ON SCHEMA restored TO restorer"
    )
    tables = cheap().execute(
        "SELECT format('ALTER TABLE restored.%I OWNER TO restorer', relname) FROM pg_class"
        " WHERE relnamespace = 'restored'::regnamespace AND relkind IN ('r', 'p', 'v')"
    )
    for (sql,) in tables:
        cheap().execute(str(sql))
    theirs = filled.replace("postgres@", "restorer@")
    try:
        with pytest.raises(SettingsError, match="ALTER SCHEMA"):
            PostgresOutbox(theirs)
        cheap().execute("GRANT CREATE ON SCHEMA restored TO restorer")
        with pytest.raises(SettingsError, match="denies the role a right"):
            PostgresOutbox(theirs)
        cheap().execute("ALTER SEQUENCE restored.event_number OWNER TO restorer")
        outbox = PostgresOutbox(theirs)
        assert not outbox.put([sealed("after")], NOW)[0].duplicate
        outbox.close()
    finally:
        cheap().execute("DROP OWNED BY restorer CASCADE; DROP ROLE restorer")


def behind(url, *sequences):
    """As in a database to which rows were replicated one by one."""
    for name in sequences:
        first = 1_024 if name == "event_number" else 1
        cheap().execute(f"SELECT setval('restored.{name}', {first}, false)")
    return PostgresOutbox(url)


def test_numbers_that_were_not_replicated_go_on_behind_the_rows(filled):
    outbox = behind(filled, "answer_id_seq", "delivered_id_seq", "dataset_id_seq", "event_number")
    outbox.put([sealed("after"), sealed("refused"), sealed("theirs", dataset="other")], NOW)
    for dataset in ("1", "other"):
        lease = claim(outbox, dataset=dataset)
        for event in lease.events:
            outbox.settle(
                lease, [(Dead("refused") if event.event_id == "refused" else Delivered(), [event])], ANSWER, NOW
            )
    assert [outbox.find(name)[0].state for name in ("after", "refused", "theirs")] == ["delivered", "dead", "delivered"]
    outbox.close()


def test_a_million_keys_ahead_of_the_sequence_refuse_nothing(filled):
    far = first_key(period_of(NOW)) + 1_024 * 1_000
    cheap().execute(f"UPDATE restored.event SET key = {far} WHERE event_id = 'e0'")
    outbox = behind(filled, "event_number")
    assert outbox._storing.numbers(1) == [1_024 * 1_001]
    outbox.close()
    again = PostgresOutbox(filled)
    assert again._storing.numbers(1) == [1_024 * 1_002], "it is not set back"
    again.close()


def test_why_a_put_is_refused_stands_in_the_log_once(filled, caplog):
    caplog.set_level(logging.INFO)
    outbox = PostgresOutbox(filled)
    part = f"restored.event_{period_of(NOW)}"
    cheap().execute(f"ALTER TABLE restored.event DETACH PARTITION {part}")
    for n in range(3):
        with pytest.raises(OutboxUnavailable):
            outbox.put([sealed(f"detached-{n}")], NOW)
    bounds = f"FROM ({first_key(period_of(NOW))}) TO ({first_key(period_of(NOW) + 1)})"
    cheap().execute(f"ALTER TABLE restored.event ATTACH PARTITION {part} FOR VALUES {bounds}")
    assert not outbox.put([sealed("attached")], NOW)[0].duplicate
    told = [(r.getMessage(), getattr(r, "reason", "")) for r in caplog.records if "outbox" in r.getMessage()]
    assert [message for message, _ in told] == ["The outbox cannot record", "The outbox records again"]
    assert "took a part of `event` away" in told[0][1]
    outbox.close()


def test_what_is_chosen_on_the_dashboard_is_sent_again_and_erased(url, tmp_path):
    """A key of PostgreSQL's has more figures than one of the embedded outbox."""
    here = Here(tmp_path, time.time(), RELAY_OUTBOX=url)
    here.put("again", "erased")
    here.settle(Dead("x"), REFUSED)
    for name, action in (("again", "replay"), ("erased", "erase")):
        token = here.page("/dashboard/dead").partition('name="token" value="')[2].partition('"')[0]
        form = urlencode({"token": token, "do": action, "key": here.outbox.find(name)[0].key})
        answer = here.client.post("/dashboard/change", content=form, follow_redirects=False)
        assert answer.headers["location"] == f"/dashboard?done={action}-1"
    assert [here.outbox.find(name)[0].state for name in ("again", "erased")] == ["pending", "erased"]
    here.relay.close()
