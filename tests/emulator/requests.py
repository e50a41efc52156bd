"""Requests to the stand-in, in each of Meta's documented forms, and what arrived there."""

import json
import time
from urllib.parse import urlencode

from tests import asgi
from tests.processes import call

TOKEN, DATASET = "EAAcanary", "1232612085335834"


def event(**more) -> dict:
    return {
        "event_name": "Lead",
        "event_time": int(time.time()),
        "action_source": "website",
        "event_id": "e1",
        "event_source_url": "https://shop.example/",
        "user_data": {"em": ["0" * 64], "client_user_agent": "Mozilla/5.0"},
    } | more


def multipart(fields: dict[str, str], boundary: str = "b0undary") -> tuple[bytes, str]:
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode(), f"multipart/form-data; boundary={boundary}"


def send(meta: str, events, *, encoding="json", token_in="header", token=TOKEN, dataset=DATASET, version="v27.0"):
    """One request as one of Meta's documented forms."""
    fields = {"data": events if encoding == "json" else json.dumps(events)}
    headers = {}
    query = ""
    if token_in == "header":
        headers["Authorization"] = f"Bearer {token}"
    elif token_in == "body":
        fields["access_token"] = token
    elif token_in == "query":
        query = f"?access_token={token}"
    if encoding == "json":
        body, kind = json.dumps(fields).encode(), "application/json"
    elif encoding == "urlencoded":
        body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
    else:
        body, kind = multipart(fields)
    return call("POST", f"{meta}/{version}/{dataset}/events{query}", body, Content_Type=kind, **headers)


def arrived(meta: str) -> list[dict]:
    return call("GET", f"{meta}/_emulator/events")[1]["events"]


def ask(app, method, path, body=b"", *, kind="", query="", is_cut=False):
    """(status, headers, JSON) of the stand-in, without a socket; None where nothing was answered."""
    headers = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"content-type", kind.encode())]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode("latin-1"),
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    coming = [{"type": "http.request", "body": body, "more_body": is_cut}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return coming.pop(0)

    async def send(message):
        sent.append(message)

    asgi.run(app(scope, receive, send))
    if not sent:
        return None
    text = b"".join(message.get("body", b"") for message in sent)
    told = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, json.loads(text) if "json" in told.get("content-type", "") else text
