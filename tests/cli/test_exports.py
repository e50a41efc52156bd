"""`import` of what shops and banks really export: whole reports, other documents, and options with a slip in them."""

import csv
import gzip
import json
import os
import time

import pytest
from click.testing import CliRunner

from conversion_relay import cli
from tests.processes import DATASET

YESTERDAY = time.strftime("%Y-%m-%dT09:00:00Z", time.gmtime(time.time() - 86_400))
SALE = {
    "event_name": "Purchase",
    "event_time": int(time.time()) - 3_600,
    "action_source": "physical_store",
    "user_data": {"email": "a@example.com"},
    "custom_data": {"value": 5, "currency": "EUR"},
}
PURCHASES = ("--event-name", "Purchase", "--action-source", "physical_store", "--currency", "EUR")
STRIPE = (
    "id,Created (UTC),Amount,Currency,Status,Customer Email\n"
    f"ch_1,{YESTERDAY},49.90,eur,Paid,a@example.com\n"
    f"ch_2,{YESTERDAY},30.00,eur,Failed,b@example.com\n"
    f"ch_3,{YESTERDAY},20.00,eur,Refunded,c@example.com\n"
    f"ch_4,{YESTERDAY},10.00,eur,paid,d@example.com\n"
)
PLAIN = f"order_id,email,value,event_time\n1,a@example.com,4.50,{YESTERDAY}\n2,b@example.com,5.50,{YESTERDAY}\n"


@pytest.fixture
def imported(tmp_path, monkeypatch):
    monkeypatch.setenv("RELAY_OUTBOX", f"sqlite:///{tmp_path}/outbox.db")
    monkeypatch.setenv("META_PIXEL_ID", DATASET)
    monkeypatch.setenv("RELAY_BALLAST", "false")

    def do(content: str | bytes, *options: str):
        path = tmp_path / "export.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        # By its name, as a user does: click keeps the first help option that a verb was asked for.
        return CliRunner().invoke(cli.verbs, ["import", str(path), *options])

    return do


def verdicts(tmp_path) -> list[tuple[str, str]]:
    lines = (tmp_path / "export.csv.verdicts.csv").read_text().splitlines()
    return [(row["verdict"], row["reason"]) for row in csv.DictReader(x for x in lines if not x.startswith("#"))]


@pytest.mark.parametrize(
    ("heading", "paid", "other"),
    [
        ("Status", "Paid", "Failed"),
        ("Financial Status", "paid", "voided"),
        ("Order Status", "Completed", "Cancelled"),
        ("Deal - Status", "Won", "Lost"),
        ("Zahlungsstatus", "bezahlt", "offen"),
        ("Statut de la commande", "Terminée", "Annulée"),
        ("État", "payé", "refusé"),
        ("支払い状況", "paid", "refunded"),
        ("Status da transação", "Aprovada", "Reembolsada"),
        ("Purchase status", "complete", "refunded"),
    ],
)
def test_orders_that_nobody_paid_are_asked_about(tmp_path, imported, heading, paid, other):
    content = f"order_id,email,value,event_time,{heading}\n1,a@example.com,5.50,{YESTERDAY},{paid}\n"
    content += f"2,b@example.com,5.50,{YESTERDAY},{other}\n"
    asked = imported(content, *PURCHASES)
    assert asked.exit_code == 2
    for option in (f"--only '{heading}={paid}'", f"--only '{heading}={other}'", f"--map '{heading}=-'"):
        assert option in asked.output
    assert not (tmp_path / "export.csv.verdicts.csv").exists()


def test_the_rows_that_were_chosen_count_and_the_others_have_their_own_verdict(tmp_path, imported):
    done = imported(STRIPE, *PURCHASES, "--only", "Status=PAID", "--json")
    facts = json.loads(done.output)
    assert (done.exit_code, facts["accepted"], facts["refused"], facts["left_out"]) == (0, 2, 0, 2)
    left_out = ("left_out", "")
    assert verdicts(tmp_path) == [("accepted", ""), left_out, left_out, ("accepted", "")]


def test_all_rows_count_where_that_is_said(imported):
    assert "4 accepted" in imported(STRIPE, *PURCHASES, "--map", "Status=-").output


def test_a_status_of_something_else_than_a_purchase_is_not_asked_about(imported):
    leads = f"email,event_time,status\na@example.com,{YESTERDAY},open\n"
    assert imported(leads, "--event-name", "Lead", "--action-source", "physical_store").exit_code == 0


@pytest.mark.parametrize(
    ("content", "accepted"),
    [
        (json.dumps([SALE, SALE | {"event_id": "2"}], indent=1), 2),
        (json.dumps([SALE, SALE | {"event_id": "2"}]), 2),
        (json.dumps({"data": [SALE, SALE | {"event_id": "2"}]}), 2),
        (json.dumps(SALE, indent=2), 1),
        (f"{json.dumps(SALE)}\n{json.dumps(SALE | {'event_id': '2'})}\n".encode("utf-16"), 2),
    ],
    ids=["indented array", "array", "Meta's own", "one event", "lines in UTF-16"],
)
def test_a_json_document_is_as_good_as_lines_and_known_at_a_second_run(imported, content, accepted):
    assert f"{accepted} accepted, 0 known already, 0 refused" in imported(content).output
    assert f"0 accepted, {accepted} known already, 0 refused" in imported(content, "--anew").output


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (gzip.compress(PLAIN.encode()), "gunzip"),
        (b"PK\x03\x04" + bytes(200), "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200), "workbook"),
        (b"%PDF-1.7\n" + bytes(200), "PDF"),
        (b"\r\n<html><table><tr><td>order_id", "web page"),
    ],
    ids=["gzip", "xlsx", "xls", "pdf", "html"],
)
def test_what_is_no_text_is_named_and_no_charset_of_it_asked_for(imported, content, word):
    refused = imported(content, *PURCHASES)
    assert refused.exit_code == 2
    assert word in refused.output and "--encoding" not in refused.output


@pytest.mark.parametrize("title", ["Table 1\n\n", "My shop, orders\nfrom November\n\n", "Order,Customer,Money,Time\n"])
def test_headings_below_a_title_are_found_and_asked_about(imported, title):
    line = title.count("\n") + 1
    assert f"--headings {line}" in imported(title + PLAIN, *PURCHASES).output
    assert (
        "2 accepted, 0 known already, 0 refused" in imported(title + PLAIN, *PURCHASES, "--headings", f"{line}").output
    )


def test_a_quote_that_is_not_closed_is_named_where_it_swallows_rows(tmp_path, imported):
    swallows = f'order_id,email,note,value,event_time\n1,a@example.com,"open,4.50,{YESTERDAY}\n2,b@example.com,x,5.50,'
    done = imported(swallows + f"{YESTERDAY}\n", *PURCHASES)
    assert verdicts(tmp_path) == [("refused", "wrong_width")]
    assert "quote" in (tmp_path / "export.csv.verdicts.csv").read_text() and done.exit_code == 1


def test_a_thousand_that_comes_late_is_not_taken_for_one(tmp_path, imported):
    """The beginning of the file held no sign that tells decimals from thousands."""
    rows = "".join(f"{n},a@example.com,{900 + n % 99},{YESTERDAY}\n" for n in range(6_000))
    late = f"x,a@example.com,1.234,{YESTERDAY}\ny,a@example.com,12.50,{YESTERDAY}\n"
    imported(f"order_id,email,value,event_time\n{rows}{late}", *PURCHASES)
    assert verdicts(tmp_path)[-2:] == [("refused", "not_an_amount"), ("accepted", "")]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--encoding", "foo"), "charset"),
        (("--encoding", "base64"), "charset"),
        (("--encoding", "idna"), "charset"),
        (("--timezone", "Mars/Base"), "time zone"),
        (("--timezone", "Europe"), "time zone"),
        (("--timezone", "../../etc/passwd"), "time zone"),
        (("--timezone", ""), "time zone"),
        (("--delimiter", "ab"), "character"),
        (("--delimiter", '"'), "character"),
        (("--map", "emial=email"), "'emial'"),
        (("--only", "Statsu=paid"), "'Statsu'"),
        (("--map", "email"), "COLUMN=FIELD"),
        (("--only", "email"), "COLUMN=VALUE"),
    ],
)
def test_a_slip_in_an_option_is_told_and_nothing_imported(tmp_path, imported, options, word):
    told = imported(PLAIN, *PURCHASES, *options)
    assert told.exit_code == 2 and word in told.output
    assert not (tmp_path / "export.csv.verdicts.csv").exists()


def test_a_dry_run_tells_which_rows_where_that_is_asked_for(tmp_path, imported):
    content = PLAIN.replace("5.50", "free")
    path = tmp_path / "dry.csv"
    assert imported(content, *PURCHASES, "--dry-run").exit_code == 1 and not path.exists()
    assert imported(content, *PURCHASES, "--dry-run", "--verdicts", str(path)).exit_code == 1
    assert [line.split(",")[:2] for line in path.read_text().splitlines()[2:]] == [["1", "accepted"], ["2", "refused"]]
    again = imported(content, *PURCHASES, "--dry-run", "--verdicts", str(path))
    assert again.exit_code == 2 and "name another file" in again.output
    assert "1 accepted, 0 known already" in imported(content, *PURCHASES).output


def test_options_for_columns_are_not_ignored_for_json(imported):
    told = imported(json.dumps(SALE), *PURCHASES)
    assert told.exit_code == 2 and "JSON" in told.output


def test_utc_needs_no_table_of_zones(imported, monkeypatch):
    def no_table(name: str):
        raise LookupError(name)

    monkeypatch.setattr("conversion_relay.cli.table.rows.ZoneInfo", no_table)
    local = PLAIN.replace("Z\n", "\n")
    assert imported(local, *PURCHASES, "--timezone", "UTC").exit_code == 0
    assert "tzdata" in imported(local, *PURCHASES, "--timezone", "Europe/Berlin", "--anew").output


@pytest.mark.parametrize("name", ["-", "a pipe"])
def test_a_pipe_is_refused_before_anything_is_read_from_it(tmp_path, imported, name):
    if name == "a pipe":
        os.mkfifo(name := str(tmp_path / "pipe"))
    result = CliRunner().invoke(cli.verbs, ["import", name], input=json.dumps(SALE))
    assert result.exit_code == 2 and "write it into a file" in result.output
    assert not (tmp_path / "outbox.db").exists()


@pytest.mark.parametrize(
    "row", ["jane@example.com,1,5,EUR", "1,+49 170 1234567,5,EUR", "Export,of jane@example.com\nemail,value"]
)
def test_a_first_row_that_is_a_persons_is_not_shown_as_headings(imported, row):
    result = imported(f"{row}\njoe@example.com,2,6,EUR\n", *PURCHASES, "--map", "5=value", "--timezone", "UTC")
    assert result.exit_code == 2 and "not the headings" in result.output
    assert "jane" not in result.output and "170" not in result.output


@pytest.mark.parametrize("form", ["csv", "json"])
def test_an_id_that_holds_a_person_is_not_written_beside_its_refusal(tmp_path, imported, form):
    old = {"event_name": "Lead", "event_id": "jane@example.com", "event_time": 1, "action_source": "website"}
    rows = f"{','.join(old)}\n{','.join(map(str, old.values()))}\n" if form == "csv" else f"{json.dumps(old)}\n"
    assert imported(rows).exit_code == 1
    assert "jane" not in (tmp_path / "export.csv.verdicts.csv").read_text()
