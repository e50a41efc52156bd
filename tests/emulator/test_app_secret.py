"""An app with "Require App Secret": the proof is a parameter, so it may stand in the query or in a body of any form."""

import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.delivery.exchange import post
from conversion_relay.delivery.transport import GraphTransport
from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from conversion_relay.meta.graph import Accepted
from tests.emulator.requests import DATASET, TOKEN, arrived, event, multipart
from tests.processes import call

SECRET = "app-canary"
PROOF = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()


@pytest.fixture(scope="module")
def meta():
    server = Server(create_app(app_secret=SECRET))
    server.start()
    yield server.url
    server.stop()


def told(meta: str, proof: str | None, place: str) -> tuple[int, dict]:
    given = {} if proof is None else {"appsecret_proof": proof}
    query = f"?{urlencode(given)}" if place == "query" else ""
    fields = {"data": json.dumps([event()]), **({} if place == "query" else given)}
    kind, body = "application/x-www-form-urlencoded", urlencode(fields).encode()
    if place == "multipart":
        body, kind = multipart(fields)
    elif place == "json":
        kind, body = "application/json", json.dumps({"data": [event()], **given}).encode()
    return call(
        "POST", f"{meta}/v27.0/{DATASET}/events{query}", body, Authorization=f"Bearer {TOKEN}", content_type=kind
    )


@pytest.mark.parametrize("place", ["query", "json", "urlencoded", "multipart"])
def test_a_proof_is_read_wherever_a_parameter_may_stand(meta, place):
    assert told(meta, PROOF, place)[0] == 200
    for wrong, sentence in ((None, "require an appsecret_proof"), ("0" * 64, "Invalid appsecret_proof")):
        status, answer = told(meta, wrong, place)
        assert status == 400 and sentence in answer["error"]["message"]


def test_what_the_relay_sends_is_taken(meta):
    settings = Settings.from_env(
        {"META_PIXEL_ID": DATASET, "META_ACCESS_TOKEN": TOKEN, "META_APP_SECRET": SECRET, "META_GRAPH_URL": meta}
    )
    transport = GraphTransport()
    with Relay.testing() as relay:
        sealed = relay.seal(json.dumps(event(event_id="ours", user_data={"email": "a@example.com"})).encode())
    outcome = post(transport, settings, settings.datasets[0], [sealed], 10.0, lambda: 0.0)
    transport.close()
    assert isinstance(outcome, Accepted)
    assert "ours" in {row["event"]["event_id"] for row in arrived(meta)}
