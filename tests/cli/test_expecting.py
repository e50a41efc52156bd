"""`expect` without a browser: what it compares, and how a page's requests reach the stand-in."""

import re
from types import SimpleNamespace

import pytest

from conversion_relay.cli.expect.drive import _turn_aside
from conversion_relay.cli.expect.judge import Seen, judge
from conversion_relay.cli.expect.plan import Plan, UnreadablePlan, read_plan
from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from tests.emulator.requests import multipart

PIXEL = "1232612085335834"


def plan_of(**expected: object) -> Plan:
    pages = [{"url": "http://127.0.0.1:3000/", "expect": [{"event": "Lead", **expected}]}]
    return read_plan({"collector": "https://relay.example", "pages": pages})


@pytest.mark.parametrize("expected", [True, False])
def test_true_and_false_are_alike_from_server_and_pixel(expected):
    """The server says it in JSON, the pixel as text."""
    (page,) = plan_of(custom_data={"is_member": expected}).pages
    event = {"event_name": "Lead", "event_id": "e1"}
    both = [
        Seen(event | {"custom_data": {"is_member": expected}}, "server", PIXEL),
        Seen(event | {"custom_data": {"is_member": str(expected).lower()}}, "browser", PIXEL),
    ]
    assert judge(page.expect, both, PIXEL) == []
    other = [Seen(event | {"custom_data": {"is_member": not expected}}, seen.source, PIXEL) for seen in both]
    told = [finding.what for finding in judge(page.expect, other, PIXEL)]
    assert told[0] == f"the server says is_member {str(not expected).lower()}, expected {str(expected).lower()}"


@pytest.mark.parametrize(
    ("browser", "is_same"), [('["A1","7"]', True), ('["A1"]', False), ("A1", False), ("[", False), (None, False)]
)
def test_a_list_is_alike_from_server_and_pixel(browser, is_same):
    (page,) = plan_of(custom_data={"content_ids": ["A1", 7]}).pages
    sides = {"server": ["A1", 7], "browser": browser}
    seen = [
        Seen({"event_name": "Lead", "event_id": "e1", "custom_data": {"content_ids": ids}}, side, PIXEL)
        for side, ids in sides.items()
    ]
    assert (judge(page.expect, seen, PIXEL) == []) == is_same


def test_what_yaml_makes_a_number_or_a_flag_of_is_the_text_that_was_meant():
    pages = [{"url": "http://127.0.0.1:3000/", "expect": []}]
    settings = {"RELAY_SET_COOKIES": True, "RELAY_MAX_VALUE": 500, "RELAY_CONSENT": "send"}
    plan = read_plan(
        {"collector": "HTTPS://Relay.example:443/", "pages": pages, "pixel": int(PIXEL), "settings": settings}
    )
    assert (plan.pixel, plan.collector) == (PIXEL, "https://relay.example")
    assert plan.settings == {"RELAY_SET_COOKIES": "true", "RELAY_MAX_VALUE": "500", "RELAY_CONSENT": "send"}


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"collector": "https://relay.example/events"}, "$.collector"),
        ({"collector": "relay.example"}, "$.collector"),
        ({"collector": "https://[::1"}, "$.collector"),
        ({"pages": [{"url": "localhost:3000/", "expect": []}]}, "$.pages[0].url"),
        ({"pages": [{"url": "/contact", "expect": []}]}, "$.pages[0].url"),
        ({"pixel": -5}, "$.pixel"),
    ],
)
def test_an_address_that_no_request_could_have_is_told_with_its_place(more, place):
    plan = {"collector": "https://relay.example", "pages": [{"url": "http://a.example/", "expect": []}]}
    with pytest.raises(UnreadablePlan, match=re.escape(f"at `{place}`")):
        read_plan(plan | more)


def test_a_beacon_of_the_pixel_reaches_the_stand_in():
    """Meta's script sends what is too long for an address in parts, by `sendBeacon`."""
    body, kind = multipart({"id": PIXEL, "ev": "Lead", "eid": "e1"})
    request = SimpleNamespace(
        url="https://www.facebook.com/tr/",
        method="POST",
        headers={"content-type": kind},
        post_data_buffer=body,
    )
    turned = []
    app = create_app()
    meta = Server(app)
    meta.start()
    try:
        context = SimpleNamespace(route=lambda *rule: turned.append(rule))
        _turn_aside(context, SimpleNamespace(meta=meta, collector=None), plan_of(), [])
        (handler,) = [handle for is_for, handle in turned if is_for(request.url)]
        answered = []
        handler(SimpleNamespace(request=request, fulfill=lambda **answer: answered.append(answer["status"])))
    finally:
        meta.stop()
    assert answered == [200]
    assert [(arrived.source, arrived.event["event_id"]) for arrived in app.store.events] == [("browser", "e1")]
