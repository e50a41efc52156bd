"""One request to Meta from events to outcome, and what the ledger keeps of it."""

import json

import msgspec
import pytest

from conversion_relay.delivery.exchange import as_attempt, post
from conversion_relay.delivery.retry import Facts, decide
from conversion_relay.delivery.transport import Response
from conversion_relay.meta.graph import (
    Accepted,
    Ambiguous,
    Misconfigured,
    Refused,
    Request,
    Said,
    Throttled,
    Unauthorized,
    Unreachable,
    appsecret_proof,
)
from conversion_relay.meta.remedies import remedy
from conversion_relay.outbox.verdict import Park
from conversion_relay.settings import Settings
from tests.delivery.standins import NOW, TOKEN, error, taken


class Sealed(msgspec.Struct):
    body: bytes


BATCH = [Sealed(b'{"event_id":"a"}'), Sealed(b'{"event_id":"b"}')]
SAID = Said(status=400, code=100, subcode=33, title="Unsupported post request", fbtrace_id="Atrace")


class Wire:
    """Takes the transport's place; keeps what it was given."""

    def __init__(self, answer: Response | Unreachable) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.deadlines: list[float] = []

    def send(self, request: Request, deadline: float) -> Response | Unreachable:
        self.requests.append(request)
        self.deadlines.append(deadline)
        return self.answer

    def close(self) -> None: ...


def posted(answer=None, *, now=NOW, test_event_code=None, **environ: str):
    settings = Settings.from_env({"META_PIXEL_ID": "42", "META_ACCESS_TOKEN": TOKEN} | environ)
    wire = Wire(answer or taken(["a", "b"]))
    outcome = post(wire, settings, settings.datasets[0], BATCH, 3.5, lambda: now, test_event_code=test_event_code)
    return wire, outcome


def test_the_request_goes_to_the_datasets_events_with_its_token_in_a_header_alone():
    wire, _ = posted()
    (request,) = wire.requests
    assert request.url.endswith("/42/events") and TOKEN not in request.url
    assert request.headers["Authorization"] == f"Bearer {TOKEN}" and TOKEN.encode() not in request.body
    assert json.loads(request.body) == {"data": [{"event_id": "a"}, {"event_id": "b"}]}
    assert wire.deadlines == [3.5]


def test_a_secret_of_the_app_is_proved_and_never_sent_itself():
    wire, _ = posted(META_APP_SECRET="app-canary")
    (request,) = wire.requests
    assert json.loads(request.body)["appsecret_proof"] == appsecret_proof(TOKEN, "app-canary")
    assert b"app-canary" not in request.body and "app-canary" not in f"{request.url}{request.headers}"


@pytest.mark.parametrize(
    ("setting", "argument", "sent"),
    [({}, None, None), ({"META_TEST_EVENT_CODE": "T1"}, None, "T1"), ({"META_TEST_EVENT_CODE": "T1"}, "T2", "T2")],
)
def test_a_test_event_code_of_the_call_goes_before_that_of_the_settings(setting, argument, sent):
    wire, _ = posted(test_event_code=argument, **setting)
    assert json.loads(wire.requests[0].body).get("test_event_code") == sent


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (taken(["a", "b"]), Accepted),
        (taken(["a"]), Ambiguous),
        (error(100, 2804036), Refused),
        (error(4), Throttled),
        (error(190), Unauthorized),
        (error(100, 33), Misconfigured),
        (Response(504, {}, b""), Unreachable),
        (Response(200, {}, b'{"events_rec'), Ambiguous),
    ],
)
def test_an_answer_is_read_with_the_number_of_events_that_were_sent(answer, kind):
    _, outcome = posted(answer)
    assert type(outcome) is kind


@pytest.mark.parametrize("silence", [Unreachable("deadline", sent=True), Unreachable("dns", sent=False)])
def test_a_silence_is_handed_on_as_it_is(silence):
    assert posted(silence)[1] is silence


@pytest.mark.parametrize(("ahead", "seconds"), [(30, 30.0), (90, 90.0)])
def test_a_date_in_retry_after_is_read_by_the_clock_of_the_answer(ahead, seconds):
    from email.utils import formatdate

    headers = {"retry-after": formatdate(NOW + ahead, usegmt=True)}
    _, outcome = posted(Response(429, headers, b""))
    assert isinstance(outcome, Throttled) and outcome.after == seconds


@pytest.mark.parametrize(
    ("outcome", "name", "why"),
    [
        (Accepted(SAID), "accepted", None),
        (Refused(SAID), "refused", None),
        (Throttled(SAID, 60), "throttled", None),
        (Unauthorized(SAID), "unauthorized", None),
        (Misconfigured(SAID), "misconfigured", None),
        (Unreachable("http_502", sent=True, said=SAID), "unreachable", "http_502"),
        (Ambiguous("short_count", SAID), "ambiguous", "short_count"),
    ],
)
def test_the_ledger_keeps_the_outcome_by_name_with_all_that_meta_said(outcome, name, why):
    kept = as_attempt(outcome, NOW)
    assert (kept.at, kept.outcome, kept.why) == (NOW, name, why)
    assert {field: getattr(kept, field) for field in SAID.__struct_fields__} == msgspec.structs.asdict(SAID)


def test_a_silence_is_kept_with_its_reason_alone():
    kept = as_attempt(Unreachable("deadline", sent=True), NOW)
    assert msgspec.to_builtins(kept) == {"at": NOW, "outcome": "unreachable", "why": "deadline"}


@pytest.mark.parametrize(
    ("version", "code", "kind", "of_version"),
    [
        ("v99.0", 2500, Misconfigured, True),
        ("v25.1", 2500, Misconfigured, True),
        ("v27.0", 2635, Misconfigured, True),
        ("v27.0", 2500, Unauthorized, False),
        ("v99.0", 190, Unauthorized, False),
    ],
)
def test_a_version_that_meta_does_not_serve_is_not_called_a_refused_token(version, code, kind, of_version):
    _, outcome = posted(error(code, None), META_GRAPH_VERSION=version)
    assert isinstance(outcome, kind) and getattr(outcome, "of_version", False) is of_version
    verdict = decide(outcome, Facts(attempts=0, failures=1), NOW, 0.5)
    assert isinstance(verdict, Park) and verdict.alert
    told = remedy(verdict.why)
    assert ("META_GRAPH_VERSION" in told.fix) is of_version and ("token" in told.what) is not of_version
