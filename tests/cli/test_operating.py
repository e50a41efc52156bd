"""The operator's verbs in processes of their own: what is wrong is said with what to do, and a command repairs it."""

import contextlib
import json
import threading
import time

import apsw
import pytest

from conversion_relay.cli import checks as checking
from conversion_relay.cli import serve
from conversion_relay.cli.checks import checks as all_checks
from conversion_relay.cli.said_at_start import say_what_can_be_forged_or_guessed
from conversion_relay.errors import SettingsError
from conversion_relay.outbox.sqlite.backup import backup, restore
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import HELD, Hold
from conversion_relay.settings import Settings
from tests.cli.test_verbs import lead, lines
from tests.delivery.standins import Meta
from tests.one_module import replace_in
from tests.outbox.sqlite.old_schemas import write_schema_1, write_schema_2, write_schema_3, write_schema_4
from tests.processes import DATASET, call, installation, until

REFUSED = {"mode": "poison", "event_id_contains": "bad"}


@pytest.fixture
def here(tmp_path):
    with installation(tmp_path) as here:
        yield here


ENVIRON = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAtest"}


def checks(here, *arguments: str) -> dict[str, dict]:
    done = here.command("doctor", "--json", *arguments)
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def needs(here) -> list[str]:
    return [need["cause"] for need in json.loads(here.command("status", "--json").stdout)["needs"]]


def test_doctor_finds_nothing_wrong_with_what_runs_and_sends_no_event(here):
    here.start()
    until(lambda: checks(here)["delivery"]["state"] == "ok")
    done = here.command("doctor")
    assert done.returncode == 0, done.stdout
    assert b"Meta takes the token" in done.stdout and here.arrived() == []


def test_a_dead_token_is_said_by_doctor_and_status_with_what_to_do(here):
    here.start()
    here.misbehave(mode="token_expired")
    here.post(lead("a"))
    until(lambda: f"unauthorized:{DATASET}" in needs(here))
    found = checks(here)[f"token of dataset {DATASET}"]
    assert found["state"] == "error" and "META_ACCESS_TOKEN" in found["fix"]
    assert here.command("doctor").returncode == 1
    told = here.command("status")
    assert told.returncode == 1 and b"set a new META_ACCESS_TOKEN" in told.stdout


def test_that_nobody_delivers_is_said(here):
    here.start("--no-worker")
    here.post(lead("a"))
    found = checks(here)["delivery"]
    assert found["state"] == "error" and "conversion-relay deliver" in found["fix"]
    assert json.loads(here.command("status", "--json").stdout)["delivered_by"] is False


def test_doctor_names_what_is_missing_on_a_fresh_machine(here):
    for name in ("META_PIXEL_ID", "META_ACCESS_TOKEN", "RELAY_ALLOWED_ORIGINS", "RELAY_API_KEYS"):
        here.env[name] = ""
    found = checks(here)
    assert found["dataset"]["state"] == "error" and "META_PIXEL_ID" in found["dataset"]["fix"]
    assert found["outbox"]["state"] == found["origins"]["state"] == "warning"


@pytest.mark.parametrize(
    ("key", "password", "named"),
    [
        ("demo", "", ["RELAY_API_KEYS"]),
        (f"{'k' * 24},short", "hunter2", ["RELAY_API_KEYS", "RELAY_ADMIN_PASSWORD"]),
        (f"sha256:{'0' * 64}", "correct-horse", []),
    ],
)
def test_a_key_or_password_that_can_be_guessed_is_said(tmp_path, caplog, key, password, named):
    """Keys are tried as fast as a server answers."""
    more = {"RELAY_API_KEYS": key, "RELAY_ADMIN_PASSWORD": password, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    settings = Settings.from_env(ENVIRON | more)
    found = [check for check in all_checks(settings, Meta()) if check.name == "secrets"]
    assert [check.what.partition(" ")[0] for check in found] == named
    say_what_can_be_forged_or_guessed(settings)
    assert [text.partition(" ")[0] for text in caplog.messages] == named
    assert not any(secret in f"{found}{caplog.messages}" for secret in ("demo", "short", "hunter2"))


def test_doctor_says_that_no_outbox_can_be_made_where_there_is_no_folder(here, tmp_path):
    here.env["RELAY_OUTBOX"] = f"sqlite:///{tmp_path}/nowhere/outbox.db"
    found = checks(here)["outbox"]
    assert (found["state"], found["fix"]) == ("error", "create it, or set another RELAY_OUTBOX")


def test_doctor_says_that_none_can_be_made_in_a_folder_that_is_closed_to_its_user(tmp_path, monkeypatch):
    settings = Settings.from_env({**ENVIRON, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"})
    replace_in(checking, "os", monkeypatch, access=lambda *_, **__: False)  # root may write anywhere
    found = next(check for check in all_checks(settings, Meta()) if check.name == "outbox")
    assert (found.state, found.fix) == ("error", "let this user write into it")


def test_a_refused_event_is_explained_with_the_sentence_the_field_and_the_remedy(here):
    here.misbehave(**REFUSED)
    here.command("send", "-", stdin=lines(lead("bad-1"), lead("good")))
    here.command("deliver", "--once")
    (story,) = json.loads(here.command("explain", "bad-1", "--json").stdout)
    assert story["state"] == "dead" and story["history"][-1]["sentence"]
    told = here.command("explain", "bad-1").stdout
    assert b"Meta said: " in told
    groups = json.loads(here.command("dead", "list", "--group", "--json").stdout)
    assert [(group["n"], group["event_name"]) for group in groups] == [(1, "Lead")]
    assert story["history"][-1]["sentence"].encode() in here.command("dead", "list", "--group").stdout
    table = here.command("dead", "export", "--csv").stdout.decode()
    assert "bad-1" in table and table.startswith("dataset,event_name")


def test_the_list_by_cause_says_what_a_replay_mends_and_does_not_hide_what_is_held(here):
    here.misbehave(**REFUSED)
    here.command("send", "-", stdin=lines(lead("bad-1"), lead("held", event_name="Contact")))
    outbox = SqliteOutbox(str(here.database))
    lease = outbox.claim(DATASET, 1_000, 60, time.time())
    held = [event for event in lease.events if event.event_id == "held"]
    outbox.settle(lease, [(Hold(HELD), held)], None, time.time())
    told = here.command("dead", "list", "--group")
    assert told.returncode == 1 and b"no dead letters" in told.stdout and b"1 held" in told.stdout
    outbox.close()
    here.command("deliver", "--once")
    assert b"another id" in here.command("dead", "list", "--group").stdout


def test_a_test_code_that_was_left_on_is_a_warning(here):
    assert "test code" not in checks(here)
    here.env["META_TEST_EVENT_CODE"] = "TEST1"
    assert checks(here)["test code"]["state"] == "warning"


def test_dead_letters_are_replayed_by_reason_or_name(here):
    here.misbehave(**REFUSED)
    here.command("send", "-", stdin=lines(lead("bad-1"), lead("bad-2", event_name="Contact")))
    here.command("deliver", "--once")
    call("POST", f"{here.meta}/_emulator/reset")
    assert json.loads(here.command("dead", "replay", "--reason", "nothing", "--json").stdout) == {"replayed": 0}
    assert json.loads(here.command("dead", "replay", "--name", "Contact", "--json").stdout) == {"replayed": 1}
    here.command("deliver", "--once")
    assert [row["event"]["event_id"] for row in here.arrived()] == ["bad-2"]


def test_tail_shows_the_newest_events_with_why(here):
    here.misbehave(**REFUSED)
    here.command("send", "-", stdin=lines(lead("bad-1"), lead("good")))
    here.command("deliver", "--once")
    told = here.command("tail", "--once").stdout.decode()
    assert "delivered" in told and "good" in told and "bad-1" in told and "dead" in told
    only = here.command("tail", "--once", "--state", "dead", "--json").stdout
    assert [json.loads(line)["event_id"] for line in only.splitlines()] == ["bad-1"]


def test_quality_tells_what_to_add_first(here):
    here.command("send", "-", stdin=lines(lead("a"), lead("b")))
    here.command("deliver", "--once")
    (fact,) = json.loads(here.command("quality", "--json").stdout)["events"]
    assert (fact["sampled"], fact["coverage"]["em"], fact["coverage"]["ph"]) == (2, 1.0, 0.0)
    assert 0 < fact["estimate"] < 10 and fact["advice"].startswith("add ")
    assert 0 < fact["metas"] <= 10, "Meta's own, by its Dataset Quality API"
    assert b"estimate is ours" in here.command("quality").stdout


def test_the_four_events_go_to_meta_under_a_test_code_only(here):
    assert here.command("test").returncode == 78
    done = here.command("test", "--test-code", "TEST123", "--json")
    assert done.returncode == 0 and len(json.loads(done.stdout)) == 4
    asked = call("GET", f"{here.meta}/_emulator/requests")[1]["requests"]
    assert len(asked) == 4


def test_a_copy_of_an_outbox_in_use_is_put_back_whole(here, tmp_path):
    here.start("--no-worker")
    for n in range(20):
        here.post(lead(f"e{n}"))
    copy = tmp_path / "copy.db"
    assert b"20 events" in here.command("backup", str(copy)).stdout and copy.stat().st_mode & 0o077 == 0
    assert here.command("backup", str(copy)).returncode == 78, "nothing is overwritten"
    assert here.command("restore", str(copy)).returncode == 78
    here.stop()
    for path in tmp_path.glob("outbox.db*"):
        path.unlink() if path.is_file() else None
    assert here.command("restore", str(copy)).returncode == 0
    assert here.command("deliver", "--once").returncode == 0
    assert len(here.arrived()) == 20
    (tmp_path / "broken.db").write_bytes(copy.read_bytes()[:9_000])
    here.env["RELAY_OUTBOX"] = f"sqlite:///{tmp_path}/other.db"
    assert here.command("restore", str(tmp_path / "broken.db")).returncode == 78
    assert not (tmp_path / "other.db").exists()


def test_who_was_forgotten_after_the_copy_does_not_come_back_with_it(here, tmp_path):
    here.start("--no-worker")
    for name in ("stays", "erased"):
        here.post(lead(name, user_data={"email": f"{name}@example.com"}))
    here.post(lead("withdrawn", event_name="ViewContent"))
    assert here.command("backup", str(tmp_path / "copy.db")).returncode == 0
    assert b"1 events erased" in here.command("erase", "--email", "-", stdin=b"erased@example.com").stdout
    taken = call("POST", f"{here.url}/withdraw", {"event_ids": ["withdrawn"]}, Origin="https://shop.example")
    assert taken == (202, {"withdrawn": 1})
    here.kill()
    (tmp_path / "old").mkdir()
    for path in tmp_path.glob("outbox.db*"):
        path.rename(tmp_path / "old" / path.name)
    assert (tmp_path / "old" / "outbox.db-wal").stat().st_size, "what was erased last stands in the log alone"
    told = here.command("restore", str(tmp_path / "copy.db"))
    assert told.returncode == 0 and b"3 wait" in told.stdout and b"--erased-in" in told.stderr
    (tmp_path / "outbox.db").unlink()
    told = here.command("restore", str(tmp_path / "copy.db"), "--erased-in", str(tmp_path / "old" / "outbox.db"))
    assert told.returncode == 0 and b"1 wait" in told.stdout and b"2 of them erased" in told.stdout, told
    assert here.command("deliver", "--once").returncode == 0
    assert [sent["event"]["event_id"] for sent in here.arrived()] == ["stays"]
    assert here.books()["erased"] == 2 and here.books()["imbalance"] == 0
    assert '"count":2' in (tmp_path / "outbox.db-changes").read_text(), "it stands among the changes by hand"


@pytest.mark.parametrize(
    ("write", "events"), [(write_schema_1, 4), (write_schema_2, 2), (write_schema_3, 1), (write_schema_4, 1)]
)
def test_a_copy_of_an_older_version_is_made_before_an_upgrade_and_put_back_after_it(tmp_path, write, events):
    old, copy, new = (tmp_path / name for name in ("old.db", "copy.db", "new.db"))
    write(old)
    assert backup(old, copy) == restore(copy, new).events == events
    outbox = SqliteOutbox(str(new))
    (book,) = outbox.counts().values()
    assert book.imbalance == 0 and book.accepted == events
    outbox.close()


def test_a_copy_of_a_newer_version_is_refused_with_what_to_do(tmp_path):
    copy = tmp_path / "copy.db"
    write_schema_3(copy)
    with contextlib.closing(apsw.Connection(str(copy))) as db:
        db.execute("PRAGMA user_version = 99").fetchall()
    with pytest.raises(SettingsError, match="install the newer one"):
        restore(copy, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_one_failure_does_not_end_the_looks_of_a_door_that_delivers_nothing(tmp_path, monkeypatch, caplog):
    """Its doors heard of no new settings any more, nobody of trouble, and to others it was gone."""
    came = threading.Semaphore(0)

    class Watch:
        def __init__(self, *_: object) -> None:
            pass

        def __call__(self) -> None:
            came.release()
            raise KeyError("a mistake of ours")

    monkeypatch.setattr(serve, "SettingsWatch", Watch)
    settings = Settings.from_env({**ENVIRON, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"})
    service = serve.Service(settings, deliver=False)
    service.start()
    try:
        assert came.acquire(timeout=60) and came.acquire(timeout=60), "it was looked after once"
    finally:
        service.stop()
    assert "What is looked after once a second failed; it goes on" in caplog.messages
