"""What the operator reads, and the net under it."""

import json
import logging
import sys

import pytest

from conversion_relay.telemetry import JsonLines, NoSecrets, Sentences, TextLines

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


def test_a_json_line_is_one_line_whatever_is_in_it():
    line = written("two\nlines", event_id="a\r\nb")
    assert "\n" not in line
    assert json.loads(line)["event_id"] == "a\r\nb"


def test_a_text_line_steers_no_terminal():
    assert "\x1b" not in written("red \x1b[31m", formatter=TextLines())


def test_above_a_hundred_a_second_sentences_are_summed_up_by_level(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    now = [100.0]
    monkeypatch.setattr("conversion_relay.telemetry.time.monotonic", lambda: now[0])
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
    monkeypatch.setattr("conversion_relay.telemetry.time.monotonic", lambda: now[0])
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
