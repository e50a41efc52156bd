"""Verbs that look make nothing; a mistyped path is told. Ballast is for services alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conversion_relay.cli import verbs
from conversion_relay.cli.look import stranded
from conversion_relay.event_id import without_email
from conversion_relay.outbox import Attempt, Counts, open_outbox
from conversion_relay.outbox.verdict import Park
from conversion_relay.settings import Settings
from tests.outbox.suite import NOW, sealed
from tests.processes import Process, installation, until

LOOKING = [
    ["status"],
    ["status", "--json"],
    ["explain", "e"],
    ["dead", "list"],
    ["dead", "list", "--json"],
    ["dead", "export"],
    ["dead", "export", "letters.jsonl"],
    ["dead", "replay"],
    ["dead", "replay", "e"],
]
TOUCHING_WHAT_IS_THERE = [["erase", "--email", "canary.person@example.org"]]
WITHOUT_AN_OUTBOX = [["normalize"], ["validate", "-"], ["--help"], ["status", "--help"], ["nonsense"]]


def run(folder: Path, arguments: list[str], outbox: str = "sqlite:///outbox.db") -> subprocess.CompletedProcess[bytes]:
    env = {"RELAY_OUTBOX": outbox, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "conversion_relay.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=env, input=b"", capture_output=True, timeout=60, check=False)


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() if f.is_file() else b"" for f in folder.rglob("*")}


@pytest.mark.parametrize("arguments", LOOKING + TOUCHING_WHAT_IS_THERE, ids=" ".join)
@pytest.mark.parametrize("place", ["sqlite:///outbx.db", "sqlite:///no/such/folder/outbox.db"])
def test_a_mistyped_path_is_told_and_nothing_is_made(tmp_path, arguments, place):
    done = run(tmp_path, arguments, place)
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (78, b"", [])
    told = done.stderr.decode()
    assert told.startswith(f"RELAY_OUTBOX: no outbox at {tmp_path}/{place.removeprefix('sqlite:///')};")
    assert told.count("\n") == 1


@pytest.mark.parametrize("arguments", WITHOUT_AN_OUTBOX, ids=" ".join)
def test_a_verb_without_an_outbox_makes_none(tmp_path, arguments):
    assert b"Traceback" not in run(tmp_path, arguments).stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_a_look_at_an_outbox_changes_no_file(tmp_path, arguments):
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    outbox.put([sealed("e")], NOW)
    outbox.close()
    before = files(tmp_path)
    done = run(tmp_path, arguments)
    assert done.returncode in (0, 1) and not done.stderr
    (tmp_path / "letters.jsonl").unlink(missing_ok=True)  # what the export itself writes
    assert files(tmp_path) == before and not list(tmp_path.glob("*ballast"))


def test_accepting_events_lays_no_ballast_and_a_service_does(tmp_path):
    with installation(tmp_path) as here:
        del here.env["RELAY_BALLAST"]
        here.command(
            "send", "-", stdin=json.dumps({"event_name": "Lead", "user_data": {"email": "a@b.example"}}).encode()
        )
        assert here.database.exists() and not list(tmp_path.glob("*ballast"))
        for arguments in (("deliver", "--once"), ("serve", "--port", "0")):
            process = Process(*arguments, log=tmp_path / "service.log", env=here.env)
            until(lambda: list(tmp_path.glob("*ballast")))
            process.end()
            (tmp_path / "outbox.db-ballast").unlink()
        here.env["RELAY_BALLAST"] = "false"
        assert here.command("deliver", "--once").returncode == 0
        assert not list(tmp_path.glob("*ballast"))


ENV = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "E"}


@pytest.mark.parametrize(
    ("environ", "found"),
    [(ENV, {"2": 3, "unknown-1": 4}), ({}, {"unknown-1": 4}), (ENV | {"META_PIXEL_ID": "2"}, {"1": 1, "unknown-1": 4})],
)
def test_events_of_a_dataset_that_is_not_configured_are_named(environ, found):
    books = {"1": Counts(pending=1), "2": Counts(pending=3), "unknown-1": Counts(pending=4), "9": Counts(delivered=5)}
    settings = Settings.from_env(environ, required=())
    assert stranded(books | {"all": Counts(pending=7)}, settings) == found


def test_status_and_a_service_tell_of_events_that_nobody_sends(tmp_path):
    with installation(tmp_path) as here:
        outbox = open_outbox(here.env["RELAY_OUTBOX"])
        outbox.put([sealed("e")], NOW)
        outbox.close()
        done = here.command("status")
        assert done.returncode == 1
        assert b"1 event waits for a dataset that is not configured" in done.stdout
        assert b"nobody delivers" in done.stdout, "it was accepted long ago"
        (row,) = json.loads(here.command("status", "--json").stdout)["datasets"]
        assert row["configured"] is False
        assert b"Events wait for a dataset that is not configured" in here.command("deliver", "--once").stderr


def test_an_event_is_found_by_the_id_that_its_site_gave_it(tmp_path):
    given = "contact_canary.person@example.org_7"
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    outbox.put([sealed(without_email(given))], NOW)
    outbox.close()
    done = run(tmp_path, ["explain", given])
    assert (done.returncode, b"canary" in done.stdout) == (0, False), done


def test_an_agencys_many_datasets_stand_below_each_other_and_one_need_of_all_is_one_line(tmp_path):
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    outbox.put([sealed("a", dataset=str(5_000 + n), expires_in=10**9) for n in range(60)], NOW)
    outbox.close()
    (tmp_path / "one.toml").write_text('[[dataset]]\nMETA_PIXEL_ID = "1"\nMETA_ACCESS_TOKEN = "EAAtest"\n', "utf-8")
    env = {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "RELAY_CONFIG": str(tmp_path / "one.toml")}
    told = CliRunner().invoke(verbs, ["status"], env=env).output.splitlines()
    assert told[0].split()[:3] == ["dataset", "accepted", "pending"] and told[1].split()[:3] == ["5000", "1", "1"]
    assert max(map(len, told)) < 140
    assert sum("not configured" in line for line in told) == 1


def test_the_status_of_a_proxys_page_is_told_where_meta_said_nothing(tmp_path):
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    outbox.put([sealed("e")], NOW)
    lease = outbox.claim("1", 1, 60.0, NOW)
    park = Park(NOW + 60, "foreign_answer", alert=True)
    outbox.settle(lease, [(park, lease.events)], Attempt(at=NOW, outcome="misconfigured", status=302), NOW)
    outbox.close()
    told = run(tmp_path, ["explain", "e"]).stdout
    assert b"HTTP 302" in told and b"META_GRAPH_URL" in told and b"token" not in told, told


def test_a_number_that_no_event_can_hold_so_is_told_when_it_is_erased(tmp_path):
    open_outbox(f"sqlite:///{tmp_path}/outbox.db").close()
    assert b"without its country's code" in run(tmp_path, ["erase", "--phone", "0170 1234567"]).stderr
    for known in (["--phone", "+49 170 1234567"], ["--phone", "0170 1234567", "--country", "de"]):
        assert b"country's code" not in run(tmp_path, ["erase", *known]).stderr


def test_an_event_whose_dataset_left_the_settings_is_not_said_to_be_tried_again(tmp_path):
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    outbox.put([sealed("e", dataset="7", expires_in=10**9)], NOW)
    lease = outbox.claim("7", 1, 60.0, NOW)
    outbox.settle(lease, [(Park(NOW + 60, "closed"), lease.events)], Attempt(at=NOW, outcome="unreachable"), NOW)
    outbox.close()
    env = {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAtest"}
    told = CliRunner().invoke(verbs, ["explain", "e"], env=env).output
    assert "its dataset is not configured" in told and "tried again" not in told
    (story,) = json.loads(CliRunner().invoke(verbs, ["explain", "e", "--json"], env=env).output)
    assert story["remedy"]["fix"].startswith("add the dataset")
