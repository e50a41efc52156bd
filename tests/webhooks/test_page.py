"""docs/payments.md: its trial in a terminal, how a visit is remembered, and the sender of one's own."""

import hashlib
import hmac
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from conversion_relay.webhooks import Webhooks
from tests import asgi
from tests.processes import Process, free_port, until

PAGE = (Path(__file__).parents[2] / "docs" / "payments.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_trial_shows_a_payment_that_counts(tmp_path):
    port = free_port()
    lines = [shlex.split(line, comments=True) for line in blocks("sh")[0].replace("8008", str(port)).splitlines()]
    (_, setting), (_, *listen), (_, *send), (_, *fixture) = lines
    env = dict([setting.split("=")]) | {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    program = [sys.executable, "-m", "conversion_relay"]
    listening = Process(*listen, "--port", str(port), log=tmp_path / "log", env=env)
    try:
        until(lambda: "/webhooks/stripe" in listening.log.read_text())
        sent = subprocess.run([*program, *send], env=env, capture_output=True, text=True, check=True)
        assert "purchase_" in sent.stdout
        until(lambda: "accepted" in listening.log.read_text())
    finally:
        listening.popen.kill()
        listening.popen.wait()
    shown = subprocess.run([*program, *fixture], env=env, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)["type"] == "refund.created"


def test_a_backend_remembers_a_visit_as_shown(tmp_path):
    words = shlex.split(blocks("sh")[1])
    name, _, value = words[words.index("-H") + 1].partition(": ")
    body = json.loads(words[words.index("-d") + 1])
    env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_API_KEYS": value.removeprefix("Bearer ")}
    env |= {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "RELAY_BALLAST": "false"}
    with Relay(Settings.from_env(env)) as relay:
        answer = asgi.ask(create_app(relay), "/visitors", json.dumps(body).encode(), **{name: value})
        assert (answer.status, json.loads(answer.body)) == (202, {"key": "1001", "remembered": True})
        facts = relay.facts_of("1001")
    assert (facts.client_ip_address, facts.fbp, facts.url) == (
        *(body["client_ip_address"], body["fbp"]),
        body["event_source_url"],
    )


def test_the_sender_of_ones_own_is_heard(tmp_path):
    place = tmp_path / "relay.toml"
    place.write_text('META_PIXEL_ID = "1"\nMETA_ACCESS_TOKEN = "x"\n' + blocks("toml")[0])
    env = {"RELAY_CONFIG": str(place), "CRM_WEBHOOK_SECRET": "secret", "RELAY_BALLAST": "false"}
    now = int(time.time())
    deal = {"id": "7", "amount": "49.90", "currency": "EUR", "closed_at": now}
    body = json.dumps({"event": "deal.won", "deal": deal, "contact": {"email": "joe@example.com"}}).encode()
    signature = hmac.new(b"secret", b"%d.%b" % (now, body), hashlib.sha256).hexdigest()
    headers = {"x-crm-signature": f"sha256={signature}", "x-crm-time": str(now)}
    with Relay(Settings.from_env(env | {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"})) as relay:
        answer = Webhooks(relay).answer("crm", body, headers)
        assert (answer.status, answer.body) == (200, {"message": "accepted", "event_id": "purchase_7"})
