"""What a buyer said stands in a column: a "no" is heard in whatever words a spreadsheet has for it, and one that stands
in a column of another name is asked about; what an option says of all rows holds for all of them."""

import msgspec
import pytest

from conversion_relay import Relay
from conversion_relay.cli.table.asked import Said, ask
from conversion_relay.cli.table.dialect import Question
from conversion_relay.cli.table.lines import head_of, rows
from conversion_relay.cli.table.rows import Rows
from conversion_relay.event import Rejection

SAID = Said(event_name="Purchase", action_source="physical_store")


def read(folder, columns, said=SAID):
    """What the door says to each row of a table, of which `columns` gives further columns and their cells."""
    lines = [",".join(("email,order_id,value,currency", *columns))]
    for n, cells in enumerate(zip(*columns.values(), strict=True)):
        lines.append(",".join((f"jo@shop.example,{n},5,EUR", *cells)))
    path = folder / "sales.csv"
    path.write_text("\n".join([*lines, ""]))
    plan = ask(head_of(path), said)
    if isinstance(plan, list):
        return plan
    relay = Relay.testing()
    with path.open("rb") as file:
        found = list(rows(file, plan.encoding, plan.delimiter))[1:]
    events = [Rows(plan.plan).event(one, is_ended=end) for one, end in found]
    told = [event if isinstance(event, Rejection) else relay.seal(event) for event in events]
    return [one if isinstance(one, Rejection) else msgspec.json.decode(one.body) for one in told]


@pytest.mark.parametrize("word", ["no", "FALSE", "DENIED", " denied ", "0", "Withdrawn"])
def test_a_no_in_the_words_of_a_spreadsheet_is_heard(tmp_path, word):
    (told,) = read(tmp_path, {"consent": [word]})
    assert told.reason == "consent_denied"


def test_a_yes_is_one_and_what_is_neither_refuses_its_row(tmp_path):
    *sent, unclear = read(tmp_path, {"consent": ["yes", "TRUE", "Granted", "1", "", "vielleicht"]})
    assert [event["event_name"] for event in sent] == ["Purchase"] * 5
    assert (unclear.field, unclear.message) == ("consent", "send one of granted, denied")


def test_an_opt_out_and_limited_data_use_go_with_the_event(tmp_path):
    columns = {"opt_out": ["yes", "no", ""], "data_processing_options": ["LDU", "", ""]}
    first, second, third = read(tmp_path, columns)
    assert first["opt_out"] is True and first["data_processing_options"] == ["LDU"]
    assert not second.get("opt_out") and "data_processing_options" not in third
    placed = {"data_processing_options_country": ["1"], "data_processing_options_state": ["1000"]}
    (there,) = read(tmp_path, {"data_processing_options": ['"[""LDU""]"'], **placed})
    assert there["data_processing_options"] == ["LDU"] and there["data_processing_options_state"] == 1000
    (signal,) = read(tmp_path, {"gpc": ["1"]})
    assert signal["data_processing_options"] == ["LDU"]


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("Marketing Consent", "consent"),
        ("ad_user_data", "consent"),
        ("Einwilligung Werbung", "consent"),
        ("Consentimento", "consent"),
        ("do_not_sell", "gpc"),
        ("Limited Data Use", "gpc"),
    ],
)
def test_a_wish_by_another_name_is_asked_about_whatever_its_first_rows_say(tmp_path, heading, field):
    (question,) = read(tmp_path, {heading: [""]})
    assert isinstance(question, Question) and question.options[0] == f"--map '{heading}={field}'"
    for meaning, sent in ((field, 0), ("-", 1)):
        said = msgspec.structs.replace(SAID, columns={heading: meaning})
        answer = {"consent": "no", "gpc": "yes"}[field]
        told = read(tmp_path, {heading: [answer]}, said)
        free = [one for one in told if isinstance(one, dict) and "data_processing_options" not in one]
        assert len(free) == sent


def test_what_an_option_says_of_all_rows_holds_for_all(tmp_path):
    """Shopify's Source says "web", a ticket shop's Event is a concert's name."""
    (sent,) = read(tmp_path, {"Source": ["web"], "Event": ["Summer night"]})
    assert (sent["event_name"], sent["action_source"]) == ("Purchase", "physical_store")
    (own,) = read(tmp_path, {"event_name": ["Lead"], "action_source": ["phone_call"]})
    assert (own["event_name"], own["action_source"]) == ("Lead", "phone_call")


def test_an_event_of_a_program_that_was_written_as_a_table_is_read(tmp_path):
    browser = "fb.1.1595788306000.1234"
    columns = {"user_data.ph": ["16505551212"], "user_data.fbp": [browser], "custom_data.status": ["new"]}
    (sent,) = read(tmp_path, columns)
    assert sent["user_data"]["fbp"] == browser and len(sent["user_data"]["ph"]) == 1
    assert sent["custom_data"]["status"] == "new"
