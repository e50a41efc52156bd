"""POST /register: what is stored, what is tracked, and what a wrong form is told."""

from urllib.parse import urlencode

import msgspec
import pytest

from conversion_relay import Relay, Settings
from conversion_relay.course_site.mail import FileMail
from conversion_relay.course_site.registrations import SqliteRegistrations
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.site import CourseSite
from tests.course_site.shop import DIGEST, EMAIL, FORM, NOW, SECRET, VISITOR, count, post, register, stored, webhook


def test_registering_stores_the_visit_and_tracks_complete_registration(site):
    answer = post(site.register, FORM | {"level": "beginner"})
    registration_id = answer.body["registration_id"]
    assert answer.status == 200 and answer.body["event_id"] == f"registration_{registration_id}"
    kept = site.shop.registrations.find(registration_id)
    assert (kept.client_ip_address, kept.client_user_agent, kept.fbp, kept.fbc, kept.url) == (
        VISITOR.client_ip_address, VISITOR.client_user_agent, VISITOR.fbp, VISITOR.fbc, VISITOR.url
    )  # fmt: skip
    assert kept.fields == {"level": "beginner"} and kept.paid_at is None
    event = stored(site)[f"registration_{registration_id}"]
    assert (event["event_name"], event["event_source_url"]) == ("CompleteRegistration", VISITOR.url)
    assert event["user_data"]["em"] == [DIGEST] and event["user_data"]["fbc"] == VISITOR.fbc
    assert event["custom_data"]["content_name"] == "Watercolour Landscapes"


def test_registering_again_replaces_while_unpaid_under_the_same_id_and_is_refused_when_paid(site):
    first = register(site, phone="111 111 1112")
    assert register(site, email=EMAIL.upper()) == first
    assert list(stored(site)) == [f"registration_{first}"], "who sends the form twice has registered once"
    assert site.shop.registrations.find(first).phone == FORM["phone"], "the newest form counts"
    assert webhook(site, first).body["message"] == "paid", "the checkout of the first form was still open"
    answer = post(site.register, FORM)
    assert (answer.status, answer.body["error"], answer.body["field"]) == (400, "email_already_registered", "email")
    assert post(site.register, FORM | {"course_id": "sourdough"}).status == 200


def test_a_course_that_is_not_sold_is_refused_with_those_that_are(site):
    answer = post(site.register, FORM | {"course_id": "juggling"})
    assert (answer.status, answer.body["error"], answer.body["field"]) == (400, "unknown_course", "course_id")
    assert "sourdough" in str(answer.body) and "juggling" not in str(answer.body) and stored(site) == {}


@pytest.mark.parametrize("field", ["name", "email", "course_id"])
@pytest.mark.parametrize("value", [None, "", "   ", 5, ["x"], {"a": 1}])
def test_registering_without_a_field_names_it(site, field, value):
    form = {name: given for name, given in (FORM | {field: value}).items() if value is not None or name != field}
    answer = post(site.register, form)
    assert (answer.status, answer.body["field"]) == (400, field)
    assert count(site) == 0


def test_a_classic_form_works_too(site):
    answer = post(site.register, urlencode(FORM).encode(), content_type="application/x-www-form-urlencoded")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("said", "gpc", "settings"),
    [
        ("denied", False, {}),
        ("granted", True, {"RELAY_GPC": "withhold"}),
        (None, False, {"RELAY_CONSENT": "withhold"}),
    ],
)
def test_of_whose_events_are_withheld_no_browser_click_or_address_is_stored(tmp_path, environment, said, gpc, settings):
    with Relay(Settings.from_env(environment | settings), clock=lambda: NOW) as relay:
        registrations, mail = SqliteRegistrations(tmp_path / "registrations.db"), FileMail(tmp_path / "mail")
        site = CourseSite(Shop(relay, registrations, mail, stripe_secrets=[SECRET], clock=lambda: NOW))
        facts = msgspec.structs.replace(VISITOR, gpc=gpc)
        registration_id = post(site.register, FORM | {"visitor": {"consent": said}}, facts).body["registration_id"]
        kept = site.shop.registrations.find(registration_id)
        assert kept.email == FORM["email"] and kept.gpc is gpc
        assert {kept.client_ip_address, kept.client_user_agent, kept.fbp, kept.fbc, kept.url} == {None}
        assert webhook(site, registration_id).body == {"message": "paid"}
        assert count(site) == 0
