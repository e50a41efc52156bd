"""POST /view-content at the collector: the course site's shape, so that one endpoint serves the whole script."""

import hashlib
import json
import time

import pytest

from conversion_relay import Relay, Settings, request_facts
from conversion_relay.collector.app import create_app
from conversion_relay.course_site.mail import FileMail
from conversion_relay.course_site.registrations import SqliteRegistrations
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.site import CourseSite
from conversion_relay.course_site.web import SiteRequest
from tests import asgi

PAGE = {"origin": "https://shop.example", "user_agent": "Mozilla/5.0 (X11)", "referer": "https://shop.example/course"}
EMAIL = "canary.person@example.org"
SEEN = {"content_data": {"content_name": "Kintsugi", "content_category": "craft"}, "event_id": "view-1"}


@pytest.fixture
def relay(tmp_path):
    told = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAA", "RELAY_ALLOWED_ORIGINS": PAGE["origin"]}
    with Relay(Settings.from_env(told | {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"})) as relay:
        yield relay


def view(relay: Relay, body: object, **headers: str) -> tuple[int, dict]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = asgi.ask(create_app(relay), "/view-content", data, **(headers or PAGE))
    return answer.status, json.loads(answer.body)


def kept(relay: Relay) -> list[dict]:
    lease = relay.outbox.claim("1", 10, 60.0, time.time())
    return [json.loads(event.body) for event in lease.events] if lease else []


def test_a_viewed_page_is_durable_under_the_pages_id_with_what_the_request_tells(relay):
    assert view(relay, {**SEEN, "user_data": {"email": EMAIL}}) == (200, {"message": "tracked", "event_id": "view-1"})
    (event,) = kept(relay)
    assert (event["event_name"], event["custom_data"]) == ("ViewContent", SEEN["content_data"])
    assert event["event_source_url"] == "https://shop.example/course", "the url falls back to the Referer"
    assert event["user_data"]["client_user_agent"] == "Mozilla/5.0 (X11)"
    assert event["user_data"]["em"] == [hashlib.sha256(EMAIL.encode()).hexdigest()]


def test_the_same_page_view_again_is_stored_once(relay):
    assert view(relay, SEEN) == view(relay, SEEN)
    assert len(kept(relay)) == 1


def test_a_time_and_a_word_of_consent_are_read_as_in_events(relay):
    """Of the two doors of one page, one must not refuse what the other understands."""
    now = time.time()
    for n, event_time in enumerate((now, str(int(now)), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))):
        said = {"event_id": f"view-{n}", "event_time": event_time, "consent": "GRANTED", "gpc": "true"}
        assert view(relay, SEEN | said)[0] == 200
    read = [(event["event_time"], event["data_processing_options"]) for event in kept(relay)]
    assert read == [(int(now), ["LDU"])] * 3
    assert "ISO 8601" in str(view(relay, SEEN | {"event_time": "soon"}))


@pytest.mark.parametrize(("options", "country"), [(["LDU"], 1), ("LDU", "1"), (["LDU"], "one")])
def test_the_pages_own_restriction_is_kept_however_it_is_written(relay, options, country):
    wish = {"data_processing_options": options, "data_processing_options_country": country}
    assert view(relay, SEEN | wish | {"data_processing_options_state": 1000})[0] == 200
    (event,) = kept(relay)
    assert event["data_processing_options"] == ["LDU"]


def test_without_an_id_one_is_made(relay):
    status, answer = view(relay, {"content_data": SEEN["content_data"]})
    assert status == 200 and len(answer["event_id"]) == 36


def test_a_visitor_who_declined_is_withheld_without_an_error(relay):
    assert view(relay, {**SEEN, "consent": "denied"}) == (200, {"message": "withheld", "event_id": None})
    assert kept(relay) == []


def test_that_the_pixel_got_the_same_id_is_counted(relay):
    view(relay, {**SEEN, "pixel": True})
    relay.outbox.probe()  # what a page reports is counted in a job that nobody waits for
    assert relay.outbox.deduplication()["1"]["ViewContent"].both == 1


def test_another_sites_page_may_not_post_here_and_a_preflight_is_answered(relay):
    assert view(relay, SEEN, origin="https://other.example")[0] == 403
    preflight = asgi.ask(create_app(relay), "/view-content", method="OPTIONS", **PAGE)
    assert preflight.status == 204 and "POST" in preflight.headers["access-control-allow-methods"]


BODIES = [
    SEEN, {**SEEN, "event_source_url": ""}, {**SEEN, "gpc": True}, {**SEEN, "consent": "denied"}, {},
    {"content_data": {}}, {"content_data": {"content_name": {}}}, {"content_data": {"content_name": " "}},
    {"content_data": {"content_name": "x" * 5_001}}, {"content_data": {"content_name": "x", "price": 1}},
    {**SEEN, "user_data": {"phone": "1"}}, {**SEEN, "event_id": 5}, {**SEEN, "event_time": 1},
    {**SEEN, "consent": "yes"}, [], b"", b"{", b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_it_answers_as_the_course_site_does(relay, tmp_path, body):
    shop = Shop(relay, SqliteRegistrations(tmp_path / "r.db"), FileMail(tmp_path / "mail"), stripe_secrets=["x"])
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in PAGE.items()}
    site = CourseSite(shop).view_content(
        SiteRequest(method="POST", body=data, headers=headers, facts=request_facts(headers, "198.51.100.7", ()))
    )
    status, answer = view(relay, body)
    assert status == site.status
    assert [answer.get(name) for name in ("message", "event_id", "field")] == [
        site.body.get(name) for name in ("message", "event_id", "field")
    ]


@pytest.mark.parametrize(("given", "kept_as"), [(5, "5"), (7.5, "7.5"), ("Mug \ud83d", "Mug \ufffd")])
def test_a_name_that_is_a_number_or_cut_in_an_emoji_costs_no_event(relay, given, kept_as):
    """As a page has it: a product's number, a title of the first hundred characters."""
    body = {"content_data": {"content_name": given, "content_category": None}, "user_data": None, "event_id": 12}
    assert view(relay, body) == (200, {"message": "tracked", "event_id": "12"})
    assert [event["custom_data"] for event in kept(relay)] == [{"content_name": kept_as}]


def test_two_ids_that_were_cut_in_an_emoji_are_two(relay):
    body = {"content_data": {"content_name": "Mug"}}
    one, other = (view(relay, body | {"event_id": f"mug {half}"}) for half in ("\ud83d", "\ud83e"))
    assert one[0] == other[0] == 200 and one[1]["event_id"] != other[1]["event_id"]
    assert len(list(kept(relay))) == 2
