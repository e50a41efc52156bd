"""Consent: every combination of word, signal and policy, against the sentences of the documents written out."""

from itertools import product

import msgspec
import pytest

from conversion_relay.event import Event, Rejection, UserData
from conversion_relay.intake.accept import WITHHELD, Acceptance, Policy, Submission, accept, consent_decision
from conversion_relay.intake.consent import Decision, decision
from conversion_relay.intake.request_facts import RequestFacts

SEND, LIMIT, WITHHOLD = Decision.SEND, Decision.LIMITED_DATA_USE, Decision.WITHHOLD
STRICT = {SEND: 0, LIMIT: 1, WITHHOLD: 2}
WORDS = (None, "granted", "denied")
GPC = ("limited_data_use", "withhold", "ignore")
SILENCE = ("send", "limited_data_use", "withhold")
ALL = list(product(WORDS, (False, True), GPC, SILENCE))

# (word, gpc, silence) -> decision where RELAY_GPC is limited_data_use, withhold, ignore
TABLE = {
    (None, False, "send"): (SEND, SEND, SEND),
    (None, False, "limited_data_use"): (LIMIT, LIMIT, LIMIT),
    (None, False, "withhold"): (WITHHOLD, WITHHOLD, WITHHOLD),
    (None, True, "send"): (LIMIT, WITHHOLD, SEND),
    (None, True, "limited_data_use"): (LIMIT, WITHHOLD, LIMIT),
    (None, True, "withhold"): (WITHHOLD, WITHHOLD, WITHHOLD),
    ("granted", False, "send"): (SEND, SEND, SEND),
    ("granted", False, "limited_data_use"): (SEND, SEND, SEND),
    ("granted", False, "withhold"): (SEND, SEND, SEND),
    ("granted", True, "send"): (LIMIT, WITHHOLD, SEND),
    ("granted", True, "limited_data_use"): (LIMIT, WITHHOLD, SEND),
    ("granted", True, "withhold"): (LIMIT, WITHHOLD, SEND),
}


@pytest.mark.parametrize(("word", "gpc", "policy", "silence"), ALL)
def test_every_combination_is_decided_as_the_table_says(word, gpc, policy, silence):
    if word == "denied":
        expected = WITHHOLD
    else:
        expected = TABLE[word, gpc, silence][GPC.index(policy)]
    assert decision(word, gpc=gpc, policy=policy, silence=silence) is expected


def test_a_signal_never_makes_it_freer_and_a_yes_never_stricter():
    for word, gpc, policy, silence in ALL:
        decided = STRICT[decision(word, gpc=gpc, policy=policy, silence=silence)]
        assert STRICT[decision(word, gpc=True, policy=policy, silence=silence)] >= decided or gpc
        assert STRICT[decision("denied", gpc=gpc, policy=policy, silence=silence)] >= decided
        if word is None:
            assert STRICT[decision("granted", gpc=gpc, policy=policy, silence=silence)] <= decided


@pytest.mark.parametrize(("said", "before"), list(product(WORDS, (None, "granted"))))
@pytest.mark.parametrize(("header", "member"), list(product((False, True), (None, False, True))))
def test_the_door_asks_the_event_first_then_the_visit_and_hears_the_signal_from_either(said, before, header, member):
    event = Event(event_name="Lead", consent=said, gpc=member)
    facts = RequestFacts(consent=before, gpc=header)
    for policy, silence in product(GPC, SILENCE):
        door = Policy(dataset="1", gpc=policy, silence=silence)
        expected = decision(said or before, gpc=bool(header or member), policy=policy, silence=silence)
        assert consent_decision(event, facts, door) is expected


@pytest.mark.parametrize("word", ["granted", "denied"])
def test_a_member_of_an_event_says_one_of_two_words(word):
    assert msgspec.json.decode(b'{"event_name":"Lead","consent":"%s"}' % word.encode(), type=Event).consent == word
    for other in (b'"yes"', b"true", b'"Granted"', b"1", b"[]"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(b'{"event_name":"Lead","consent":%s}' % other, type=Event)


def answer(word: str | None, gpc: bool, policy: str, silence: str, *, is_known_before: bool) -> Acceptance | Rejection:
    """What the door answers, where the event says it or (all but a "denied") the request and an earlier visit do."""
    earlier = is_known_before and word != "denied"
    facts = RequestFacts(consent=word if earlier else None, gpc=gpc and is_known_before)
    event = Event(
        event_name="Lead",
        user_data=UserData(email="joe@example.com"),
        consent=None if earlier else word,
        gpc=None if is_known_before else gpc,
    )
    door = Policy(dataset="1", gpc=policy, silence=silence)
    return accept(Submission(event=event, sender="browser"), facts, door, now=1.7e9, entropy=bytes(10))


@pytest.mark.parametrize("is_known_before", [False, True])
@pytest.mark.parametrize(("word", "gpc", "policy", "silence"), ALL)
def test_what_leaves_the_door_is_what_was_decided(word, gpc, policy, silence, is_known_before):
    expected = decision(word, gpc=gpc, policy=policy, silence=silence)
    answered = answer(word, gpc, policy, silence, is_known_before=is_known_before)
    if expected is WITHHOLD:
        assert isinstance(answered, Rejection) and answered.reason in WITHHELD
    else:
        assert isinstance(answered, Acceptance)
        options = msgspec.json.decode(answered.event.body).get("data_processing_options")
        assert options == (["LDU"] if expected is LIMIT else None)
        assert answered.event.consent == word, "asked again before sending"


@pytest.mark.parametrize("is_known_before", [False, True])
@pytest.mark.parametrize(("word", "gpc", "policy"), list(product(WORDS, (False, True), GPC)))
def test_only_who_said_nothing_is_answered_that_they_have_not_agreed(word, gpc, policy, is_known_before):
    answered = answer(word, gpc, policy, "withhold", is_known_before=is_known_before)
    if isinstance(answered, Rejection):
        assert (answered.reason == "consent_missing") == (word is None)


@pytest.mark.parametrize("facts", [RequestFacts(gpc=True), RequestFacts()], ids=["header", "page"])
@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((None, None, None), (["LDU"], 0, 0)),
        (([], None, None), (["LDU"], 0, 0)),
        ((["LDU"], 1, 1000), (["LDU"], 1, 1000)),
    ],
)
def test_an_empty_list_of_options_lifts_no_opt_out(facts, options, wanted):
    """Meta's own snippets and the platforms write it everywhere; it is no word about this visitor."""
    names = ("data_processing_options", "data_processing_options_country", "data_processing_options_state")
    person = UserData(email="joe@example.com", client_ip_address="81.2.69.142")
    event = Event(event_name="Lead", user_data=person, gpc=not facts.gpc, **dict(zip(names, options, strict=True)))
    answered = accept(Submission(event=event), facts, Policy(dataset="1"), now=1.7e9, entropy=bytes(10))
    assert isinstance(answered, Acceptance)
    sent = msgspec.json.decode(answered.event.body)
    assert tuple(sent[name] for name in names) == wanted
