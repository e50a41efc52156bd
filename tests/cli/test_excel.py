"""What Excel writes in different countries: read as it was meant, asked about, or refused by row; never misread."""

import datetime
from pathlib import Path

import msgspec
import pytest

from conversion_relay.cli.table.asked import Said, ask
from conversion_relay.cli.table.dialect import Question
from conversion_relay.cli.table.lines import head_of, rows
from conversion_relay.cli.table.rows import Rows
from conversion_relay.event import Event, Rejection

SAID = Said(event_name="Purchase", action_source="physical_store", currency="EUR", timezone="UTC")
DAY = datetime.datetime(2026, 11, 26, tzinfo=datetime.UTC).timestamp()
FIVE_PAST_NINE = int(DAY) + 9 * 3_600 + 300
HALF_PAST_TWO = DAY + 14.5 * 3_600


def read(folder: Path, content: bytes) -> list[Event | Rejection] | list[Question]:
    path = folder / "sales.csv"
    path.write_bytes(content)
    plan = ask(head_of(path), SAID)
    if isinstance(plan, list):
        return plan
    with path.open("rb") as file:
        found = list(rows(file, plan.encoding, plan.delimiter))
    return [Rows(plan.plan).event(cells, is_ended=end) for cells, end in found[1 + plan.skipped :] if any(cells)]


def line(amount: str, date: str, sign: str = ";") -> str:
    return f"Mail{sign}Betrag{sign}Datum\r\na@example.com{sign}{amount}{sign}{date}\r\n"


@pytest.mark.parametrize(
    ("content", "value", "time"),
    [
        (line("1.234,50", "26.11.2026 14:30").encode("utf-8-sig"), 1234.5, HALF_PAST_TWO),
        (line("1.234,50", "26.11.2026 14:30", "\t").encode("utf-16"), 1234.5, HALF_PAST_TWO),
        (b"\xfe\xff" + line("1,50", "26.11.2026", "\t").encode("utf-16-be"), 1.5, DAY),
        (("sep=;\r\n" + line("1,50", "26.11.2026")).encode("utf-16"), 1.5, DAY),
        (line("1,50", "26.11.26 14:30").encode(), 1.5, HALF_PAST_TWO),
        (line("1.5", "11/26/2026 2:30 PM", ",").encode(), 1.5, HALF_PAST_TWO),
        (line("1.5", "11/26/2026 12:00 AM", ",").encode(), 1.5, DAY),
        (line("1.5", "26/11/26 14:30", ",").encode(), 1.5, HALF_PAST_TWO),
        (line("1.5", "2026/11/26 14:30", ",").encode(), 1.5, HALF_PAST_TWO),
        (line("1,50", "46352,5").encode(), 1.5, DAY + 12 * 3_600),
        (line("1.5", "46352", ",").encode(), 1.5, DAY),
        (line("1 234,50", "26.11.2026").encode(), 1234.5, DAY),
        (line("1\u00a0234,50", "26.11.2026").encode(), 1234.5, DAY),
        (line("1\u202f234,50", "26.11.2026").encode(), 1234.5, DAY),
        (line("1'234.50", "26.11.2026").encode(), 1234.5, DAY),
        (line("1’234.50", "26.11.2026").encode(), 1234.5, DAY),
        (line('"1,234,567.50"', "2026-11-26", ",").encode(), 1234567.5, DAY),
        (line('"1,23,456.50"', "2026-11-26", ",").encode(), 123456.5, DAY),
        (line("1,50", "26.11.2026").replace("\r\n", "\r").encode(), 1.5, DAY),
        (line("1.5", "2026/11/26 9:05", ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", "2026-11-26 9:05", ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", "2026-11-26 9:05 am", ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1,50", "26.11.2026 9.05").encode(), 1.5, FIVE_PAST_NINE),
        (line("1,50", "26. 11. 2026 9:05:00").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", "2026. 11. 26. 9:05", ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", "26-Nov-26 9:05", ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", '"November 26, 2026 9:05 AM"', ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", "2026-11-26 09:05:00 UTC", ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", "2026-11-26 14:35:00.25+05:30", ",").encode(), 1.5, FIVE_PAST_NINE + 0.25),
        (line("1.5", "26/11/2026 10:05 +01", ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", '"Thu, 26 Nov 2026 09:05:00 GMT"', ",").encode(), 1.5, FIVE_PAST_NINE),
        (line("1.5", f"{FIVE_PAST_NINE}.25", ",").encode(), 1.5, FIVE_PAST_NINE + 0.25),
        (line("15", "46352,5").encode(), 15, DAY + 12 * 3_600),
    ],
)
def test_it_is_read_as_it_was_meant(tmp_path, content, value, time):
    (event,) = read(tmp_path, content)
    assert isinstance(event, Event), event
    assert (event.custom_data["value"], event.event_time) == (value, time)
    assert event.user_data.email == "a@example.com"


def test_a_line_break_in_a_quoted_cell_is_of_the_cell(tmp_path):
    content = 'Mail;Vorname;Betrag;Datum\r\na@example.com;"Ada\r\nTest";1,50;26.11.2026\r\n'
    (event,) = read(tmp_path, content.encode())
    assert event.user_data.first_name == "Ada\r\nTest" and event.event_time == DAY


@pytest.mark.parametrize(
    ("content", "option"),
    [
        (line("1,50", "26.11.2026").replace("a@", "jürgen@").encode("cp1252"), "--encoding cp1252"),
        (line("1,50", "26.11.2026", "\t").encode("utf-16-le"), "--encoding utf-16-le"),
        (line("1.234", "26.11.2026").encode(), "--decimal ,"),
        (line("1.5", "03/04/2026", ",").encode(), "--dates dmy"),
    ],
)
def test_what_it_does_not_tell_is_asked(tmp_path, content, option):
    (question,) = read(tmp_path, content)
    assert isinstance(question, Question) and option in question.options


@pytest.mark.parametrize(
    ("content", "reason", "field"),
    [
        ("Telefon;Betrag;Datum\r\n4,91512E+11;5;26.11.2026\r\n", "shortened_number", "phone"),
        (
            "Mail;Bestellnummer;Betrag;Datum\r\na@example.com;1,23457E+14;5;26.11.2026\r\n",
            "shortened_number",
            "order_id",
        ),
        (line("1.234,50 €", "26.11.2026"), "not_an_amount", "custom_data.value"),
        (line("-5,00", "26.11.2026"), "not_an_amount", "custom_data.value"),
        (line("1,50", "26. Nov 2026"), "not_a_time", "event_time"),
        (line("1.5", "11/26/2026 14:30 PM", ","), "not_a_time", "event_time"),
        (line("1,50", "31.02.2026"), "not_a_time", "event_time"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_field(tmp_path, content, reason, field):
    (refused,) = read(tmp_path, content.encode())
    assert isinstance(refused, Rejection), refused
    assert (refused.reason, refused.field) == (reason, field)


@pytest.mark.parametrize(
    ("amount", "is_refund"), [("-5,00", True), ("(5,00)", True), ("\u22125,00", True), ("-", False), ("5,00 €", False)]
)
def test_an_amount_below_zero_is_told_as_a_refund(tmp_path, amount, is_refund):
    (refused,) = read(tmp_path, line(amount, "26.11.2026").encode())
    assert refused.reason == "not_an_amount" and ("refund" in refused.message) is is_refund


@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "undefined", "null", "None", "-", "(not set)"])
def test_rows_without_an_order_are_not_one_order(tmp_path, cell):
    content = f"Bestellnummer;Mail;Betrag;Datum\n{cell};a@example.com;5;26.11.2026\n{cell};b@example.com;7;26.11.2026\n"
    one, other = read(tmp_path, content.encode())
    assert one.event_id != other.event_id
    assert "order_id" not in one.custom_data


@pytest.mark.parametrize("cell", ['"=""0042"""', "'0042"])
def test_the_sign_that_makes_a_text_of_a_number_is_no_part_of_it(tmp_path, cell):
    content = f"Bestellnummer;Mail;Betrag;Datum\n{cell};a@example.com;5;26.11.2026\n"
    (event,) = read(tmp_path, content.encode())
    assert (event.event_id, event.custom_data["order_id"]) == ("purchase_0042", "0042")


@pytest.mark.parametrize(
    "headings",
    [
        "Bestellnr.;Kaufdatum;E-Mail-Adresse;Telefonnr.;Gesamtsumme",
        "N° de commande;Date de commande;Adresse e-mail;Téléphone;Montant TTC",
        "Número de pedido;Fecha;Correo electrónico;Teléfono;Importe total",
        "注文番号;注文日時;メールアドレス;電話番号;合計金額",
        "Order #;Created (UTC);Customer Email;Billing Phone;Order Total",
    ],
)
def test_headings_are_known_in_the_languages_of_shops(tmp_path, headings):
    content = f"{headings}\n42;2026-11-26T14:30:00Z;a@example.com;+16505551212;5\n"
    (event,) = read(tmp_path, content.encode())
    assert (event.event_id, event.event_time, event.custom_data["value"]) == ("purchase_42", HALF_PAST_TWO, 5)
    assert (event.user_data.email, event.user_data.phone) == ("a@example.com", "+16505551212")


def test_a_purchase_without_a_value_is_asked_about_before_every_row_is_refused(tmp_path):
    (question,) = read(tmp_path, b"Bestellnummer;Mail;Was es war;Datum\n1;a@example.com;5;26.11.2026\n")
    assert question.options == ("--map 'COLUMN=value'",)


@pytest.mark.parametrize(
    ("content", "charset"),
    [("メールアドレス;合計金額\n", "cp932"), ("Почта;Сумма;Дата\n", "cp1251"), ("E-Mail;Währung\n", "cp1252")],
)
def test_the_charsets_that_are_asked_about_are_those_of_the_files_letters(tmp_path, content, charset):
    (question,) = read(tmp_path, content.encode(charset))
    assert f"--encoding {charset}" in question.options


@pytest.mark.parametrize("time", ["2026-11-26 14:00:00 UTC", "2026-11-26 14:00:00+00", "1795700000.5", "Total"])
def test_a_zone_that_is_written_is_not_asked_for(tmp_path, time):
    path = tmp_path / "sales.csv"
    path.write_text(line("1.5", time, ","))
    assert not isinstance(ask(head_of(path), msgspec.structs.replace(SAID, timezone=None)), list)


@pytest.mark.parametrize("end", ["", "\r\n"])
def test_a_row_in_which_the_file_ends_is_refused_and_not_counted_with_half_an_amount(tmp_path, end):
    text = line("1.50", "2026-11-26", ",").replace("Datum", "Datum,Ort") + "b@example.com,12" + end
    _, last = read(tmp_path, text.encode())
    assert isinstance(last, Event) if end else (last.reason, last.field) == ("wrong_width", "row")


@pytest.mark.parametrize("amount", ["5.0 €", "Rs. 500", "$5.50", "5.00 kr."])
def test_of_an_amount_with_a_currency_sign_no_decimal_sign_is_asked(tmp_path, amount):
    (refused,) = read(tmp_path, line(amount, "2026-11-26", ",").encode())
    assert isinstance(refused, Rejection) and "without currency sign" in refused.message
