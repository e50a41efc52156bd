"""Only what is known to be about an event can end it: every combination of a status, a code and a subcode, and bytes
that are no answer at all."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion_relay.delivery.retry import Facts, decide
from conversion_relay.meta.graph import PAYLOAD_SUBCODES, Misconfigured, Refused, Throttled, read_response
from conversion_relay.outbox.verdict import Dead, Delivered, Park, RetryAt

NOW = 1_700_000_000.0
STATUSES = [200, 201, 204, 301, 400, 401, 403, 404, 408, 412, 413, 418, 422, 429, 451, 500, 501, 502, 503, 504, 999]
CODES = [None, -1, 0, 1, 2, 3, 4, 5, 10, 12, 17, 33, 99, 100, 101, 102, 105, 190, 200, 294, 341, 368, 506, 613, 803]
CODES += [
    1_815_356,
    2_500,
    5_000,
    21_009,
    80_004,
    2_804_003,
    2**31,
    10**400,
    "100",
    100.0,
    True,
    [100],
    {"a": 1},
    "190",
]
SUBCODES = [
    None,
    0,
    33,
    463,
    2_446_079,
    2_804_019,
    2_804_036,
    2_804_118,
    2_804_132,
    2_804_999,
    "2804003",
    2804003.0,
    True,
]
EVERY = list(itertools.product(STATUSES, CODES, SUBCODES))
FACTS = Facts(attempts=1_000, failures=1_000)


def answered(status, code, subcode, **more) -> object:
    body = {"error": {"message": "Invalid parameter", "type": "OAuthException", "code": code, "error_subcode": subcode}}
    body["error"] |= more
    return decide(read_response(status, {}, msgspec.json.encode(body), 1, NOW), FACTS, NOW, 0.5)


def is_listed(status, code, subcode) -> bool:
    """As Meta's own pages and recorded answers have it."""
    is_code = type(code) is int and code == 100
    return status == 400 and is_code and (subcode is None or (type(subcode) is int and subcode in PAYLOAD_SUBCODES))


def test_there_are_combinations_enough():
    assert len(EVERY) > 2_000 and sum(is_listed(*each) for each in EVERY) == 3


def test_an_event_is_dead_for_listed_payload_errors_alone():
    for each in EVERY:
        verdict = answered(*each)
        assert isinstance(verdict, Dead) == is_listed(*each), each
        assert isinstance(verdict, Dead | Park | RetryAt), each


@pytest.mark.parametrize("subcode", sorted(PAYLOAD_SUBCODES))
def test_each_listed_subcode_is_about_the_event(subcode):
    assert answered(400, 100, subcode) == Dead(f"meta_100_{subcode}")
    assert not isinstance(answered(400, 100, subcode, is_transient=True), Dead), "Meta says that it was Meta"


@pytest.mark.parametrize(
    "message",
    [
        "API calls from the server require an appsecret_proof argument",
        "Invalid appsecret_proof provided in the API argument",
    ],
)
@pytest.mark.parametrize("kind", ["GraphMethodException", "OAuthException", None])
def test_a_proof_that_is_missing_or_wrong_is_the_configuration(message, kind):
    error = {"error": {"message": message, "type": kind, "code": 100}}
    assert isinstance(read_response(400, {}, msgspec.json.encode(error), 1, NOW), Misconfigured)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
MEMBERS = ["code", "error_subcode", "message", "type", "is_transient", "error_data", "error_user_msg", "fbtrace_id"]
ERRORS = st.dictionaries(st.sampled_from(MEMBERS), JSON | st.sampled_from(CODES[:-6] + SUBCODES), max_size=8)
BODIES = (
    st.binary(max_size=300)
    | JSON.map(msgspec.json.encode)
    | ERRORS.map(lambda error: msgspec.json.encode({"error": error}))
    | st.builds(lambda n: msgspec.json.encode({"events_received": n}), JSON)
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "x-app-usage", "x-business-use-case-usage", "x-ad-account-usage"]),
    st.text(max_size=60) | JSON.map(lambda value: msgspec.json.encode(value).decode()) | st.just("9" * 400),
)


@settings(max_examples=1_000, deadline=None)
@given(st.integers(-1, 1_200) | st.sampled_from(STATUSES), HEADERS, BODIES, st.integers(1, 1_000))
def test_whatever_a_server_says_is_an_outcome_and_kills_nothing_that_it_does_not_name(status, headers, body, sent):
    outcome = read_response(status, headers, body, sent, NOW)
    verdict = decide(outcome, FACTS, NOW, 0.5)
    if isinstance(verdict, Dead):
        assert isinstance(outcome, Refused) and is_listed(status, outcome.said.code, outcome.said.subcode)
    if isinstance(verdict, Delivered):
        assert 200 <= status < 300 and b"events_received" in body
    if isinstance(outcome, Throttled):
        assert 0 < outcome.after <= 900
    if isinstance(verdict, Park):
        assert NOW <= verdict.until <= NOW + 1_800
