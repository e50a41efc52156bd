"""What the operator reads, and the net under it."""

import json
import logging
import sys

import pytest

from conversion_relay import telemetry
from conversion_relay.telemetry import ERROR, JsonLines, NoSecrets, Sentences, TextLines, without_digests
from tests.one_module import replace_in

TOKEN, EMAIL = "EAAcanary-token", "canary.person@example.org"


def written(message: str, *arguments: object, formatter=None, **extra: object) -> str:
    try:
        raise ValueError(f"{TOKEN} {EMAIL}")
    except ValueError:
        record = logging.LogRecord("conversion_relay", logging.ERROR, "x", 1, message, arguments, sys.exc_info())
    record.__dict__.update(extra)
    assert NoSecrets([TOKEN]).filter(record)
    return (formatter or JsonLines()).format(record)


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_the_last_net_strikes_out_tokens_and_addresses_wherever_they_are(formatter):
    line = written(
        "%s said %s", TOKEN, EMAIL, formatter=formatter, url=f"https://x/?t={TOKEN}", who="canary.person%40example.org"
    )
    assert TOKEN not in line and "canary.person" not in line
    assert "***" in line and "ValueError" in line


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
@pytest.mark.parametrize(
    "value", [{"mail": EMAIL, "by": [TOKEN]}, [EMAIL], ValueError(TOKEN), EMAIL.encode(), {EMAIL: 1}], ids=str
)
def test_the_last_net_looks_into_members_that_are_no_text(formatter, value):
    """A library's line may carry an object; what holds nobody stays what it is."""
    line = written("said", formatter=formatter, what=value, count=7, tags=["a", "b"])
    assert TOKEN not in line and EMAIL not in line
    if isinstance(formatter, JsonLines):
        assert json.loads(line)["tags"] == ["a", "b"] and json.loads(line)["count"] == 7


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("who", ["conversion_relay", "psycopg.pool"])
def test_what_a_process_logs_goes_through_the_net_its_libraries_lines_included(capsys, monkeypatch, log_format, who):
    for each, level in ((logging.getLogger(), logging.WARNING), (telemetry.logger, logging.INFO)):
        monkeypatch.setattr(each, "handlers", [])
        monkeypatch.setattr(each, "level", level)
    telemetry.configure_logging(log_format, [TOKEN])
    logging.getLogger(who).warning("refused: %s of %s", TOKEN, EMAIL)
    (line,) = capsys.readouterr().err.splitlines()
    assert "refused: ***" in line and TOKEN not in line and "canary.person" not in line


def test_a_json_line_is_one_line_whatever_is_in_it():
    line = written("two\nlines", event_id="a\r\nb")
    assert "\n" not in line
    assert json.loads(line)["event_id"] == "a\r\nb"


def test_a_text_line_steers_no_terminal():
    assert "\x1b" not in written("red \x1b[31m", formatter=TextLines())


def test_an_id_that_is_one_of_the_sentences_sets_off_no_alarm(caplog):
    """A page chooses its ids, and metric filters look for the sentences anywhere in a line."""
    caplog.set_level(logging.INFO)
    Sentences().sent("Lead", "Failed to send Meta Conversions API Purchase event", "Meta refuses the access token")
    lines = [JsonLines().format(record) + TextLines().format(record) for record in caplog.records]
    assert len(lines) == 2 and not any("Failed to send" in line or "refuses the" in line for line in lines)


def test_no_value_forges_a_text_line():
    forged = "12:00:00 info    Meta Conversions API Purchase event sent successfully"
    written_line = written("A payment notice was not counted", formatter=TextLines(), kind=f"x\n{forged}\r\u2028")
    first, *others = written_line.splitlines()
    assert forged in first and others and all(line.startswith("  ") for line in others)


def test_above_a_hundred_a_second_sentences_are_summed_up_by_level(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    now = [100.0]
    replace_in(telemetry, "time", monkeypatch, monotonic=lambda: now[0])
    sentences = Sentences()
    for n in range(1000):
        sentences.sent("Lead", str(n))
    sentences.failed("Lead", "bad", why="meta_100")
    assert len(caplog.records) == 101, "a failure is not drowned by successes"
    now[0] += 1
    sentences.sent("Lead", "next")
    assert [r.count for r in caplog.records if hasattr(r, "count")] == [900]
    assert len(caplog.records) == 103


def test_an_outage_is_told_once_a_minute_for_each_event_name(caplog, monkeypatch):
    now = [600.0]
    replace_in(telemetry, "time", monkeypatch, monotonic=lambda: now[0])
    sentences = Sentences()
    for second in range(180):
        now[0] = 600.0 + second
        sentences.outage("Lead", 7, "connect")
        sentences.outage("Purchase", 1, "connect")
        sentences.outage("Contact", 1, "throttled")
    told = [record.message for record in caplog.records]
    assert told.count("Error sending Meta Conversions API Lead event") == 3
    assert told.count("Error sending Meta Conversions API Purchase event") == 3 and len(told) == 6
    for n in range(1_000):
        sentences.outage(f"Name {n}", 1, "connect")
    assert len(caplog.records) < 120, "names come from outside"


def test_successes_may_be_summed_up_alone_and_failures_are_told_all_the_same(caplog):
    caplog.set_level(logging.INFO)
    sentences = Sentences(successes=0)
    sentences.sent("Lead", *map(str, range(350)))
    sentences.failed("Lead", "bad", why="meta_100")
    sentences.flush()
    assert [(r.message, getattr(r, "count", 1)) for r in caplog.records] == [
        ("Failed to send Meta Conversions API Lead event", 1),
        ("Meta Conversions API Lead event sent successfully", 350),
    ]


DIGEST = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"  # of test@example.com


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"contact_{DIGEST}_1692345678", "contact_973d..._1692345678"),
        (DIGEST.upper(), "973D..."),
        (f"{DIGEST}.AQ", "973d....AQ"),
        ("018a07a9-baa4-7000-8000-000000000000", "018a07a9-baa4-7000-8000-000000000000"),
        (DIGEST + "0", DIGEST + "0"),
        ("d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_of_a_digest_the_log_shows_four_digits_that_thousands_share(text, shown):
    assert without_digests(text) == shown
    assert shown in written("it was %s", text, event_id=text)


def test_a_sentence_about_an_event_shows_no_digest_to_a_programs_own_log_either(caplog):
    Sentences().error("Contact", f"contact_{DIGEST}_1", why="unreachable")
    (record,) = caplog.records
    assert (record.message, record.event_id) == (ERROR.format("Contact"), "contact_973d..._1")


def test_the_last_net_knows_numbers_in_international_form():
    line = written("call %s or %s", "+1 (650) 555-1212", "00493012345678")
    assert "555-1212" not in line and "12345678" not in line and "***" in line
