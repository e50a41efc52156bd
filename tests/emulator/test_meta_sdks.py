"""Meta's own SDKs and documented curl lines, unmodified, take the stand-in for Meta."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from tests.processes import call

DATASET, TOKEN = "1232612085335834", "EAAtesttoken"
SECRET = "app-secret"

PYTHON_SDK = """
import json, sys, time
from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

url, dataset, token, secret = sys.argv[1:]
FacebookSession.GRAPH = url
FacebookAdsApi.init(access_token=token, app_secret=secret or None)

def event(name, event_id, event_time=None):
    return Event(
        event_name=name, event_id=event_id, event_time=event_time or int(time.time()),
        event_source_url="https://shop.example/", action_source=ActionSource.WEBSITE,
        user_data=UserData(email="joe@example.com", phone="16505551212", client_user_agent="Mozilla/5.0"),
        custom_data=CustomData(value=12.5, currency="usd", contents=[Content(product_id="a1", quantity=1)]),
    )

def send(events):
    try:
        answer = EventRequest(pixel_id=dataset, events=events).execute()
        return {"received": answer.events_received, "messages": answer.messages, "trace": answer.fbtrace_id}
    except FacebookRequestError as error:
        return {"code": error.api_error_code(), "subcode": error.api_error_subcode(), "status": error.http_status()}

print(json.dumps([
    send([event("Purchase", "py-1")]),
    send([event("Lead", "py-2"), event("Lead", "py-3")]),
    send([event("Lead", "py-4"), event("Lead", "py-old", 1000000000)]),
]))
"""


@pytest.fixture(params=["", SECRET], ids=["token", "token and app secret"])
def secret(request):
    return request.param


@pytest.fixture
def meta(secret):
    server = Server(create_app(token=TOKEN, app_secret=secret or None))
    server.start()
    yield server.url
    server.stop()


def arrived(meta: str) -> dict[str, dict]:
    return {row["event"]["event_id"]: row["event"] for row in call("GET", f"{meta}/_emulator/events")[1]["events"]}


def test_facebook_business_sends_and_reads_answers_and_errors(meta, secret):
    done = subprocess.run(
        [sys.executable, "-c", PYTHON_SDK, meta, DATASET, TOKEN, secret], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    single, batch, refused = json.loads(done.stdout)
    assert (single["received"], single["messages"], bool(single["trace"])) == (1, [], True)
    assert batch["received"] == 2
    assert refused == {"code": 100, "subcode": 2804003, "status": 400}
    assert set(arrived(meta)) == {"py-1", "py-2", "py-3"}
    assert arrived(meta)["py-1"]["custom_data"]["currency"] == "usd"


@pytest.mark.xdist_group("node")
@pytest.mark.parametrize("secret", [""], indirect=True)
def test_facebook_nodejs_business_sdk_sends_and_reads_answers_and_errors(node, meta):
    done = subprocess.run(
        ["node", "send.js", meta, DATASET, TOKEN], cwd=node, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    single, batch, refused = json.loads(done.stdout)
    assert (single["received"], single["messages"], bool(single["trace"])) == (1, [], True)
    assert batch["received"] == 2
    assert (refused["code"], refused["subcode"]) == (100, 2804003) and refused["title"] == "Event Timestamp Too Old"
    assert set(arrived(meta)) == {"node-1", "node-2", "node-3"}


def curl(*arguments: str) -> tuple[int, dict]:
    done = subprocess.run(
        ["curl", "--silent", "--write-out", "\n%{http_code}", *arguments], capture_output=True, text=True, check=True
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


@pytest.mark.parametrize("secret", [""], indirect=True)
def test_the_documented_curl_lines_work(meta):
    if not shutil.which("curl"):
        pytest.skip("no curl on this machine")
    url = f"{meta}/v27.0/{DATASET}/events"
    event = {
        "event_name": "Purchase",
        "event_time": int(time.time()),
        "user_data": {"em": ["309a0a5c3e211326ae75ca18196d301a9bdbd1a882a4d2569511033da23f0abd"], "ph": ["1" * 64]},
        "custom_data": {"currency": "usd", "value": 123.456, "contents": [{"id": "product123", "quantity": 1}]},
    }
    data, document = json.dumps([event]), json.dumps({"data": [event]})
    forms = (
        ("-X", "POST", "-F", f"data={data}", "-F", f"access_token={TOKEN}", url),
        ("-X", "POST", "-F", f"data={data}", "-F", "test_event_code=TEST123", "-F", f"access_token={TOKEN}", url),
        ("-H", "Content-Type: application/json", "-d", document, f"{url}?access_token={TOKEN}"),
        ("--data-urlencode", f"data={data}", "-d", f"access_token={TOKEN}", url),
        ("-H", f"Authorization: Bearer {TOKEN}", "-H", "Content-Type: application/json", "-d", document, url),
    )  # fmt: skip
    for form in forms:
        status, answer = curl(*form)
        assert (status, answer["events_received"], answer["messages"]) == (200, 1, []), form
    status, answer = curl("-F", "data=[]", "-F", f"access_token={TOKEN}", url)
    assert (status, answer["error"]["message"]) == (400, "(#100) param data must be non-empty.")
