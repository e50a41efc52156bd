"""A function's first answer: CPU from process start, peak memory, zip; beside the ways that others do it.

Each under the real runtime client, all with bytecode, in turns. A local server that accepts everything at once stands
in for AWS and Meta.
"""

import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.aws.deployment import ROOT, build
from tests.aws.sandboxes import Function, Sandbox
from tests.aws.standin import http_event

ROUNDS = 7
NAME = "view-content-handler"
PAGE_VIEW = json.dumps({"content_data": {"content_name": "Course Overview", "content_category": "education"}}).encode()
LEAST = """
import hashlib, http.client, msgspec, os, time
from urllib.parse import urlsplit

def lambda_handler(event, context):
    view = msgspec.json.decode(event["body"])
    data = {"event_name": "ViewContent", "event_time": int(time.time()), "action_source": "website",
            "user_data": {"em": [hashlib.sha256(b"joe@example.com").hexdigest()]}, "custom_data": view["content_data"]}
    host = urlsplit(os.environ["META_GRAPH_URL"])
    connection = http.client.HTTPConnection(host.hostname, host.port)
    connection.request("POST", "/v27.0/1/events", msgspec.json.encode({"data": [data]}))
    return {"statusCode": connection.getresponse().status, "body": "{}"}
"""
REQUESTS = """
import hashlib, json, os, time, requests

def lambda_handler(event, context):
    view = json.loads(event["body"])
    data = {"event_name": "ViewContent", "event_time": int(time.time()), "action_source": "website",
            "user_data": {"em": [hashlib.sha256(b"joe@example.com").hexdigest()]}, "custom_data": view["content_data"]}
    answer = requests.post(os.environ["META_GRAPH_URL"] + "/v27.0/1/events", json={"data": [data]}, timeout=10)
    return {"statusCode": answer.status_code, "body": "{}"}
"""
FACEBOOK = """
import json, os, time
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession

FacebookSession.GRAPH = os.environ["META_GRAPH_URL"]
FacebookAdsApi.init(access_token="EAA")

def lambda_handler(event, context):
    view = json.loads(event["body"])
    data = Event("ViewContent", int(time.time()), user_data=UserData(email="joe@example.com"),
                 custom_data=CustomData(content_name=view["content_data"]["content_name"]))
    EventRequest(pixel_id="1", events=[data]).execute()
    return {"statusCode": 200, "body": "{}"}
"""
BOTO3 = """
import boto3
from conversion_relay import signed_calls

sqs = boto3.client("sqs")

def call(self, service, target, body, *, version="1.0"):
    return sqs.send_message_batch(**body)

signed_calls.AwsCalls.call = call

import importlib
lambda_handler = importlib.import_module("view-content-handler").lambda_handler
"""


def report() -> None:
    answers = Answers(("127.0.0.1", 0), Yes)
    threading.Thread(target=answers.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{answers.server_port}"
    ours = (build() / f"{NAME}.zip").read_bytes()
    functions = {
        "conversion-relay": (NAME, ours),
        "the same with a boto3 client": ("with_boto3", with_file(ours, "with_boto3.py", BOTO3)),
        "requests, one line": ("one_line", packed("one_line", REQUESTS, "requests")),
        "facebook-business": ("facebook", packed("facebook", FACEBOOK, "facebook-business==26.0.3")),
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, (module, code) in functions.items():
            spent[name].append(first_answer(module, code, url))
    answers.shutdown()
    ours_cpu = statistics.median(cpu for cpu, _ in spent["conversion-relay"])
    print(f"{'a page view, process start to first answer':42}{'CPU ms':>8}{'ratio':>8}{'peak MB':>9}{'zip kB':>9}")
    for name, (_, code) in functions.items():
        cpu, memory = (statistics.median(row) for row in zip(*spent[name], strict=True))
        print(f"  {name:40}{cpu:8.0f}{ours_cpu / cpu:8.2f}{memory:9.1f}{len(code) / 1024:9.0f}")


def without_ours(code: bytes, module: str, source: str) -> bytes:
    """The same package with msgspec in it, as compiled, and another function instead of ours."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(code)) as package, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as least:
        for name in package.namelist():
            if name.startswith("msgspec/"):
                least.writestr(name, package.read(name))
        least.writestr(f"{module}.py", source)
    return target.getvalue()


def first_answer(module: str, code: bytes, url: str) -> tuple[float, float]:
    """CPU in ms, and the most memory in MB, of a fresh process that answered one page view."""
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIABENCH",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "META_GRAPH_URL": url,
        "META_PIXEL_ID": "1",
        "RELAY_OUTBOX": "sqs://sqs.us-east-1.amazonaws.com/1/events",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    sandbox = Sandbox(Function(module, f"{module}.lambda_handler", code, environment, 20), print)
    try:
        headers = [("Content-Type", "application/json")]
        answer = sandbox.invoke(http_event("POST", "/view-content", "", headers, PAGE_VIEW))
        assert answer["statusCode"] == 200, answer
        return sandbox.cpu_seconds() * 1e3, sandbox.most_memory() / 1e6
    finally:
        sandbox.end()


def packed(module: str, source: str, *packages: str) -> bytes:
    """A zip as pip and zip make it, with bytecode that counts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "-qqq", "--disable-pip-version-check", "--target", folder]
        subprocess.run([*command, *packages], check=True)
        Path(folder, f"{module}.py").write_text(source)
        compiled = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", "-f", folder]
        # Errors are ignored: facebook-business holds a file that is no Python.
        subprocess.run(compiled, check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(Path(folder, "bin"), ignore_errors=True)
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
            for path in sorted(Path(folder).rglob("*")):
                package.write(path, path.relative_to(folder))
        return target.getvalue()


def with_file(code: bytes, name: str, text: str) -> bytes:
    target = io.BytesIO(code)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr(name, text)
    return target.getvalue()


class Answers(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A process that was ended drops its connections; that is no error."""


class Yes(BaseHTTPRequestHandler):
    """Accepts whatever is sent, as SQS and Meta would."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        said: dict[str, object] = {"events_received": 1, "messages": [], "fbtrace_id": "A"}
        if "X-Amz-Target" in self.headers:
            entries = json.loads(asked)["Entries"]
            done = [{"Id": one["Id"], "MessageId": "m", "MD5OfMessageBody": md5(one)} for one in entries]
            said = {"Successful": done}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def md5(entry: dict[str, str]) -> str:
    return hashlib.md5(entry["MessageBody"].encode(), usedforsecurity=False).hexdigest()


if __name__ == "__main__":
    os.chdir(ROOT)
    report()
