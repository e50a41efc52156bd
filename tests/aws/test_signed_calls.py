"""Signed calls: the signature is botocore's, and every way of answering badly is a value of ours."""

import datetime
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.signed_calls import AwsCalls, AwsError, AwsUnreachable

WORD = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+=", min_size=1, max_size=40)


@given(
    service=st.sampled_from(["sqs", "dynamodb", "secretsmanager", "ssm", "ses"]),
    path=st.sampled_from(["/", "/v2/email/outbound-emails"]),
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1"]),
    key=WORD,
    secret=WORD,
    token=st.none() | WORD,
    body=st.binary(max_size=200),
)
def test_the_signature_is_botocores(service, path, region, key, secret, token, body):
    environ = {"AWS_REGION": region, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    calls = AwsCalls(environ | ({"AWS_SESSION_TOKEN": token} if token else {}))
    url = calls._endpoint(service) + path
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessageBatch"}
    signed = calls._signed(service, url, body, headers)
    at = datetime.datetime.strptime(signed["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    hashed = {"X-Amz-Content-SHA256": signed["x-amz-content-sha256"]}
    request = AWSRequest(method="POST", url=url, data=body, headers=headers | hashed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda *_, **__: at.replace(tzinfo=None))
        auth.SigV4Auth(Credentials(key, secret, token), service, region).add_auth(request)
    assert signed["Authorization"] == request.headers["Authorization"]


def test_what_the_delivery_function_writes_to_its_own_queue_is_never_taken_for_a_loop():
    """Lambda drops a message after 16 rounds of one trace; an event that waits for days makes more of them."""
    trace = {"_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=1:a87bd80c:15"}
    keys = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    signed = AwsCalls(keys | trace)._signed("sqs", "https://sqs.us-east-1.amazonaws.com/", b"{}", {})
    assert not [name for name in signed if "trace" in name.lower()]


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.peers.append(self.client_address)
        status, body = server.answers.pop(0) if server.answers else (200, b"{}")
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = server.hangs_up

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    server.answers, server.peers, server.hangs_up = [], [], False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def calls_to(server) -> AwsCalls:
    keys = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s"}
    return AwsCalls(keys | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}, pause=lambda _: None)


def ask(calls: AwsCalls) -> dict:
    return calls.call("sqs", "AmazonSQS.SendMessageBatch", {})


def test_a_connection_serves_many_calls(service):
    calls = calls_to(service)
    for _ in range(5):
        ask(calls)
    assert len(set(service.peers)) == 1


def test_a_connection_that_the_other_end_closed_is_not_used_again(service):
    service.hangs_up = True
    calls = calls_to(service)
    for _ in range(5):
        ask(calls)
    assert len(service.peers) == 5


@pytest.mark.parametrize(
    "answer",
    [
        (500, b"{}"),
        (429, b"{}"),
        (0, b""),
        *((400, b'{"__type": "a#%s"}' % code) for code in (b"ThrottlingException", b"KmsThrottled", b"RequestTimeout")),
        (400, b'{"__type": "TooManyRequestsException"}'),
    ],
)
def test_what_passes_is_tried_three_times(service, answer):
    calls = calls_to(service)
    service.answers = [answer] * 2
    assert ask(calls) == {}
    service.answers = [answer] * 3
    with pytest.raises((AwsError, AwsUnreachable)):
        ask(calls)


def test_what_does_not_pass_is_told_at_once_by_its_name(service):
    service.answers = [(400, json.dumps({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "x"}).encode())]
    with pytest.raises(AwsError) as told:
        ask(calls_to(service))
    assert told.value.code == "QueueDoesNotExist" and len(service.peers) == 1


def test_a_service_has_the_address_that_the_sdks_would_use():
    at = {name: f"https://{name.lower()}.vpc" for name in ("SQS", "SECRETS_MANAGER", "SESV2", "SSM", "DYNAMODB")}
    calls = AwsCalls({f"AWS_ENDPOINT_URL_{name}": url for name, url in at.items()})
    services = ("sqs", "secretsmanager", "ses", "ssm", "dynamodb")
    assert [calls._endpoint(service) for service in services] == list(at.values())
    assert AwsCalls({}, region="eusc-de-east-1")._endpoint("ses") == "https://email.eusc-de-east-1.amazonaws.eu"
    assert AwsCalls({"AWS_REGION": "cn-north-1"})._endpoint("sqs") == "https://sqs.cn-north-1.amazonaws.com.cn"


def test_nobody_there_is_unreachable(service):
    calls = calls_to(service)
    service.shutdown()
    service.server_close()
    with pytest.raises(AwsUnreachable):
        ask(calls)
