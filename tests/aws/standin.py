"""AWS on this machine: moto for the services, and what it has not: functions that run, a queue that is polled as Lambda
does, an HTTP API that is served.

    with standin() as aws:
        aws.url        # of the services: AWS_ENDPOINT_URL
        aws.http_url   # of the newest HTTP API
"""

import base64
import contextlib
import logging
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

from tests.aws.as_aws_does import patch_moto
from tests.aws.permissions import name_resources
from tests.aws.sandboxes import Function, Sandboxes

ACCOUNT, REGION = "123456789012", "us-east-1"


class StandIn:
    def __init__(self, region: str = REGION) -> None:
        self.region = region
        patch_moto()
        name_resources()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.moto.start()
        host, port = self.moto.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.sandboxes = Sandboxes(self.function, self.log)
        self.logs: dict[str, list[str]] = {}
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.api())
        self.http.daemon_threads = True
        self.http_url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.stopping = threading.Event()
        self.deliveries: list[threading.Thread] = []
        self.receiving = threading.Lock()
        self.poller = threading.Thread(target=self.poll, daemon=True)
        self.poller.start()
        self.keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}

    def client(self, service: str, **credentials: str) -> Any:
        given = credentials or {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, endpoint_url=self.url, region_name=self.region, **given)

    def end(self) -> None:
        self.stopping.set()
        self.poller.join()
        self.sandboxes.forget()
        self.http.shutdown()
        self.moto.stop()
        for name in ("lambda", "sqs", "dynamodb", "apigatewayv2", "iam", "logs", "secretsmanager", "ssm", "sesv2"):
            get_backend(name).reset()

    @contextlib.contextmanager
    def iam(self) -> Iterator[None]:
        """Signatures and policies count."""
        self.enforce_after("0")
        try:
            yield
        finally:
            self.enforce_after("inf")

    def enforce_after(self, requests: str) -> None:
        target, kind = f"{self.url}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(target, requests.encode(), kind, method="POST")).close()

    # -- functions -----------------------------------------------------------------------------------------------------

    def function(self, name: str) -> Function:
        found = get_backend("lambda")[ACCOUNT][self.region].get_function(name)
        environment = {"AWS_REGION": self.region, "AWS_ENDPOINT_URL": self.url, **(found.environment_vars or {})}
        return Function(name, found.handler, found.code_bytes, environment | self.keys_of(found.role), found.timeout)

    def keys_of(self, role: str) -> dict[str, str]:
        """Credentials of the function's role, as Lambda gives them."""
        told = get_backend("sts")[ACCOUNT]["aws"].assume_role(self.region, "function", role, "", 3600, "")
        return {
            "AWS_ACCESS_KEY_ID": told.access_key_id,
            "AWS_SECRET_ACCESS_KEY": told.secret_access_key,
            "AWS_SESSION_TOKEN": told.session_token,
        }

    def log(self, name: str, line: str) -> None:
        self.logs.setdefault(name, []).append(line)

    # -- the queue -----------------------------------------------------------------------------------------------------

    def poll(self) -> None:
        while not self.stopping.wait(0.05):
            for mapping in list(get_backend("lambda")[ACCOUNT][self.region].list_event_source_mappings("", "") or ()):
                if str(mapping.enabled) != "False":
                    with self.receiving:
                        self.invoke_with(mapping)

    def invoke_with(self, mapping: Any) -> None:
        """At most `batch_size` messages; those that the function does not name as failed are deleted."""
        backend = get_backend("sqs")[ACCOUNT][self.region]
        name = mapping.event_source_arn.rpartition(":")[2]
        if name not in backend.queues:
            return
        received: list[Any] = []
        hidden_for = int(backend.queues[name].visibility_timeout)
        while len(received) < int(mapping.batch_size or 10):
            more = backend.receive_message(name, 10, 0, hidden_for)
            if not more:
                break
            received += more
        if not received:
            return
        records = [_record(message, mapping.event_source_arn) for message in received]
        self.deliveries = [thread for thread in self.deliveries if thread.is_alive()]
        self.deliveries.append(
            threading.Thread(target=self.finish, args=(mapping, name, received, records), daemon=True)
        )
        self.deliveries[-1].start()

    def let_minutes_pass(self, queue: str) -> None:
        """What was put out of sight is seen again, but for what a function has in hand: that would be sent twice."""
        with self.receiving:
            for delivery in self.deliveries:
                delivery.join()
            for message in self.messages(queue):
                message.change_visibility(0)

    def were_all_received(self, queue: str) -> bool:
        """Every message that waits was in a function's hands, at least once."""
        with self.receiving:
            return all(message.approximate_receive_count for message in self.messages(queue))

    def messages(self, queue: str) -> list[Any]:
        return list(get_backend("sqs")[ACCOUNT][self.region].queues[queue]._messages)

    def finish(self, mapping: Any, name: str, received: list[Any], records: list[dict[str, Any]]) -> None:
        answer = self.sandboxes.invoke(mapping.function_arn.split(":function:")[1].split(":")[0], {"Records": records})
        if not isinstance(answer, dict) or "errorType" in answer:
            return
        failed = {item["itemIdentifier"] for item in answer.get("batchItemFailures", ())}
        for message in received:
            if message.id not in failed:
                get_backend("sqs")[ACCOUNT][self.region].delete_message(name, message.receipt_handle)

    # -- the HTTP API --------------------------------------------------------------------------------------------------

    def api(self) -> type[BaseHTTPRequestHandler]:
        aws = self

        class HttpApi(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, text = aws.route(self.command, self.path, list(self.headers.items()), body)
                data = text.encode()
                self.send_response(status)
                for name, value in (*headers, ("Content-Length", str(len(data)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_OPTIONS = answer

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return HttpApi

    def route(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, list[tuple[str, str]], str]:
        """As an HTTP API with payload 2.0 calls: https://docs.aws.amazon.com/apigateway/latest/developerguide"""
        api = list(get_backend("apigatewayv2")[ACCOUNT][self.region].apis.values())[-1]
        path, _, query = target.partition("?")
        asked = f"{method} {path}"
        any_last = asked.rpartition("/")[0] + "/{provider}"
        routes = {route.route_key: route for route in api.routes.values()}
        route = routes.get(asked) or routes.get(any_last)
        if route is None:
            return 404, [("Content-Type", "application/json")], '{"message":"Not Found"}'
        integration = api.get_integration(route.target.partition("/")[2])
        name = integration.integration_uri.partition(":function:")[2].split("/")[0].split(":")[0]
        answer = self.sandboxes.invoke(name, http_event(method, path, query, headers, body))
        if not isinstance(answer, dict) or "statusCode" not in answer:
            return 500, [("Content-Type", "application/json")], '{"message":"Internal Server Error"}'
        cookies = [("Set-Cookie", cookie) for cookie in answer.get("cookies", ())]
        return answer["statusCode"], [*answer.get("headers", {}).items(), *cookies], answer.get("body", "")


def http_event(method: str, path: str, query: str, headers: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """Headers in lower case; cookies apart; a body that is not text comes as base64."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]},{value}" if key in joined else value
    cookies = joined.pop("cookie", "")
    kind = joined.get("content-type", "")
    is_text = kind.startswith(("text/", "application/json"))
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": joined.get("user-agent", ""),
            },
            "stage": "$default",
        },
        "isBase64Encoded": not is_text,
    }
    if cookies:
        event["cookies"] = cookies.split("; ")
    if body:
        event["body"] = body.decode("utf-8", "replace") if is_text else base64.b64encode(body).decode()
    return event


def _record(message: Any, arn: str) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(int(message.sent_timestamp)),
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


@contextlib.contextmanager
def standin(region: str = REGION) -> Iterator[StandIn]:
    aws = StandIn(region)
    try:
        yield aws
    finally:
        aws.end()
