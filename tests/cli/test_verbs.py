"""The command line in processes of its own: what it prints, where, and how it exits."""

import json
import os
import subprocess
import sys
from itertools import product

import pytest

from tests.processes import DATASET, TOKEN, Process, installation, until

PERSON = {"email": "canary.person@example.org", "client_ip_address": "8.8.4.4", "client_user_agent": "Mozilla/5.0"}


@pytest.fixture
def here(tmp_path):
    with installation(tmp_path) as here:
        yield here


def lines(*events: dict) -> bytes:
    return "\n".join(map(json.dumps, events)).encode()


def lead(event_id: str, **more) -> dict:
    return {"event_name": "Lead", "event_id": event_id, "user_data": PERSON} | more


def test_send_then_deliver_once_then_status_and_explain(here):
    sent = here.command("send", "-", stdin=lines(lead("a"), lead("b")))
    assert sent.returncode == 0 and b"event 1: accepted, b" in sent.stdout
    assert here.books()["pending"] == 2
    delivered = here.command("deliver", "--once")
    assert (delivered.returncode, delivered.stdout) == (0, b"2 delivered, 0 dead, 0 expired, 0 waiting\n")
    assert here.books() | {"accepted": 2, "delivered": 2, "pending": 0, "imbalance": 0} == here.books()
    table = dict(line.split() for line in here.command("status").stdout.decode().splitlines()[:8])
    assert (table["dataset"], table["accepted"], table["delivered"]) == (DATASET, "2", "2")
    told = here.command("explain", "a").stdout.decode()
    assert "accepted: durable from here on" in told and "delivered" in told
    assert sorted(row["event"]["event_id"] for row in here.arrived()) == ["a", "b"]


def test_status_shows_a_dataset_of_which_only_the_pixel_sends(here):
    here.start()
    assert here.post({"data": [], "pixel": [["Purchase", "p1"]]})[0] == 202
    until(lambda: "pixel only 1" in here.command("status").stdout.decode())
    assert here.books()["dataset"] == DATASET and here.books()["accepted"] == 0


def test_send_tells_which_event_is_wrong_and_exits_1(here):
    done = here.command(
        "send", "-", "--json", stdin=lines(lead("a"), lead("b", action_source="moon"), {"event_name": "Purchase"})
    )
    assert done.returncode == 1
    facts = json.loads(done.stdout)
    assert [r["event_id"] for r in facts["accepted"]] == ["a"]
    assert [(r["index"], r["field"]) for r in facts["refused"]] == [(1, "action_source"), (2, "user_data")]


def test_send_tells_what_it_left_out_and_never_the_value(here):
    sent = here.command(
        "send", "-", stdin=lines(lead("a", custom_data={"phone_number": "+16505551212", "plan": "gold"}))
    )
    assert sent.returncode == 0 and b"event 0: left out, custom_data.phone_number: " in sent.stdout
    assert b"5551212" not in sent.stdout + sent.stderr


def test_send_direct_prints_metas_answer_and_stores_nothing(here, tmp_path):
    file = tmp_path / "events.json"
    file.write_text(json.dumps([lead("a")]))
    done = here.command("send", str(file), "--direct", "--json")
    assert done.returncode == 0
    (batch,) = json.loads(done.stdout)["sent"]
    assert batch["accepted"] and batch["fbtrace_id"]
    assert done.stderr.count(b"Meta Conversions API Lead event sent successfully") == 1
    assert not here.database.exists()
    here.misbehave(mode="token_expired")
    done = here.command("send", str(file), "--direct", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["sent"][0]["code"] == 190


def test_dead_letters_are_listed_exported_and_replayed(here):
    here.misbehave(mode="poison", event_ids=["bad"])
    here.command("send", "-", stdin=lines(lead("bad"), lead("good")))
    assert here.command("deliver", "--once").returncode == 1
    listed = here.command("dead", "list").stdout.decode()
    assert "bad" in listed and "2804036" in listed
    exported = here.command("dead", "export").stdout.decode()
    assert '"event_id":"bad"' in exported and "canary" not in exported
    here.misbehave(mode="none")
    assert here.command("dead", "replay").returncode == 0
    assert here.command("deliver", "--once").returncode == 0
    assert here.books()["delivered"] == 2


def test_a_person_is_erased_from_everywhere(here):
    here.command("send", "-", stdin=lines(lead("a"), lead("b", user_data=PERSON | {"email": "other@example.org"})))
    assert here.command("erase", "--email", "Canary.Person@example.org").returncode == 0
    books = here.books()
    assert (books["erased"], books["pending"], books["imbalance"]) == (1, 1, 0)
    here.command("deliver", "--once")
    assert [row["event"]["event_id"] for row in here.arrived()] == ["b"]


def test_erase_names_the_files_that_were_set_aside_and_says_what_to_do(here):
    here.command("send", "-", stdin=lines(lead("a")))
    aside = here.database.with_name("outbox.db.damaged-20260101T000000Z")
    aside.write_bytes(b"")
    done = here.command("erase", "--email", PERSON["email"])
    assert (done.returncode, done.stdout) == (1, b"1 events erased\n")
    assert f"{aside.name}; delete these files" in done.stderr.decode() and str(aside.parent) not in done.stderr.decode()
    again = here.command("erase", "--email", PERSON["email"], "--json")
    assert (again.returncode, json.loads(again.stdout)) == (1, {"erased": 0, "set_aside": [aside.name]})
    aside.unlink()
    assert here.command("erase", "--email", PERSON["email"]).returncode == 1


def test_missing_settings_exit_78_and_name_them(here):
    del here.env["META_ACCESS_TOKEN"]
    done = here.command("deliver", "--once")
    assert (done.returncode, done.stderr) == (78, b"Missing required environment variables: META_ACCESS_TOKEN\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nonsense"], 2),
        (["send"], 2),
        (["send", "/no/such/file"], 2),
        (["status", "--nonsense"], 2),
        (["explain", "nobody"], 78),
        (["status"], 78),
        (["--help"], 0),
    ],
)
def test_exit_codes(here, arguments, code):
    done = here.command(*arguments)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("stdin", [b"", b"{", b"\xff", b"[]", b"5", b'{"event_name": "Lead"'])
def test_an_unreadable_file_is_told_without_a_traceback(here, stdin):
    done = here.command("send", "-", stdin=stdin)
    assert done.returncode == 1 and done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize("place", ["sqlite:////no/such/folder/x.db", "sqlite:///", "mysql://x", "sqlite:////proc/x.db"])
def test_an_outbox_that_cannot_be_is_told_in_one_line(here, place):
    here.env["RELAY_OUTBOX"] = place
    done = here.command("status")
    assert done.returncode == 78 and done.stderr.startswith(b"RELAY_OUTBOX: ") and done.stderr.count(b"\n") == 1


def test_serve_refuses_an_open_dashboard_without_a_password(here):
    done = here.command("serve", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 78 and b"RELAY_ADMIN_PASSWORD" in done.stderr


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["deliver"]])
def test_a_service_told_to_stop_finishes_and_exits_0(here, tmp_path, arguments):
    here.command("send", "-", stdin=lines(lead("a")))
    process = Process(*arguments, log=tmp_path / "service.log", env=here.env)
    until(here.arrived)
    assert process.stop() == 0
    assert here.books()["delivered"] == 1
    assert TOKEN not in here.logs() and "canary" not in here.logs()
    assert "Meta Conversions API Lead event sent successfully" in here.logs()


def test_the_token_is_in_no_process_list(here, tmp_path):
    process = Process("deliver", log=tmp_path / "service.log", env=here.env)
    until(lambda: "Delivering" in here.logs())
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    process.stop()
    assert "deliver" in listed and TOKEN not in listed


@pytest.mark.parametrize(
    ("verb", "package"),
    [*product(("serve", "demo", "emulator"), ["uvicorn"]), *product(["serve"], ["litestar", "jinja2"])],
)
def test_without_the_servers_packages_a_verb_says_what_to_install(here, verb, package):
    probe = f"""
import sys
sys.modules.update(dict.fromkeys(["{package}", "{package}.protocols.http.httptools_impl"]))
from conversion_relay.cli import main
sys.argv = ["conversion-relay", "{verb}", "--port", "9"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env=os.environ | here.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert "pip install 'conversion-relay[server]'" in done.stderr and "Traceback" not in done.stderr


def test_asking_for_help_loads_no_server(tmp_path):
    probe = """
import sys
from conversion_relay.cli import main
sys.argv = ["conversion-relay", "--help"]
try:
    main()
finally:
    print([name for name in ("litestar", "uvicorn", "jinja2", "phonenumbers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_a_relay_that_nobody_looks_at_loads_nothing_that_makes_pages(tmp_path):
    """Half of a start and a quarter of the memory, in each process of a fleet."""
    probe = f"""
import sys
from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from tests import asgi
told = {{"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": "sqlite:///{tmp_path}/outbox.db"}}
with Relay(Settings.from_env(told | {{"RELAY_ADMIN_PASSWORD": "pass"}})) as relay:
    app, password = create_app(relay), "Basic dTpwYXNz"
    for path in ["/readyz", "/", "/metrics", "/dashboard"]:
        asked = asgi.ask(app, path, method="GET", authorization=password)
        late = [name for name in ("prometheus_client", "litestar", "jinja2") if name in sys.modules]
        print(asked.status, *late)
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "200",
        "404",
        "200 prometheus_client",
        "200 prometheus_client litestar jinja2",
    ]


def test_a_version_that_has_ended_is_said_by_status_and_at_the_start_of_a_delivery(here):
    here.command("send", "-", stdin=lines(lead("a")))
    assert here.command("status").stderr == b""
    here.env["META_GRAPH_VERSION"] = "v20.0"
    told = here.command("status").stderr.decode()
    assert "version v20.0" in told and "ended on 2026-09-24 for the Graph API; set v27.0" in told
    (finding,) = json.loads(here.command("status", "--json").stdout)["findings"]
    assert finding["code"] == "version_ends"
    assert b"ended on 2026-09-24" in here.command("deliver", "--once").stderr
