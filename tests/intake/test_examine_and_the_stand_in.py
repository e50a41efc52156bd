"""`validate` on a document as it stands is never kinder than the stand-in, also where the door mends it (ADR 6).

Two things are the relay's own and no mistake of a sender's: that match keys come in clear and under readable names, and
the members that are for the relay alone. `as_sent` writes them as a sender would who does without the relay.
"""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.emulator.rules import judge
from conversion_relay.event import Rejection
from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.examine import examine
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.meta.customer_information import HASHED_KEYS, READABLE_NAMES
from tests.emulator.refused import GOOD, NOW, REFUSED, TAKEN
from tests.intake.test_examine import CUSTOM, DOCUMENTS, JUNK, KEYS

POLICY = Policy(dataset="1")


def errors(document: dict) -> list:
    return [finding for finding in examine(document, POLICY, NOW) if finding.severity == "error"]


def as_sent(document: dict) -> dict:
    sent = {name: value for name, value in document.items() if name not in ("consent", "gpc", "pixel")}
    if isinstance(person := sent.get("user_data"), dict):
        named = {READABLE_NAMES.get(name, name): value for name, value in person.items()}
        sent["user_data"] = {name: hashed(value) if name in HASHED_KEYS else value for name, value in named.items()}
    return sent


def hashed(value: object) -> object:
    if isinstance(value, list):
        return [hashed(one) for one in value]
    if value in (None, "", {}) or (isinstance(value, str) and len(value) >= 64):
        return value
    return hashlib.sha256(str(value).encode()).hexdigest()


# Whether a match key is hashed is not asked of a document: the relay hashes it.
IN_CLEAR = [case for case in REFUSED if case.subcode == 2804016 and case.recorded]
ASKED = [
    case
    for case in REFUSED
    if (case.subcode != 2804016 or "empty" in case.what) and case.what != "an unknown name in user_data"
]


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.what)
def test_what_meta_would_refuse_is_an_error_with_its_field_and_a_remedy(case):
    told = errors(GOOD | case.more)
    assert told and all(finding.fix for finding in told)
    assert case.path in {finding.path for finding in told} or "..." in case.path


@pytest.mark.parametrize("case", IN_CLEAR, ids=lambda case: case.what)
def test_a_match_key_in_clear_is_hashed_and_no_error(case):
    assert errors(GOOD | case.more) == []


@pytest.mark.parametrize("more", TAKEN.values(), ids=TAKEN.keys())
def test_what_meta_takes_is_no_error(more):
    if "whatsapp_business_account_id" not in more.get("user_data", {}):
        assert errors(GOOD | more) == []


def one_member(documents: st.SearchStrategy) -> st.SearchStrategy:
    """A good event with one member that may be anything, so that a kindness is not hidden by another mistake."""
    return documents.flatmap(
        lambda document: st.sampled_from([*document.items()] or [("event_id", "e1")]).map(lambda item: dict([item]))
    )


BASES = st.sampled_from([GOOD, *(GOOD | more for more in TAKEN.values())])
ONE_WRONG = st.builds(lambda base, more: base | more, BASES, one_member(DOCUMENTS))
ONE_KEY = st.builds(lambda more: GOOD | {"user_data": GOOD["user_data"] | more}, one_member(KEYS))
ONE_PROPERTY = st.builds(lambda more: GOOD | {"custom_data": more}, one_member(CUSTOM))
ITEM = st.dictionaries(
    st.sampled_from(["id", "quantity", "title", "item_name", "sku"]), st.just("a") | JUNK, max_size=3
)
ONE_ITEM = st.builds(lambda item: GOOD | {"custom_data": {"contents": [{"id": "a", "quantity": 1}, item]}}, ITEM | JUNK)


@given(document=ONE_WRONG | ONE_KEY | ONE_PROPERTY | ONE_ITEM)
def test_no_document_without_an_error_is_refused_raw_or_sealed(document):
    if errors(document):
        return
    assert judge([as_sent(document)], NOW) is None
    event = read_event(json.dumps(document).encode())
    if isinstance(event, Rejection):
        pytest.fail(f"{event.field}: refused at the door, and no error was told")
    answer = accept(Submission(event=event), RequestFacts(), POLICY, now=NOW, entropy=bytes(10))
    assert not isinstance(answer, Rejection), answer
    assert judge([json.loads(answer.event.body)], NOW) is None


@given(document=ONE_WRONG | ONE_KEY | ONE_PROPERTY | ONE_ITEM)
def test_what_the_door_lets_in_meta_lets_in(document):
    event = read_event(json.dumps(document).encode())
    if isinstance(event, Rejection):
        return
    answer = accept(Submission(event=event), RequestFacts(), POLICY, now=NOW, entropy=bytes(10))
    if not isinstance(answer, Rejection):
        assert judge([json.loads(answer.event.body)], NOW) is None


@pytest.mark.parametrize("worth", [0, 0.0, "0.00", -1, "-3.5"])
def test_a_worth_of_nothing_is_left_out_and_does_not_cost_the_event(worth):
    """Meta's own samples of Subscribe and StartTrial send predicted_ltv "0.00"."""
    document = GOOD | {
        "event_name": "Subscribe",
        "custom_data": {"value": 5, "currency": "EUR", "predicted_ltv": worth},
    }
    event = read_event(json.dumps(document).encode())
    assert not isinstance(event, Rejection)
    answer = accept(Submission(event=event), RequestFacts(), POLICY, now=NOW, entropy=bytes(10))
    assert not isinstance(answer, Rejection), answer
    assert json.loads(answer.event.body)["custom_data"] == {"value": 5, "currency": "EUR"}
    assert [finding.path for finding in errors(document)] == ["custom_data.predicted_ltv"]
