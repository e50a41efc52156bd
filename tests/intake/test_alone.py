"""An event that comes alone is read in one step, and says what the careful way says."""

import json

from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.intake.alone import read_alone
from conversion_relay.intake.reading import Submitted, read_body, read_event
from tests.intake.test_reading import JSON, LEAD, MEMBERS, texts

ALONE = [
    *(before + LEAD + after for before in (b"", b" ", b"[", b'{"data":[') for after in (b"", b" ", b"]", b"]}")),
    b"\xef\xbb\xbf" + LEAD,
    b'{"event_name":"Lead","event_name":"Contact"}',
    b'{"event_name":"a\xff"}',
]


@given(
    body=st.one_of(
        st.binary(max_size=40),
        st.dictionaries(MEMBERS, JSON, max_size=4).map(lambda found: json.dumps({"event_name": "a", **found}).encode()),
        st.sampled_from(ALONE),
    )
)
def test_an_event_that_comes_alone_is_read_as_by_the_long_way(body):
    if event := read_alone(body):
        submitted = read_body(body)
        assert submitted == Submitted(submitted.events) and texts(submitted.events) == [body]
        assert read_event(submitted.events[0]) == event


def test_an_event_that_is_written_as_it_should_be_is_read_at_once_and_a_large_one_is_looked_at():
    assert read_alone(LEAD) == read_event(LEAD)
    assert read_alone(b'{"event_name":"Lead","custom_data":{"a":[' + b"1," * 40_000 + b"1]}}") is None
