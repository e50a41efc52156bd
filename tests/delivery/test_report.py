"""What one turn says of itself: counters, log lines, and the three sentences."""

import logging
from typing import get_args

import pytest

from conversion_relay.delivery.report import Report, alert
from conversion_relay.outbox.story import Attempt
from conversion_relay.outbox.verdict import (
    HELD,
    Dead,
    Delivered,
    Expired,
    Hold,
    Park,
    RetryAt,
    Suspect,
    Verdict,
    Withhold,
)
from conversion_relay.telemetry import Counters, Sentences

ATTEMPT = Attempt(
    at=1.0, outcome="refused", status=400, code=100, subcode=2804036, title="Invalid email", fbtrace_id="Atrace"
)
SUCCESS = "Meta Conversions API Lead event sent successfully"
FAILED = "Failed to send Meta Conversions API Lead event"
ERROR = "Error sending Meta Conversions API Lead event"
EVERY_VERDICT = [
    # verdict, the count it adds to, its sentence, the sentence's reason
    (Delivered(), "delivered", SUCCESS, None),
    (Dead("corrupt"), "dead", ERROR, "corrupt"),
    (Dead("meta_100_2804036"), "dead", FAILED, "meta_100_2804036"),
    (Expired(), "expired", FAILED, "too_old"),
    (Hold(HELD), "held", ERROR, HELD),
    (Withhold(), "withheld", None, None),
    (Withhold("withdrawn"), "withheld", None, None),
    (RetryAt(9.0, "short_count"), "retried", None, None),
    (Park(9.0, "throttled"), "retried", None, None),
]
COUNTS = (
    "calls",
    "delivered",
    "dead",
    "expired",
    "held",
    "withheld",
    "retried",
    "suspected",
    "ambiguous",
    "ambiguous_late",
)


@pytest.fixture
def lines(caplog):
    """What is logged: (sentence, level, its fields)."""
    caplog.set_level(logging.INFO)
    return lambda: [(record.message, record.levelname, record) for record in caplog.records]


def noted(verdict: Verdict, *event_ids: str, attempt: Attempt | None = None) -> Report:
    report, sentences = Report("1", claimed=len(event_ids)), Sentences()
    report.note(verdict, "Lead", list(event_ids), attempt, sentences)
    sentences.flush()
    return report


def counts(report: Report) -> dict[str, int]:
    return {name: n for name in COUNTS if (n := getattr(report, name))}


def test_every_verdict_stands_in_the_table():
    assert {type(row[0]) for row in EVERY_VERDICT} == set(get_args(Verdict)) - {Suspect}


@pytest.mark.parametrize(("verdict", "count", "sentence", "why"), EVERY_VERDICT)
def test_a_verdict_adds_to_one_count_and_says_its_sentence_once_for_each_event(verdict, count, sentence, why, lines):
    report = noted(verdict, "a", "b", "c")
    assert counts(report) == {count: 3}
    assert [(message, record.event_id) for message, _, record in lines()] == (
        [(sentence, event_id) for event_id in "abc"] if sentence else []
    )
    assert all(getattr(record, "reason", None) == why for _, _, record in lines())


def test_what_meta_said_stands_beside_a_refusal(lines):
    noted(Dead("meta_100_2804036"), "a", attempt=ATTEMPT)
    ((_, level, record),) = lines()
    said = (record.status, record.code, record.subcode, record.title, record.fbtrace_id)
    assert said == (400, 100, 2804036, "Invalid email", "Atrace") and level == "WARNING"


def test_suspects_are_counted_when_meta_refused_them_and_not_when_they_are_given_back(lines):
    assert counts(noted(Suspect(9.0), "a", "b", attempt=ATTEMPT)) == {"suspected": 2}
    assert counts(noted(Suspect(9.0), "a", "b")) == {} and lines() == []


def test_what_meta_did_not_say_is_no_field(lines):
    noted(Dead("http_418"), "a", attempt=Attempt(at=1.0, outcome="refused", status=418))
    ((_, _, record),) = lines()
    assert record.status == 418 and not {"code", "subcode", "title", "fbtrace_id"} & set(vars(record))


def test_counts_of_several_verdicts_add_up():
    report = Report("1", claimed=6)
    for verdict, ids in [(Delivered(), ["a", "b"]), (Dead("x"), ["c"]), (Delivered(), ["d"]), (Expired(), ["e", "f"])]:
        report.note(verdict, "Lead", ids, None, Sentences())
    assert counts(report) == {"delivered": 3, "dead": 1, "expired": 2}


def test_what_was_delivered_is_counted_by_how_late_it_came():
    counters, report = Counters(), Report("1", claimed=5)
    report.note_ages([86_401, -5, 3_600])
    report.note_ages([86_400, 3_601])
    report.tell(counters)
    ages = {dict(labels)["within"]: n for (name, labels), n in counters.read().items() if "_by_age_" in name}
    assert ages == {"1h": 2, "2h": 1, "24h": 1, "later": 1}


def test_counters_are_kept_for_each_dataset_and_add_up_over_turns():
    counters = Counters()
    for dataset in ("1", "2", "1"):
        Report(dataset, claimed=0, **dict.fromkeys(COUNTS, 2)).tell(counters)
    got = {(name, *labels): value for (name, labels), value in counters.read().items() if "_by_age_" not in name}
    assert got == {
        (f"relay_{'' if name.startswith('ambiguous') else 'delivery_'}{name}_total", ("dataset", dataset)): n
        for name in COUNTS
        for dataset, n in (("1", 4), ("2", 2))
    }


def test_a_turn_that_settled_everything_writes_no_line_of_its_own(lines):
    Report("1", claimed=5, calls=1, delivered=3, dead=1, expired=1).tell(Counters())
    assert lines() == []


def test_a_turn_that_left_something_says_how_much_and_why(lines):
    report = noted(Park(9.0, "throttled"), "a", "b")
    report.tell(Counters())
    ((message, level, record),) = lines()
    assert (message, level) == ("Events wait for another try", "WARNING")
    assert (record.dataset, record.events, record.reason) == ("1", 2, "throttled")


def test_what_was_forgotten_for_want_of_consent_is_one_line_without_ids(lines):
    report = noted(Withhold(), "a", "b")
    report.tell(Counters())
    ((message, level, record),) = lines()
    assert message == "Events were forgotten unsent, since their visitors did not agree" and level == "WARNING"
    assert (record.dataset, record.events) == ("1", 2) and not hasattr(record, "event_id")


@pytest.mark.parametrize(
    ("why", "do"),
    [
        ("unauthorized", "META_ACCESS_TOKEN"),
        ("misconfigured", "META_PIXEL_ID"),
        ("all_refused", "conversion-relay dead list"),
        ("accounting_mismatch", "again and again"),
        ("foreign_answer", "META_GRAPH_URL"),
        ("tls", "certificates"),
        ("unserved_version", "META_GRAPH_VERSION"),
    ],
)
def test_an_alert_names_the_dataset_and_what_to_look_at(why, do, lines):
    alert("42", why)
    ((message, level, record),) = lines()
    assert do in message and (level, record.dataset, record.reason) == ("ERROR", "42", why)


@pytest.mark.parametrize("why", ["connect", "deadline", "unauthorized", "misconfigured", "html_503"])
def test_an_outage_says_the_sentence_once_for_each_name_with_how_many_wait(why, lines):
    report, sentences = Report("1", claimed=4), Sentences()
    for name in ("Lead", "Purchase", "Lead"):
        report.note(Park(9.0, why), name, ["a", "b"], None, sentences)
    said = [(message, level, record.reason, record.count) for message, level, record in lines()]
    assert said == [
        (ERROR, "ERROR", why, 2),
        ("Error sending Meta Conversions API Purchase event", "ERROR", why, 2),
    ]
