"""A machine that gives no more threads, as a limit of processes makes it: what is asked then, and what a start says."""

import json
import os
import subprocess
import sys

import pytest

from conversion_relay import OutboxUnavailable, Relay, Settings
from conversion_relay.collector.app import create_app
from tests import asgi
from tests.failures.threads import no_more_threads
from tests.test_relay import LEAD

KEY = "Bearer key-one"
ORDER = {"event_name": "Purchase", "event_id": "order-1", "user_data": {"email": "canary@example.org"}}
KNOWN = {"client_ip_address": "198.51.100.7", "fbp": "fb.1.1.1", "fbc": "fb.1.1.IwAR2"}
AGREED = ORDER | {"event_id": "order-2", "user_data": KNOWN, "event_name": "Lead", "consent": "granted"}
ORDER |= {"custom_data": {"value": 1, "currency": "EUR", "order_id": "1"}}


@pytest.fixture
def relay(tmp_path):
    told = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": f"sqlite:///{tmp_path / 'outbox.db'}"}
    told |= {"RELAY_API_KEYS": "key-one", "STRIPE_WEBHOOK_SECRET": "whsec_x", "RELAY_ADMIN_PASSWORD": "pass"}
    with Relay(Settings.from_env(told)) as relay:
        yield relay


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/readyz", b""),
        ("GET", "/metrics", b""),
        ("GET", "/dashboard", b""),
        ("POST", "/visitors", b'{"key": "1"}'),
        ("POST", "/webhooks/stripe", b"{}"),
    ],
)
def test_what_needs_a_thread_is_asked_to_come_again(relay, method, path, body):
    with no_more_threads("asyncio"):
        key = KEY if method == "POST" else "Basic dTpwYXNz"
        answer = asgi.ask(create_app(relay), path, body, method=method, authorization=key)
    assert answer.status == 503
    assert path == "/readyz" or answer.headers["retry-after"]


def test_an_order_is_to_come_again_while_nobody_can_look_up_whether_its_visitor_refused(relay):
    app, order = create_app(relay), json.dumps(ORDER).encode()
    assert asgi.ask(app, "/visitors", b'{"key": "1", "consent": "denied"}', authorization=KEY).status == 202
    with no_more_threads("asyncio"):
        answer = asgi.ask(app, "/events", order, authorization=KEY)
        assert answer.status == 503 and answer.headers["retry-after"]
        assert asgi.ask(app, "/events", json.dumps(AGREED).encode(), authorization=KEY).status == 202
    assert asgi.ask(app, "/events", order, authorization=KEY).headers["x-relay-reason"] == "consent_denied"
    assert relay.outbox.find("order-1") == []


def test_a_program_that_awaits_is_told_as_of_a_full_disk(relay):
    with no_more_threads("asyncio"), pytest.raises(OutboxUnavailable, match="limit of processes"):
        asgi.run(relay.track_async(LEAD))
    assert asgi.run(relay.track_async(LEAD)).is_durable


def test_a_server_that_cannot_deliver_does_not_start(tmp_path):
    short = "from tests.failures.threads import no_more_threads as short; from conversion_relay.cli import main"
    code = f"{short}\nwith short('delivery'): main()"
    env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    command = [sys.executable, "-c", code, "serve", "--port", "0"]
    done = subprocess.run(command, env=os.environ | env, capture_output=True, timeout=60, check=False)
    assert (done.returncode, b"raise this process's limit" in done.stderr, b"Traceback" in done.stderr) == (
        1,
        True,
        False,
    )
