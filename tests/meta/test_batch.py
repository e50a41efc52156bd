"""How events are packed for one request."""

from collections import namedtuple

import pytest

from conversion_relay.meta.batch import halve, pack

Sealed = namedtuple("Sealed", "body")


@pytest.mark.parametrize(
    ("events", "sizes"), [(0, []), (1, [1]), (1000, [1000]), (1001, [1000, 1]), (2500, [1000, 1000, 500])]
)
def test_at_most_a_thousand_events_in_a_request(events, sizes):
    assert [len(batch) for batch in pack([Sealed(b"{}")] * events)] == sizes


def test_at_most_so_many_bytes_and_an_oversized_event_stands_alone():
    events = [Sealed(b"x" * 400_000)] * 3 + [Sealed(b"x" * 2_000_000)] + [Sealed(b"{}")]
    batches = pack(events, most_bytes=1_048_576)
    assert [len(batch) for batch in batches] == [2, 1, 1, 1]


@pytest.mark.parametrize("n", [2, 3, 1000, 999])
def test_halves_are_the_whole_in_order(n):
    first, second = halve(list(range(n)))
    assert first + second == list(range(n)) and 0 <= len(first) - len(second) <= 1
