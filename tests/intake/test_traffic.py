"""Traffic with long tails, and with something odd in any text of it: the quick ways answer what the careful ones do.

The other properties draw each member apart; here an event is whole, as a site or a customer data platform sends it.
"""

import json
import random
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from bench.traffic import documents
from conversion_relay.event import Event, Rejection
from conversion_relay.intake import accept as door
from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.common_event import as_event, read_common
from conversion_relay.intake.request_facts import NO_FACTS
from conversion_relay.intake.scrub import members
from conversion_relay.meta.customer_information import user_data

NOW = 1_795_435_200.0
ODD = [
    *("\u0301", "ª", "é", "ı", "ß", "×", "÷", "ー", "々", "क", "ा", "٣", "\u200b", "\ud83d", "İ"),
    *("%", "%2", "%25", "%40", "@", "00", "+", " ", "\n", "\t", "(", ")", "[", "]", "{", "}", "&", "&amp;", ";", ":"),
    *("/", "?", "#", ".", "..", "-", "_", "0", "1", "'", '"', "\\", "x", "A", " dot ", "wa.me/", "=", "fbclid="),
    *("utm_term=", "null", "NaN", "us"),
]
COUNTRIES = (None, None, "us", "DE", "jp")


def texts(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the texts of a document stand."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in inner:
        if isinstance(value, dict | list):
            yield from texts(value, (*path, name))
        elif isinstance(value, str):
            yield (*path, name)


def odd(draw: random.Random, raw: bytes) -> bytes:
    """One of its texts, with something odd in it."""
    document = json.loads(raw)
    *above, last = draw.choice(list(texts(document)))
    holder = document
    for step in above:
        holder = holder[step]
    text = holder[last]
    at = draw.randrange(len(text) + 1)
    changed = text[:at] + "".join(draw.choices(ODD, k=draw.choice([1, 1, 2]))) + text[at + draw.choice([0, 0, 1, 3]) :]
    forms = [changed, changed.swapcase(), [changed], [changed, text]] if above == ["user_data"] else [changed]
    holder[last] = draw.choice(forms)
    return json.dumps(document).encode()


def answer(event: Event, policy: Policy) -> object:
    given = accept(Submission(event=event), NO_FACTS, policy, now=NOW, entropy=bytes(10))
    if isinstance(given, Rejection):
        return given
    return json.loads(given.event.body), given.event.expires_at, sorted(given.dropped), sorted(given.removed)


def carefully(event: Event, policy: Policy) -> object:
    with (
        mock.patch.object(door, "at_a_look", return_value=None),
        mock.patch.object(user_data, "common_keys", return_value={}),
        mock.patch.object(user_data, "_quick_digests", return_value=None),
        mock.patch.object(members, "quick_url", return_value=None),
    ):
        return answer(as_event(event), policy)


@pytest.mark.parametrize("shape", ["site", "container"])
def test_an_event_with_something_odd_in_it_is_sealed_as_the_careful_rules_say(shape):
    draw = random.Random(shape)
    for raw in documents(400, seed=draw.randrange(1_000), shape=shape, now=NOW):
        event = read_common(odd(draw, raw))
        if not isinstance(event, Rejection):
            policy = Policy(dataset="1", default_country=draw.choice(COUNTRIES))
            assert answer(event, policy) == carefully(event, policy), raw
