"""`expect` without a browser: what it compares, and how a page's requests reach the stand-in."""

from types import SimpleNamespace

import pytest

from conversion_relay.cli.expect.drive import _turn_aside
from conversion_relay.cli.expect.judge import Seen, judge
from conversion_relay.cli.expect.plan import Plan, read_plan
from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server

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


def test_a_beacon_of_the_pixel_reaches_the_stand_in():
    """Meta's script sends what is too long for an address in parts, by `sendBeacon`."""
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"id": PIXEL, "ev": "Lead", "eid": "e1"}.items()
    )
    request = SimpleNamespace(
        url="https://www.facebook.com/tr/",
        method="POST",
        headers={"content-type": "multipart/form-data; boundary=b"},
        post_data_buffer=f"{parts}--b--\r\n".encode(),
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
