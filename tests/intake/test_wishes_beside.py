"""A visitor's "no" beside `data` is about each event in it; nothing beside `data` makes a "yes" of an event's "no"."""

import json

import pytest

from conversion_relay.event import Rejection
from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.reading import read_body, read_event, read_events
from conversion_relay.intake.request_facts import RequestFacts

LEAD = {"event_name": "Lead", "user_data": {"em": "joe@example.com"}}
LDU = ("data_processing_options", "data_processing_options_country", "data_processing_options_state")


def sealed(body):
    """What of each event goes to Meta, or why it is refused."""
    policy = Policy(dataset="1")
    read = [read_event(raw) for raw in read_body(body if isinstance(body, bytes) else json.dumps(body).encode()).events]
    judged = [
        event
        if isinstance(event, Rejection)
        else accept(Submission(event=event), RequestFacts(), policy, now=1.7e9, entropy=bytes(10))
        for event in read
    ]
    return [one if isinstance(one, Rejection) else json.loads(one.event.body) for one in judged]


@pytest.mark.parametrize("own", [{}, {"data_processing_options": []}, {"dataProcessingOptions": None}])
@pytest.mark.parametrize("where", [{}, {LDU[1]: 1, LDU[2]: 1000}])
def test_limited_data_use_beside_the_data_holds_for_each_event(own, where):
    written = [LEAD | own, json.dumps(LEAD | own)]  # an SDK writes each event as text
    for event in sealed({"data": written, "data_processing_options": ["LDU"], **where}):
        assert [event.get(name) for name in LDU] == [["LDU"], where.get(LDU[1], 0), where.get(LDU[2], 0)]


@pytest.mark.parametrize("said", ["denied", False, "no", {"marketing": False}, {"ad_user_data": "denied"}])
def test_a_declined_consent_beside_the_data_keeps_no_event(said):
    answers = sealed({"data": [LEAD, LEAD | {"consent": "granted"}], "consent": said})
    assert len(answers) == 2 and all(isinstance(answer, Rejection) for answer in answers)
    assert {answer.field for answer in answers} == {"consent"}


@pytest.mark.parametrize("beside", [{"ad_user_data": "denied"}, {"limitedDataUse": True}, {"us_privacy": "1YYN"}])
def test_another_programs_name_for_a_no_is_refused_with_its_remedy_as_in_an_event(beside):
    (answer,) = sealed({"data": [LEAD], **beside})
    assert isinstance(answer, Rejection) and "not passed over" in answer.message


@pytest.mark.parametrize(("name", "member"), [("opt_out", "opt_out"), ("optOut", "opt_out"), ("gpc", LDU[0])])
def test_an_opt_out_beside_the_data_holds_however_the_event_spells_its_own(name, member):
    for own in ({}, {"optOut": False}, {"opt_out": False, "gpc": False}):
        (event,) = sealed({"data": [LEAD | own], name: "yes"})
        assert event[member] in (True, ["LDU"])
    (event,) = sealed({"data": [LEAD], name: ["?"] * 1_000})  # nobody can read it: it may be a "no"
    assert event[member] in (True, ["LDU"])


@pytest.mark.parametrize(
    "beside",
    [
        {"opt_out": False},
        {"consent": "granted"},
        {LDU[0]: [], LDU[1]: 0, LDU[2]: 0},
        {"consent": None, "gpc": ""},
        {"consent": {"ad_storage": "granted"}},
        {"ad_user_data": "granted"},
    ],
)
def test_a_yes_beside_the_data_changes_nothing_and_is_named(beside):
    body = json.dumps({"data": [LEAD, LEAD | {"opt_out": True}], **beside}).encode()
    assert read_body(body).ignored == tuple(sorted(beside))
    assert [event.get("opt_out") for event in sealed(body)] == [None, True]


def test_what_is_no_object_or_no_json_is_what_it_was():
    body = b'{"data": [3, {}, {"event_name": "Lead", "x": NaN,}, "a"], "opt_out": true}'
    first, second, third, fourth = (read_event(raw) for raw in read_events(body))
    assert all(isinstance(one, Rejection) for one in (first, second, fourth))
    assert third.opt_out is True


def test_a_long_wish_is_not_written_into_each_of_a_thousand_events():
    body = json.dumps({"data": [LEAD] * 1_000, "opt_out": "x" * 100_000}).encode()
    assert sum(len(bytes(raw)) for raw in read_events(body)) < 2 * len(body)
