"""`event_time` as other programs write it."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.event import Event, UserData
from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.moment import event_time_of, read_moment
from conversion_relay.intake.request_facts import RequestFacts

AT = 1_795_631_988  # 2026-11-25T18:39:48Z


@pytest.mark.parametrize(
    "text",
    [
        "1795631988",
        " 1795631988 ",
        "2026-11-25T18:39:48Z",
        "2026-11-25t18:39:48z",
        "2026-11-25 18:39:48Z",
        "2026-11-25T20:39:48+02:00",
        "2026-11-25T20:39:48+0200",
        "2026-11-25T20:39:48+02",
        "2026-11-25T12:09:48-06:30",
        "20261125T183948Z",
        "2026-11-25T18:39:48.000Z",
        "2026-11-25 18:39:48 UTC",
        "2026-11-25T18:39:47.999999999999Z",
        "2026-11-25T19:39:48+01:00[Europe/Berlin]",
        "Wed, 25 Nov 2026 18:39:48 GMT",
        "25 Nov 2026 13:39:48 -0500",
        "Wed Nov 25 2026 19:39:48 GMT+0100 (Central European Standard Time)",
        datetime.datetime.fromtimestamp(1795631988, datetime.UTC),
    ],
)
def test_a_moment_is_read(text):
    assert abs(read_moment(text) - AT) < 1e-3


@pytest.mark.parametrize("times", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("kind", [int, float, str])
def test_seconds_and_their_parts_are_told_apart_by_their_size(kind, times):
    assert event_time_of(kind(AT * times), AT + 60.0) == AT


def test_fractions_milliseconds_and_leap_seconds_are_read():
    assert read_moment("1795631988.5") == read_moment("2026-11-25T18:39:48.5Z") == AT + 0.5
    assert read_moment("1795631988000") == AT * 1000
    assert read_moment("2016-12-31T23:59:60Z") == read_moment("2017-01-01T00:00:00Z")
    assert read_moment("2026-11-25T18:39Z") == AT - 48


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-25T18:39:48",
        "2026-11-25",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-25T25:00:00Z",
        "2026-11-25T18:39:48+15:00",
        "2026-11-25T18:39:48+02:99",
        "tomorrow",
        "1_795_631_988",
        "１７９５",
        "+1795631988",
        "1795631988Z",
        "0x6b06",
        "1e9",
        "9" * 40,
        "2026-11-25T18:39:48Z" + " " * 99,
        True,
        None,
        [],
        {},
        datetime.datetime.min,  # noqa: DTZ901 - without a zone, that is the case
    ],
)
def test_what_is_no_moment_or_has_no_zone_is_none(text):
    assert read_moment(text) is None


@given(st.datetimes(timezones=st.timezones(), min_value=datetime.datetime(1971, 1, 1)))  # noqa: DTZ001
def test_every_moment_that_python_writes_with_its_zone_is_that_moment(moment):
    text = moment.isoformat()
    if len(text.rpartition("+")[2]) == 5 or len(text.rpartition("-")[2]) == 5:  # a zone of whole minutes
        assert abs(read_moment(text) - moment.timestamp()) < 1e-5


def taken_from_a_page(event_time):
    visitor = RequestFacts(client_ip_address="8.8.4.4", client_user_agent="Mozilla/5.0", url="https://shop.example/")
    event = Event(event_name="Lead", user_data=UserData(external_id="7"), event_time=event_time)
    return accept(Submission(event=event, sender="browser"), visitor, Policy(dataset="1"), now=AT, entropy=bytes(10))


@pytest.mark.parametrize("given", [AT + 301, AT + 3_600, (AT + 86_400) * 1000])
def test_what_a_page_reports_has_happened_though_its_visitors_clock_is_ahead(given):
    assert json.loads(taken_from_a_page(given).event.body)["event_time"] == AT


def test_where_a_page_is_days_ahead_our_own_clock_may_be_the_wrong_one():
    assert taken_from_a_page(AT + 86_401).field == "event_time"


@pytest.mark.parametrize("written", [AT, AT * 1_000, str(AT), f"{AT}000", "2026-11-25T18:39:48Z", AT + 0.5])
def test_the_time_of_the_original_event_goes_to_meta_in_seconds(written):
    original = {"event_name": "Purchase", "event_time": written, "order_id": "7"}
    assert _sent(original) == {"event_name": "Purchase", "event_time": AT, "order_id": "7"}


@pytest.mark.parametrize("odd", ["yesterday", 0, -5, True, None, [AT], 10**25])
def test_an_original_time_that_is_none_is_judged_as_it_stands(odd):
    sent = _sent({"order_id": "7", "event_time": odd})
    assert sent["order_id"] == "7" and sent.get("event_time") in (odd, None)


def _sent(original):
    event = Event(event_name="Lead", user_data=UserData(email="a@example.com"), original_event_data=original)
    answer = accept(Submission(event=event), RequestFacts(), Policy(dataset="1"), now=AT + 60.0, entropy=bytes(10))
    return json.loads(answer.event.body)["original_event_data"]
