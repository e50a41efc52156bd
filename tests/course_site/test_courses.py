"""What is for sale: in the demo, and where a deployment names its own courses or none."""

from decimal import Decimal

import pytest

from conversion_relay import SettingsError
from conversion_relay.course_site.checkout import minor_units
from conversion_relay.course_site.courses import COURSES
from conversion_relay.course_site.on_aws import read_courses


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_a_course_of_the_demo_can_be_shown_and_paid(course):
    assert course.title and course.category and course.summary and course.lessons
    assert course.shown_price == f"{course.price:,} {course.currency}"
    assert COURSES[course.id] is course


@pytest.mark.parametrize(("course", "amount"), [("watercolour", 29_999), ("sourdough", 14_900), ("kintsugi", 12_000)])
def test_stripe_would_be_asked_for_the_currencys_smallest_unit(course, amount):
    assert minor_units(COURSES[course].price, COURSES[course].currency) == amount


def test_a_price_is_never_rounded():
    assert minor_units(Decimal("0.01"), "EUR") == 1 and minor_units(Decimal("1.1"), "EUR") == 110


def test_without_courses_of_its_own_a_deployment_takes_every_id():
    courses = read_courses("")
    assert courses["anything-1"].title == "anything-1" and courses.get("x").id == "x"
    assert list(courses) == [] and len(courses) == 0


def test_a_deployment_names_its_courses():
    courses = read_courses('{"clay": {"title": "Clay", "category": "craft"}, "ink": {}}')
    assert (courses["clay"].title, courses["clay"].category) == ("Clay", "craft")
    assert (courses["ink"].title, courses["ink"].category) == ("ink", "course")
    assert courses.get("watercolour") is None


@pytest.mark.parametrize("text", ["{", "[]", "null", '"clay"', '{"clay": "Clay"}', '{"clay": {"title": 1}}', " "])
def test_a_wrong_list_names_the_setting(text):
    with pytest.raises(SettingsError, match="COURSES"):
        read_courses(text)
