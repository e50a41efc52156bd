"""Headers of any kind are read, and what makes no sense says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.headers import LONGEST_PAUSE, date, http_date, pause, rest

NOW = 1_700_000_000.0
HUGE = "9" * 400


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tuesday, 14-Nov-23 22:13:20 GMT",
        "Tue Nov 14 22:13:20 2023",
        "Tue, 14 Nov 2023 22:13:20 -0000",
        "Tue, 14 Nov 2023 23:13:20 +0100",
    ],
)
def test_every_form_of_a_date_is_the_same_second(text):
    assert http_date(text) == NOW


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        HUGE,
        "Tue, 14 Nov 0000 22:13:20 GMT",
        "Tue, 99 Nov 2023 22:13:20 GMT",
        "Tue, 14 Nov 2023 99:13:20 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Tue, 14 Nov 9999 22:13:20 GMT",
        "١٤ نوفمبر ٢٠٢٣ ٢٢:١٣:٢٠",
        "Tue, 14 Nov 2023 22:13:20 +" + HUGE,
        "\x00" * 30,
    ],
)
def test_what_is_no_date_or_one_of_a_clock_that_was_never_set_is_none(text):
    assert http_date(text) is None and date({"date": text}) is None


def test_a_date_header_leaves_out_the_fraction_of_its_second():
    assert date({"date": "Tue, 14 Nov 2023 22:13:20 GMT"}) == NOW + 0.5 and date({}) is None


@pytest.mark.parametrize("number", [HUGE, "-" + HUGE, "1e999", "NaN", "true", '"90"', "null", "[90]", "{}", "-1"])
@pytest.mark.parametrize("name", ["x-app-usage", "x-ad-account-usage", "x-business-use-case-usage"])
def test_a_number_of_any_size_is_a_pause_within_bounds(name, number):
    member = {"x-app-usage": "call_count", "x-ad-account-usage": "acc_id_util_pct"}.get(name)
    rows = f'[{{"call_count": {number}, "estimated_time_to_regain_access": {number}}}]'
    headers = {name: f'{{"{member}": {number}}}' if member else f'{{"1": {rows}}}'}
    assert rest(headers) in (0.0, LONGEST_PAUSE)
    assert 0 < pause(headers, NOW) <= LONGEST_PAUSE


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5_000, "\ud83d", "{" + "0" * 1_000_000])
def test_nested_and_endless_headers_say_nothing(text):
    assert rest({"x-app-usage": text, "x-business-use-case-usage": text}) == 0.0


@given(st.dictionaries(st.sampled_from(["date", "retry-after", "x-app-usage", "x-business-use-case-usage"]), st.text()))
def test_any_text_is_a_pause_within_bounds(headers):
    assert 0 < pause(headers, NOW) <= LONGEST_PAUSE and 0 <= rest(headers) <= LONGEST_PAUSE
    assert date(headers) is None or date(headers) > 0
