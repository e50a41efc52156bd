"""`validate`: every finding at once, and the same verdict as Meta's stand-in, which shares no code with it."""

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversion_relay.emulator.rules import judge
from conversion_relay.event import Rejection, SealedEvent
from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.examine import examine
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import RequestFacts
from tests.processes import installation

NOW = 1_795_435_200
POLICY = Policy(dataset="1")
DAY = 86_400
SHA = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"

JUNK = st.sampled_from([None, True, 0, -1, 1.5, "", " ", "x", [], {}, [1], {"a": 1}, "a@b.example", "\u0661"])
AGES = [0, -60, -7 * DAY + 1, -7 * DAY, -8 * DAY, -61 * DAY, -63 * DAY, 200, 500, 700, DAY, 0.5]
TIMES = st.sampled_from([*(NOW + age for age in AGES), NOW * 1000, float(NOW), str(NOW), 10**12, 10**15])
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "em": st.sampled_from([SHA, [SHA], "joe@example.com", "no address", [], [""]]),
        "email": st.sampled_from(["joe@example.com", "nonsense"]),
        "ph": st.sampled_from(["+16505551212", "12", [SHA]]),
        "fn": st.sampled_from(["Mary", "---", SHA]),
        "ln": st.sampled_from(["Jane", ""]),
        "ge": st.sampled_from(["f", "x"]),
        "db": st.sampled_from(["19970216", "tomorrow"]),
        "ct": st.sampled_from(["paris", "7"]),
        "city": st.just("Paris"),
        "st": st.just("ca"),
        "zp": st.sampled_from(["94025", "-"]),
        "country": st.sampled_from(["us", "Atlantis"]),
        "external_id": st.sampled_from(["user 42", "null"]),
        "client_ip_address": st.sampled_from(["8.8.4.4", "10.0.0.1", "here"]),
        "client_user_agent": st.sampled_from(["Mozilla/5.0", ""]),
        "fbp": st.sampled_from(["fb.1.1596403881668.1116446470", "fb.1"]),
        "fbc": st.sampled_from(["fb.1.1554763741205.AbCd", "fb.1.1554763741.AbCd"]),
        "lead_id": st.sampled_from([1234567890123456, "1234567890123456", "l:1", 5]),
        "nonsense": st.just("x"),
    },
)
CUSTOM = st.fixed_dictionaries(
    {},
    optional={
        "value": st.one_of(JUNK, st.sampled_from([0, 12.5, "12.5", "1,5", "1e3", " 5", "-5", 1e300, "inf", "1_0"])),
        "currency": st.one_of(JUNK, st.sampled_from(["USD", "usd", " eur", "EURO", "ZZZ", "JPY"])),
        "contents": st.one_of(JUNK, st.just([{"id": "a", "quantity": 1}])),
        "content_name": JUNK,
        "my own": st.just(1),
    },
)
EXTINFO = ["a2", "", "", "", "14", *[""] * 11]
APP_DATA = st.one_of(
    JUNK, st.sampled_from([{"extinfo": EXTINFO}, {"extinfo": EXTINFO[:15]}, {"extinfo": [""] * 16}, {"extinfo": "a2"}])
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "event_name": st.one_of(
            st.sampled_from(["Lead", "Purchase", "LeadSubmitted", "viewcontent", "x" * 51, "a\nb", "joe@a.example"]),
            JUNK,
        ),
        "event_time": st.one_of(TIMES, TIMES, JUNK),
        "event_id": st.one_of(st.sampled_from(["e1", "x" * 300, "joe@a.example", "a\x00b"]), JUNK),
        "action_source": st.one_of(
            st.sampled_from(["website", "app", "physical_store", "business_messaging", "email", "web"]), JUNK
        ),
        "event_source_url": st.one_of(st.sampled_from(["https://a.example/?x=1", "not a url"]), JUNK),
        "user_data": st.one_of(KEYS, KEYS, KEYS, JUNK),
        "custom_data": st.one_of(CUSTOM, CUSTOM, JUNK),
        "app_data": APP_DATA,
        "messaging_channel": st.one_of(st.just("whatsapp"), JUNK),
        "opt_out": JUNK,
        "data_processing_options": st.one_of(st.sampled_from([["LDU"], [], ["ldu"]]), JUNK),
        "data_processing_options_country": st.one_of(st.sampled_from([0, 1, 2]), JUNK),
        "data_processing_options_state": st.one_of(st.sampled_from([0, 1000, 1013, 1014]), JUNK),
        "consent": st.one_of(st.sampled_from(["granted", "denied"]), JUNK),
        "nonsense": JUNK,
    },
)
GOOD = {"event_name": "Lead", "event_time": NOW, "action_source": "website", "user_data": {"em": SHA}}
MUTATED = st.builds(lambda base, over: base | over, st.just(GOOD), DOCUMENTS)


def sealed(document: object):
    event = read_event(json.dumps(document).encode())
    if not hasattr(event, "event_name"):
        return event
    answer = accept(Submission(event=event), RequestFacts(), POLICY, now=NOW, entropy=bytes(10))
    return answer if isinstance(answer, Rejection) else answer.event


@given(document=MUTATED | DOCUMENTS | JUNK)
@example(document=GOOD | {"custom_data": {"currency": ["USD"]}})
@example(document=GOOD | {"user_data": {"em": SHA, "lead_id": "l:1"}})
def test_what_passes_is_accepted_and_what_is_refused_has_an_error(document):
    """That the document as it stands is judged too: test_examine_and_the_stand_in.py."""
    findings = examine(document, POLICY, NOW)
    errors = [finding for finding in findings if finding.severity == "error"]
    outcome = sealed(document)
    if isinstance(outcome, SealedEvent):
        assert judge([json.loads(outcome.body)], NOW) is None, "what the door lets in, Meta lets in"
    else:
        assert errors, outcome
    assert all(finding.message and finding.fix and finding.path for finding in findings)
    assert "joe" not in repr(findings) and "16505551212" not in repr(findings)


def paths(document: dict, severity: str) -> set[tuple[str, str]]:
    return {(f.code, f.path) for f in examine(document, POLICY, NOW) if f.severity == severity}


def test_all_findings_come_at_once():
    document = {
        "event_name": "Purchase",
        "event_time": NOW * 1000,
        "evnt_id": "x",
        "action_source": "web",
        "user_data": {"mail": "x", "em": 5.5, "ge": "f"},
        "custom_data": {"currency": "EURO"},
    }
    assert paths(document, "error") == {
        ("unknown_field", "evnt_id"),
        ("wrong_type", "action_source"),
        ("unknown_field", "user_data.mail"),
        ("wrong_type", "user_data.em"),
        ("milliseconds", "event_time"),
        ("not_a_currency", "custom_data.currency"),
        ("too_broad", "user_data"),
        ("missing_field", "custom_data.value"),
    }


PRIVATE = {"em": SHA, "client_ip_address": "10.0.0.1"}
NOTHING = {"value": 0, "currency": "EUR"}


@pytest.mark.parametrize(
    ("more", "severity", "expected"),
    [
        ({"event_id": "joe@example.com_1"}, "warning", ("personal_data", "event_id")),
        ({"custom_data": {"note": "joe@example.com"}}, "warning", ("personal_data", "custom_data.note")),
        ({"event_id": "lead_+16505551212"}, "warning", ("personal_data", "event_id")),
        ({"custom_data": {"user": {"phone": 1}}}, "warning", ("personal_data", "custom_data.user.phone")),
        ({"user_data": {"em": SHA, "anon_id": "a@b.example"}}, "warning", ("personal_data", "user_data.anon_id")),
        ({"messaging_channel": "a%40b.example"}, "warning", ("personal_data", "messaging_channel")),
        ({"event_source_url": "https://a.example/?token=1"}, "warning", ("url_is_cut", "event_source_url")),
        ({"event_name": "viewcontent"}, "warning", ("event_name_case", "event_name")),
        ({"user_data": {"em": [SHA, "no address"]}}, "warning", ("dropped_value", "user_data.em[1]")),
        ({"user_data": PRIVATE}, "warning", ("dropped_value", "user_data.client_ip_address")),
        ({"event_name": "Purchase", "custom_data": NOTHING}, "warning", ("worth_nothing", "custom_data.value")),
        ({"custom_data": {"contentIds": ["1"]}}, "warning", ("other_spelling", "custom_data.contentIds")),
        ({"custom_data": {"value": "12.50"}}, "hint", ("text_amount", "custom_data.value")),
        ({"opt_out": True}, "hint", ("opt_out_is_no_consent", "opt_out")),
        ({"data_processing_options": ["LDU"]}, "warning", ("cannot_be_placed", "data_processing_options_state")),
        ({"data_processing_options_state": 1014}, "error", ("unknown_state_code", "data_processing_options_state")),
        ({"data_processing_options": ["GDPR"]}, "error", ("unknown_option", "data_processing_options")),
        ({"action_source": "app", "app_data": {"extinfo": ["a2"]}}, "error", ("bad_extinfo", "app_data.extinfo")),
        ({"action_source": "app"}, "error", ("missing_field", "app_data")),
        ({"action_source": "business_messaging"}, "error", ("missing_field", "messaging_channel")),
        ({"event_time": NOW - 8 * DAY}, "error", ("event_time_too_old", "event_time")),
        ({"event_time": NOW + DAY}, "error", ("event_time_in_the_future", "event_time")),
        ({}, "hint", ("missing_field", "event_id")),
        ({}, "warning", ("missing_field", "event_source_url")),
    ],
)  # fmt: skip
def test_a_finding_names_field_and_severity(more, severity, expected):
    assert expected in paths(GOOD | more, severity)


def test_an_old_sale_in_a_shop_is_young_for_62_days():
    offline = GOOD | {"action_source": "physical_store", "event_time": NOW - 61 * DAY}
    assert paths(offline, "error") == set()
    assert ("event_time_too_old", "event_time") in paths(offline | {"event_time": NOW - 62 * DAY}, "error")


def test_the_command_prints_every_finding_of_every_event_and_exits_1(tmp_path):
    bad = GOOD | {"event_time": int(time.time()), "event_name": "Purchase", "colour": "red"}
    good = GOOD | {
        "event_time": int(time.time()),
        "event_id": "e1",
        "event_source_url": "https://a.example/",
        "user_data": {"em": SHA, "client_user_agent": "Mozilla/5.0"},
    }
    with installation(tmp_path) as here:
        done = here.command("validate", "-", "--json", stdin=json.dumps([good, bad]).encode())
        assert done.returncode == 1
        facts = json.loads(done.stdout)
        assert facts["events"][0]["findings"] == []
        found = {(f["path"], f.get("subcode")) for f in facts["events"][1]["findings"] if f["severity"] == "error"}
        assert found == {("colour", None), ("custom_data.value", 2804009), ("custom_data.currency", 2804010)}
        text = here.command("validate", "-", stdin=json.dumps(bad).encode()).stdout.decode()
        assert "event 0: error: custom_data.value: a Purchase must carry its value (Meta: 100/2804009)" in text
        assert here.command("validate", "-", stdin=json.dumps(good).encode()).returncode == 0
        assert not here.database.exists(), "nothing is stored"
