"""POST /view-content: what a page's script says it showed."""

import pytest

from tests.course_site.shop import EMAIL, VISITOR, count, post, stored


def test_view_content_of_a_beacon_is_tracked_under_the_pages_id(site):
    event_id = "01900000-0000-7000-8000-000000000001"
    body = {
        "user_data": {"email": EMAIL},
        "content_data": {"content_name": "Watercolour", "content_category": "painting"},
        "event_id": event_id,
    }
    answer = post(site.view_content, body, content_type="text/plain;charset=UTF-8")
    assert (answer.status, answer.body["event_id"]) == (200, event_id)
    event = stored(site)[event_id]
    assert event["event_source_url"] == VISITOR.url, "the url falls back to the Referer"
    assert event["user_data"]["client_user_agent"] == "Mozilla/5.0 (X11)"
    assert event["custom_data"] == {"content_name": "Watercolour", "content_category": "painting"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "content_data"),
        ({"content_data": {}}, "content_data.content_name"),
        ({"content_data": {"content_name": {}}}, "content_data.content_name"),
        ({"content_data": {"content_name": " "}}, "content_data.content_name"),
        ({"content_data": {"content_name": "x", "price": 1}}, "content_data.price"),
        ({"content_data": {"content_name": "x"}, "user_data": {"phone": "1"}}, "user_data.phone"),
        ({"content_data": {"content_name": "x"}, "event_id": []}, "event_id"),
        ({"content_data": {"content_name": "x"}, "event_source_url": []}, "event_source_url"),
    ],
)
def test_view_content_names_the_field(site, body, field):
    answer = post(site.view_content, body)
    assert (answer.status, answer.body["field"]) == (400, field)
    assert count(site) == 0
