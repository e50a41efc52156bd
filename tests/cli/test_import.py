"""`import`: Excel's files are read or asked about, each row has a verdict, and a second run adds nothing."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from conversion_relay.cli.table.events import events
from conversion_relay.cli.table.lines import LONGEST_LINE, Head, rows
from conversion_relay.event import Event, Rejection
from conversion_relay.outbox import open_outbox
from tests.processes import DATASET, until

NOW = int(time.time())
OPTIONS = ("--event-name", "Purchase", "--action-source", "physical_store", "--currency", "EUR")
GERMAN = "E-Mail;Betrag;Bestelldatum;Bestellnummer;Farbe\r\njoe@example.com;1.299,99;{day};1001;rot\r\n"


def today(pattern: str = "%d.%m.%Y 09:00") -> str:
    return time.strftime(pattern, time.gmtime(NOW - 86_400))


def environ(tmp_path) -> dict[str, str]:
    outbox = f"sqlite:///{tmp_path}/outbox.db"
    return {**os.environ, "RELAY_OUTBOX": outbox, "META_PIXEL_ID": DATASET, "RELAY_BALLAST": "false"}


@pytest.fixture
def imported(tmp_path):
    def do(content: str | bytes, *options: str, name: str = "sales.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        command = [sys.executable, "-m", "conversion_relay.cli", "import", name, *options]
        return subprocess.run(
            command, cwd=tmp_path, env=environ(tmp_path), capture_output=True, timeout=60, check=False
        )

    return do


def stored(tmp_path) -> list:
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db", "read")
    try:
        return outbox.recent(1_000)
    finally:
        outbox.close()


def verdicts(tmp_path, name: str = "sales.csv") -> list[dict]:
    lines = (tmp_path / f"{name}.verdicts.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_of_excel_is_read_with_its_signs_and_days(tmp_path, imported, charset):
    done = imported(GERMAN.format(day=today()).encode(charset), *OPTIONS, "--timezone", "Europe/Berlin")
    assert done.returncode == 0, done.stderr
    assert b"Betrag" in done.stderr and b"-> value" in done.stderr and b"left out" in done.stderr
    (story,) = stored(tmp_path)
    assert (story.event_name, story.event_id) == ("Purchase", "purchase_1001")
    assert NOW - 2 * 86_400 - 3_600 < story.event_time < NOW
    assert b"joe" not in (tmp_path / "outbox.db").read_bytes()


ASKED = [
    ("Mail;Betrag\njürgen@example.com;1,50\n".encode("cp1252"), b"--encoding cp1252"),
    (b"mail;value,x;date\na;b;c\n", b"--delimiter ';'"),
    (b'mail,value\na@example.com,"1.234"\n', b"--decimal ,"),
    (b"mail,date\na@example.com,03/04/2026\n", b"--dates dmy"),
    (b"mail,date\na@example.com,2026-11-01 10:00\n", b"--timezone UTC"),
    (b"mail,order date,date\na@example.com,1,1\n", b"--map 'date=-'"),
]


@pytest.mark.parametrize(("content", "option"), ASKED, ids=[option.decode() for _, option in ASKED])
def test_what_a_file_does_not_tell_is_asked_with_the_option_that_answers_it(tmp_path, imported, content, option):
    done = imported(content, *OPTIONS)
    assert done.returncode == 2 and option in done.stderr
    assert not (tmp_path / "outbox.db").exists() and b"example.com" not in done.stderr


def test_a_row_that_is_wrong_is_refused_with_its_field_and_the_others_go_in(tmp_path, imported):
    rows = ["mail,value,order,time", f"a@example.com,10,1,{NOW}", f"b@example.com,ten,2,{NOW}", f",5,3,{NOW}"]
    done = imported(
        "\n".join([*rows, f"c@example.com,7.5,=4,{NOW}", "d@example.com,1,5,never"]), *OPTIONS, "--decimal", "."
    )
    assert done.returncode == 1
    found = verdicts(tmp_path)
    assert [row["verdict"] for row in found] == ["accepted", "refused", "refused", "accepted", "refused"]
    assert [row["field"] for row in found] == ["", "custom_data.value", "user_data", "", "event_time"]
    assert found[3]["event_id"] == "purchase_=4" and b"ten" not in (tmp_path / "sales.csv.verdicts.csv").read_bytes()


def test_a_second_run_finds_the_same_ids_and_adds_nothing(tmp_path, imported):
    content = "mail,value,time\n" + "".join(f"p{n}@example.com,{n + 1},{NOW}\n" for n in range(30))
    assert json.loads(imported(content, *OPTIONS, "--json").stdout)["accepted"] == 30
    again = json.loads(imported(content, *OPTIONS, "--json").stdout)
    assert (again["accepted"], again["duplicate"]) == (0, 30) and len(stored(tmp_path)) == 30


def test_a_dry_run_judges_every_row_and_keeps_nothing(tmp_path, imported):
    done = imported(f"mail,value,time\na@example.com,1,{NOW}\n,2,{NOW}\n", *OPTIONS, "--dry-run", "--json")
    facts = json.loads(done.stdout)
    assert (facts["accepted"], facts["refused"], done.returncode) == (1, 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["sales.csv"]


def test_a_shop_may_report_what_happened_six_weeks_ago_and_a_website_may_not(tmp_path, imported):
    content = f"mail,value,time\na@example.com,1,{NOW - 45 * 86_400}\n"
    assert imported(content, *OPTIONS).returncode == 0
    website = ("--event-name", "Purchase", "--action-source", "website", "--currency", "EUR", "--anew")
    assert imported(content, *website).returncode == 1
    assert verdicts(tmp_path)[0]["reason"] == "event_time_too_old"


def test_stages_of_leads_come_with_their_crm(tmp_path, imported):
    content = f"lead id,event name,time\n1234567890123456,Qualified,{NOW}\n"
    done = imported(content, "--crm", "HubSpot")
    assert done.returncode == 0, done.stderr
    assert b'"lead_event_source":"HubSpot"' in (tmp_path / "outbox.db").read_bytes() + (
        (tmp_path / "outbox.db-wal").read_bytes() if (tmp_path / "outbox.db-wal").exists() else b""
    )
    assert imported("mail,event\na@example.com,Lead\n", "--crm", "HubSpot", "--anew").returncode == 2


def test_json_lines_are_read_like_rows(tmp_path, imported):
    event = {"event_name": "Lead", "event_id": "l1", "user_data": {"email": "a@example.com"}}
    done = imported(json.dumps(event) + "\nnot json\n", name="events.jsonl")
    assert done.returncode == 1
    assert [row["verdict"] for row in verdicts(tmp_path, "events.jsonl")] == ["accepted", "refused"]


def test_a_json_line_that_could_fill_the_memory_is_refused_and_the_others_are_read():
    whole, sizes = b'{"event_name": "Lead", "event_id": "l1"}', []

    class Watched(io.BytesIO):
        def __next__(self) -> bytes:
            if line := self.readline():
                return line
            raise StopIteration

        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            sizes.append(len(line))
            return line

    file = Watched(b'{"event_name": "' + b"x" * 3 * LONGEST_LINE + b'"}\n' + whole + b"\n\n" + whole)
    long, *others = events(file, Head(whole, is_whole=False, size=len(file.getvalue())), None, 0)
    assert isinstance(long, Rejection) and long.reason == "too_large" and max(sizes) <= LONGEST_LINE
    assert [event.event_id for event in others if isinstance(event, Event)] == ["l1", "l1"]


def test_a_line_of_a_table_that_could_fill_the_memory_ends_the_reading():
    class Open(io.BytesIO):
        def close(self) -> None:
            """It is asked afterwards how far it was read."""

    file = Open(b"email,value\n" + b"joe@example.com,5\n" * 3 + b"x,y," * 4 * LONGEST_LINE)
    read = rows(file, "utf-8", ",")
    assert [next(read)[0][1] for _ in range(4)] == ["value", "5", "5", "5"]
    with pytest.raises(csv.Error):
        next(read)
    assert file.tell() < 2 * LONGEST_LINE


@pytest.mark.parametrize("event_id", [{}, {"event_id": "undefined"}], ids=["none", "a word for none"])
def test_json_lines_without_ids_are_the_same_events_at_a_second_run(tmp_path, imported, event_id):
    sold = {"event_name": "Lead", "event_time": NOW - 60, "action_source": "website"} | event_id
    lines = "".join(json.dumps(sold | {"user_data": {"em": f"{name}@example.com"}}) + "\n" for name in "ab")
    for more in ((), ("--anew",)):
        assert imported(lines, *more, name="events.jsonl").returncode == 0
    assert len(stored(tmp_path)) == 2


def test_verdicts_of_another_file_are_not_gone_on_with(tmp_path, imported):
    content = f"mail,value,time\na@example.com,1,{NOW}\n"
    assert imported(content, *OPTIONS).returncode == 0
    done = imported(content + f"b@example.com,1,{NOW}\n", *OPTIONS)
    assert done.returncode == 2 and b"--anew" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_is_stopped_goes_on_to_the_same_end(tmp_path, imported, how):
    n = 25_000
    content = "mail,value,time\n" + "".join(f"p{row}@example.com,{row + 1},{NOW}\n" for row in range(n))
    (tmp_path / "sales.csv").write_text(content)
    command = [sys.executable, "-m", "conversion_relay.cli", "import", "sales.csv", *OPTIONS]
    running = subprocess.Popen(command, cwd=tmp_path, env=environ(tmp_path), stderr=subprocess.DEVNULL)
    path = tmp_path / "sales.csv.verdicts.csv"
    until(lambda: path.exists() and path.stat().st_size > 100_000, every=0.002)
    running.send_signal(how)
    assert running.wait(60) in (130, -9)
    done = imported(content, *OPTIONS, "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0 and 0 < facts["resumed_after"] < n
    rows = verdicts(tmp_path)
    assert [int(row["row"]) for row in rows] == list(range(1, n + 1))
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db", "read")
    assert outbox.counts()[DATASET].accepted == n
    outbox.close()
