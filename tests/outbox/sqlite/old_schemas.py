"""Files as earlier versions wrote them."""

from pathlib import Path

import apsw

from tests.outbox.suite import NOW


def write_schema_2(path: Path, more: str = "") -> None:
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute(Path(__file__).with_name("schema_2.sql").read_text() + more).fetchall()
    db.execute("INSERT INTO dataset VALUES (1, '1')")
    for key, (name, state) in enumerate({"w": "waiting", "x": "delivered"}.items(), 1):
        row = (key, 1, "Lead", name, int(NOW), int(NOW) + 600_000, NOW, state)
        db.execute(
            "INSERT INTO event (key, dataset, event_name, event_id, event_time, expires_at, accepted_at, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
    db.execute("INSERT INTO body VALUES (1, 2745614147, CAST('{}' AS BLOB)); INSERT INTO queue VALUES (1, 0, 1, 1)")
    db.execute("INSERT INTO tally VALUES (1, 'accepted', 2), (1, 'pending', 1), (1, 'delivered', 1)")
    db.execute("PRAGMA user_version = 2").fetchall()
    db.close()


def write_schema_3(path: Path) -> None:
    """One dead letter, as version 0.1 kept it."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute(Path(__file__).with_name("schema_3.sql").read_text()).fetchall()
    db.execute("INSERT INTO dataset VALUES (1, '1')")
    db.execute("INSERT INTO answer (id, at, outcome, code, title) VALUES (7, 1.0, 'refused', 100, 'Missing Value')")
    db.execute(
        "INSERT INTO event (key, dataset, event_name, event_id, event_time, expires_at, accepted_at, state, answer,"
        " settled_at) VALUES (1, 1, 'Lead', 'd', 1, 600000, 1, 'dead', 7, 2)"
    )
    db.execute("INSERT INTO tally VALUES (1, 'accepted', 1), (1, 'dead', 1); PRAGMA user_version = 3").fetchall()
    db.close()


def write_schema_4(path: Path) -> None:
    """One event that a process leases, as version 0.2 kept it."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute(Path(__file__).with_name("schema_4.sql").read_text()).fetchall()
    db.execute("INSERT INTO dataset VALUES (1, '1')")
    db.execute(
        "INSERT INTO event (key, dataset, event_name, event_id, event_time, expires_at, accepted_at, state)"
        f" VALUES (1, 1, 'Lead', 'l', {int(NOW)}, {int(NOW) + 600_000}, {NOW}, 'waiting')"
    )
    db.execute("INSERT INTO body VALUES (1, 2745614147, CAST('{}' AS BLOB))")
    db.execute("INSERT INTO lease VALUES ('t', 'gone', 1, 1, 1, ?)", ((1).to_bytes(8, "little"),))
    db.execute("INSERT INTO tally VALUES (1, 'accepted', 1), (1, 'leased', 1); PRAGMA user_version = 4").fetchall()
    db.close()


def write_schema_1(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute(Path(__file__).with_name("schema_1.sql").read_text()).fetchall()
    db.execute("INSERT INTO answer (id, at, outcome, code) VALUES (7, 1.0, 'refused', 100)")
    states = {"p": "pending", "l": "leased", "x": "delivered", "d": "dead"}
    for name, state in states.items():
        body = None if state == "delivered" else b"{}"
        row = ("1", "Lead", name, int(NOW), int(NOW) + 600_000, NOW, state, NOW, body, 2745614147, 7)
        db.execute(
            "INSERT INTO event (dataset, event_name, event_id, event_time, expires_at, accepted_at, state, due_at,"
            " body, checksum, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        db.execute("INSERT INTO tally VALUES ('1', ?, 1)", (state,))
    db.execute("INSERT INTO tally VALUES ('1', 'accepted', 4); PRAGMA user_version = 1").fetchall()
    db.close()
