"""Dates of birth in the orders, separators and digits of many countries."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.customer_information.birth import (
    normalize_birth_date,
    normalize_birth_day,
    normalize_birth_month,
    normalize_birth_year,
)
from conversion_relay.meta.customer_information.hashing import Dropped

TODAY = datetime.date(2026, 11, 23)

DATES = [
    ("1990-12-31", "19901231"),
    ("1990/12/31", "19901231"),
    ("1990.12.31", "19901231"),
    ("1990 12 31", "19901231"),
    ("1990-1-2", "19900102"),
    ("12-31-1990", "19901231"),
    ("31.12.1990", "19901231"),
    ("31. 12. 1990", "19901231"),
    ("1/2/1990", "19900102"),
    ("1.2.1990", "19900102"),
    ("13/1/1990", "19900113"),
    ("1990-31-12", "19901231"),
    ("1990-12-31T00:00:00Z", "19901231"),
    ("1990-12-31 23:59:59.999+02:00", "19901231"),
    ("1990-12-31T0000", "19901231"),
    ("1990年12月31日", "19901231"),
    ("1990년 12월 31일", "19901231"),
    ("١٩٩٠/١٢/٣١", "19901231"),
    ("१९९०-१२-३१", "19901231"),
    ("\u200e12/31/1990\u200e", "19901231"),
    ("  19901231\n", "19901231"),
    ("19901231.0", "19901231"),
    ("1900-01-01", "19000101"),
    ("2026-11-23", "20261123"),
    ("1996-02-29", "19960229"),
    ("29/2/1996", "19960229"),
]


@pytest.mark.parametrize(("text", "normalized"), DATES)
def test_a_date_is_read_in_any_order_that_says_which_is_the_year(text, normalized):
    assert normalize_birth_date(text, TODAY) == normalized


NOT_DATES = [
    "1899-12-31",
    "2026-11-24",
    "1990-02-30",
    "1997-02-29",
    "1900-02-29",
    "13/13/1990",
    "0/1/1990",
    "1/0/1990",
    "1990",
    "1990-12",
    "12/31",
    "12/31/90",
    "901231",
    "31121990",
    "1990-1990-12",
    "1990-12-31-01",
    "12345-1-1",
    "31 December 1990",
    "31 déc. 1990",
    "Dec 31 1990",
    "0000-00-00",
    "1990-12-31 to 1991-01-01",
    "unknown",
    "null",
    "-",
    "👶 1990-12-31 x",
    "1" * 41,
    "1990-12-31" + " " * 40 + "1",
    "631065600",
    "631065600000",
]


@pytest.mark.parametrize("text", NOT_DATES)
def test_what_is_no_whole_date_of_a_living_person_is_dropped(text):
    assert normalize_birth_date(text, TODAY) == Dropped("no date of birth in it")


@given(st.dates(datetime.date(1900, 1, 1), TODAY), st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%Y%m%d", "%m.%d.%Y"]))
def test_every_day_that_is_written_month_first_or_year_first_is_that_day(day, form):
    assert normalize_birth_date(day.strftime(form), TODAY) == day.strftime("%Y%m%d")


@given(st.dates(datetime.date(1900, 1, 1), TODAY).filter(lambda day: day.day > 12))
def test_a_day_above_twelve_is_known_as_the_day_wherever_it_stands(day):
    assert normalize_birth_date(day.strftime("%d-%m-%Y"), TODAY) == day.strftime("%Y%m%d")


@given(st.text(max_size=60))
def test_any_text_is_a_date_or_dropped(text):
    result = normalize_birth_date(text, TODAY)
    if not isinstance(result, Dropped):
        assert datetime.date(1900, 1, 1) <= datetime.date.fromisoformat(result) <= TODAY


@pytest.mark.parametrize(("text", "day"), [("1", "01"), ("09", "09"), ("31", "31"), (" 7 ", "07"), ("٣", "03")])
def test_a_day_of_birth_has_two_digits(text, day):
    assert normalize_birth_day(text) == day


@pytest.mark.parametrize(("text", "month"), [("1", "01"), ("012", "12"), ("0007", "07"), ("12", "12"), ("１", "01")])
def test_a_month_of_birth_has_two_digits(text, month):
    assert normalize_birth_month(text) == month


@pytest.mark.parametrize(("text", "year"), [("1900", "1900"), ("2026", "2026"), ("１９９７", "1997")])
def test_a_year_of_birth_has_four_digits(text, year):
    assert normalize_birth_year(text, TODAY) == year


OUT_OF_RANGE = [
    *[(normalize_birth_day, text) for text in ("0", "32", "-1", "1.0", "first", "1st", "12345")],
    *[(normalize_birth_month, text) for text in ("0", "13", "May", "-5", "1/2")],
    *[(lambda text: normalize_birth_year(text, TODAY), text) for text in ("1899", "2027", "97", "19970", "'97", "0")],
]


@pytest.mark.parametrize(("rule", "text"), OUT_OF_RANGE)
def test_a_part_of_a_date_that_cannot_be_is_dropped(rule, text):
    assert rule(text) == Dropped("out of range")


@pytest.mark.parametrize("text", ["", " ", "\u200b"])
def test_a_part_without_a_visible_character_is_empty(text):
    assert normalize_birth_date(text, TODAY) == normalize_birth_day(text) == normalize_birth_month(text)
    assert normalize_birth_year(text, TODAY) == normalize_birth_day(text) == Dropped("empty")
