"""Whatever two tables say and whoever sends what: a copy is what its own dataset's door says to the event alone."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion_relay import Event, RequestFacts, Settings, UserData
from conversion_relay.event import Rejection
from conversion_relay.relay import Relay
from conversion_relay.relay.in_test import Collected
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import Secret

NOW = 1_795_435_200.0
POLICIES = st.fixed_dictionaries(
    {
        "silence": st.sampled_from([None, "send", "limited_data_use", "withhold"]),
        "gpc": st.sampled_from([None, "limited_data_use", "withhold", "ignore"]),
        "default_country": st.sampled_from([None, "de", "us"]),
        "public_event_names": st.sampled_from([None, frozenset({"Lead"}), frozenset({"Purchase", "Lead"})]),
        "max_value": st.sampled_from([None, 10.0]),
    }
)
EVENTS = st.builds(
    Event,
    event_name=st.sampled_from(["Lead", "Purchase", "Contact"]),
    event_id=st.sampled_from([None, "a", "order of joe@example.com", "contact_+16505551212_1"]),
    event_time=st.sampled_from([None, NOW - 60, NOW - 0.5, NOW - 9 * 86_400, "1795435100"]),
    user_data=st.builds(UserData, email=st.sampled_from([None, "joe@example.com"]), phone=st.just("030 1234567")),
    consent=st.sampled_from([None, "granted", "denied"]),
    gpc=st.sampled_from([None, True]),
    custom_data=st.sampled_from(
        [None, {"value": 5, "currency": "eur"}, {"value": 50.0, "currency": "EUR"}, {"value": "x"}]
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    policies=st.lists(POLICIES, min_size=2, max_size=3),
    events=st.lists(EVENTS, min_size=1, max_size=3),
    sender=st.sampled_from(["browser", "backend"]),
    agent=st.sampled_from([None, "Mozilla/5.0"]),
)
def test_every_copy_is_what_its_own_door_says(policies, events, sender, agent):
    names = [str(n) for n in range(1, len(policies) + 1)]
    tables = [Dataset(pixel_id=name, access_token=Secret(""), **own) for name, own in zip(names, policies, strict=True)]
    tables[0] = msgspec.structs.replace(tables[0], copies_to=tuple(names[1:]))
    outbox, facts = Collected(), RequestFacts(client_user_agent=agent, url="https://shop.example/")
    relay = Relay(Settings(datasets=tuple(tables)), outbox=outbox, clock=lambda: NOW)
    for event, tracked in zip(events, relay.track_many(events, facts, sender=sender), strict=True):
        told = [
            ("1", tracked.event_id, tracked.state),
            *((one.dataset, one.event_id, one.state) for one in tracked.copies),
        ]
        assert [name for name, _, _ in told] == names
        ids = {event_id for _, event_id, _ in told if event_id}
        assert len(ids) <= 1
        for name, event_id, state in told:
            given_id = event_id if event.event_id is None else event.event_id
            alone = relay.seal(
                msgspec.structs.replace(event, event_id=given_id),
                facts,
                sender=sender,
                dataset=relay.settings.dataset(name),
            )
            if isinstance(alone, Rejection):
                assert (event_id, state) == (None, "withheld" if alone.reason.startswith("consent") else "refused")
            else:
                assert state in ("accepted", "duplicate")
                kept = outbox.sealed[name, alone.event_name, event_id]
                if state == "accepted" and event.event_id is None:
                    assert json.loads(kept.body) == json.loads(alone.body) and kept.consent == alone.consent
