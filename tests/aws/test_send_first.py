"""`delivery_mode = "direct"`: sent while the visitor waits, queued when that fails; one connection for all of them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conversion_relay import Event, Relay, Settings, UserData
from conversion_relay.aws import AwsError, AwsUnreachable, SendFirst

ENVIRONMENT = {
    "META_PIXEL_ID": "1",
    "META_ACCESS_TOKEN_SECRET_ARN": "arn",
    "RELAY_OUTBOX": "sqs://sqs.us-east-1.amazonaws.com/1/events",
}


class Aws:
    """A secret that can be renewed, and a queue that takes everything."""

    def __init__(self) -> None:
        self.token: str | Exception = "EAAfirst"
        self.reads = 0
        self.queued: list[str] = []

    def call(self, service, target, body, *, version="1.0"):
        if service == "secretsmanager":
            self.reads += 1
            if isinstance(self.token, Exception):
                raise self.token
            return {"SecretString": self.token}
        events = [event for entry in body["Entries"] for event in json.loads(entry["MessageBody"])["events"]]
        self.queued += [event["event_id"] for event in events]
        return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]]}


class Meta(ThreadingHTTPServer):
    """Meta over real sockets. `refused`: tokens that it takes no longer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.connections = 0
        self.tokens: list[str] = []
        self.refused: set[str] = set()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        token = self.headers["Authorization"].removeprefix("Bearer ")
        self.server.tokens.append(token)
        said = {"events_received": len(document["data"])}
        if token in self.server.refused:
            said = {"error": {"code": 190, "message": "expired"}}
        body = json.dumps(said).encode()
        self.send_response(400 if "error" in said else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def aws():
    return Aws()


@pytest.fixture
def meta():
    with Meta() as meta:
        serving = threading.Thread(target=meta.serve_forever, args=(0.01,))
        serving.start()
        yield meta
        meta.shutdown()
        serving.join()


@pytest.fixture
def relay(aws, meta):
    environment = ENVIRONMENT | {"META_GRAPH_URL": f"http://127.0.0.1:{meta.server_port}"}
    settings = Settings.from_env(environment, required=("META_PIXEL_ID",))
    with Relay(settings, outbox=SendFirst(settings, environment, aws)) as relay:
        yield relay


def track(relay: Relay, event_id: str, name: str = "Lead") -> None:
    custom = {"value": 1, "currency": "EUR"} if name == "Purchase" else {}
    person = UserData(email="canary.person@example.org")
    relay.track(Event(event_name=name, event_id=event_id, user_data=person, custom_data=custom))


def test_twenty_events_are_sent_over_one_connection_by_one_thread(relay, aws, meta):
    before = set(threading.enumerate())
    for n in range(20):
        track(relay, f"e{n}")
    assert (len(meta.tokens), meta.connections, aws.queued) == (20, 1, [])
    assert len(set(threading.enumerate()) - before) <= 2, "one that sends, and one of Meta's that answers"


def test_when_the_relay_is_closed_no_thread_and_no_connection_is_left(relay, meta):
    before = set(threading.enumerate())
    track(relay, "e1")
    left = set(threading.enumerate()) - before
    assert left
    relay.close()
    for thread in left:
        thread.join(60)
        assert not thread.is_alive()


def test_a_renewed_token_is_sent_from_then_on(relay, aws, meta):
    track(relay, "e1")
    aws.token = "EAAsecond"
    meta.refused = {"EAAfirst"}
    track(relay, "e2")
    track(relay, "e3")
    assert meta.tokens == ["EAAfirst", "EAAfirst", "EAAsecond"] and aws.queued == ["e2"]
    assert (aws.reads, meta.connections) == (2, 1)


@pytest.mark.parametrize("token", ["", AwsError("AccessDeniedException", 400), AwsUnreachable("nobody")])
def test_without_a_token_the_event_is_queued(relay, aws, meta, token):
    aws.token = token
    track(relay, "e1")
    assert (aws.queued, meta.tokens) == (["e1"], [])


def test_what_meta_took_at_once_for_one_dataset_is_no_reason_to_drop_the_copy_of_another(aws, meta, tmp_path):
    config = tmp_path / "relay.toml"
    tables = ("META_PIXEL_ID = 1\nRELAY_COPIES_TO = [2]", 'META_PIXEL_ID = 2\nMETA_ACCESS_TOKEN = "EAAother"')
    config.write_text("".join(f"[[dataset]]\n{table}\n" for table in tables))
    url = {"META_GRAPH_URL": f"http://127.0.0.1:{meta.server_port}", "RELAY_CONFIG": str(config)}
    settings = Settings.from_env(ENVIRONMENT | url)
    with Relay(settings, outbox=SendFirst(settings, ENVIRONMENT, aws)) as relay:
        track(relay, "e1")
    assert (meta.tokens, aws.queued) == (["EAAfirst"], ["e1"])


def test_a_purchase_goes_through_the_queue_where_the_ledger_is_asked(relay, aws, meta):
    track(relay, "p", "Purchase")
    assert (aws.queued, meta.tokens) == (["p"], [])


def test_meta_being_away_costs_the_visitor_no_error_and_the_event_is_queued(aws):
    environment = ENVIRONMENT | {"META_GRAPH_URL": "http://127.0.0.1:9", "META_ACCESS_TOKEN": "EAA"}
    settings = Settings.from_env(environment)
    with Relay(settings, outbox=SendFirst(settings, environment, aws)) as relay:
        track(relay, "e1")
    assert (aws.queued, aws.reads) == (["e1"], 0)
