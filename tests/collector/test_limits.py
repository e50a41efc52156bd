"""How many requests browsers may send: by network, with bursts, and with a bound on what is remembered."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.collector.limits import WIDER, DailyBound, TokenBuckets
from conversion_relay.collector.places import MOST_NAMES

VISITOR = "198.51.100.7"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_burst_is_let_in_and_what_follows_comes_at_the_rate(clock):
    buckets = TokenBuckets(rate=2, burst=5, clock=clock)
    assert [buckets.take(VISITOR) for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now += 0.5
    assert [buckets.take(VISITOR) for _ in range(2)] == [True, False]
    clock.now += 1
    assert [buckets.take(VISITOR) for _ in range(3)] == [True, True, False]


def test_who_is_refused_loses_nothing_by_asking(clock):
    buckets = TokenBuckets(rate=1, burst=1, clock=clock)
    buckets.take(VISITOR)
    for _ in range(9):
        clock.now += 0.1
        assert buckets.take(VISITOR) is False
    clock.now += 0.11
    assert buckets.take(VISITOR) is True


def test_silence_saves_up_no_more_than_a_burst(clock):
    buckets = TokenBuckets(rate=100, burst=3, clock=clock)
    buckets.take(VISITOR)
    clock.now += 86_400
    assert [buckets.take(VISITOR) for _ in range(4)] == [True] * 3 + [False]


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
        ("198.51.100.7", "198.51.101.7", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("198.51.100.7", "2001:db8::1", False),
    ],
)
def test_a_network_shares_its_tokens(clock, one, other, is_shared):
    buckets = TokenBuckets(rate=1, burst=1, clock=clock)
    assert buckets.take(one) is True
    assert buckets.take(other) is not is_shared


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_one_line_like_any_other(clock, address):
    buckets = TokenBuckets(rate=1, burst=2, clock=clock)
    assert [buckets.take(address) for _ in range(4)] == [True] * 2 + [False] * 2
    clock.now += 1
    assert sum(buckets.take("127.0.0.1") for _ in range(5)) == 1, "one bucket for all of it"


def test_what_is_no_address_shares_one_bucket(clock):
    buckets = TokenBuckets(rate=1, burst=7, clock=clock)
    rubbish = [None, "", "unknown", "198.51.100.999", "x" * 100_000, "1.2.3.4.5", "::g", "[::1", "010.0.0.1", "٣.1.1.1"]
    assert sum(buckets.take(address) for address in rubbish) == 7


@pytest.mark.parametrize("spelling", ["::ffff:{}", "::FFFF:{}", "0:0:0:0:0:ffff:{}"])
def test_an_ipv4_address_written_as_ipv6_is_that_address_and_no_other(clock, spelling):
    buckets = TokenBuckets(rate=1, burst=1, clock=clock)
    assert buckets.take("198.51.100.7")
    assert not buckets.take(spelling.format("198.51.100.7"))
    assert buckets.take(spelling.format("198.51.100.8"))


def test_events_and_bytes_are_counted_and_taken_all_or_nothing(clock):
    buckets = TokenBuckets(rate=1, burst=100, byte_rate=10, byte_burst=1_000, clock=clock)
    assert buckets.take(VISITOR, 60, 0) and not buckets.take(VISITOR, 60, 0) and buckets.take(VISITOR, 40, 0)
    other = "198.51.100.8"
    assert buckets.take(other, 1, 900) and not buckets.take(other, 1, 200)
    buckets.take(other, 0, -100)
    assert buckets.take(other, 1, 200), "what was not used came back"
    clock.now += 10
    assert buckets.take(other, 1, 100) and not buckets.take(other, 1, 1)


def test_a_flood_from_everywhere_does_not_fill_the_memory_and_the_newest_is_still_limited(clock):
    """The network that was not heard for longest is forgotten first."""
    buckets = TokenBuckets(rate=1, burst=1, clock=clock)
    buckets.take("1.0.0.1")
    first = int(ipaddress.ip_address("2.0.0.0"))
    for n in range(MOST_NAMES):
        buckets.take(str(ipaddress.ip_address(first + 256 * n)))
    assert buckets.take(str(ipaddress.ip_address(first + 256 * n))) is False
    assert buckets.take("1.0.0.1") is True, "forgotten, so it has its burst again"


def test_who_has_a_48_has_not_65536_buckets(clock):
    buckets, day = TokenBuckets(rate=1, burst=3, byte_burst=10, clock=clock), DailyBound(2, clock)
    lines = [f"2001:db8:7:{n:x}::1" for n in range(100)]
    assert sum(buckets.take(line) for line in lines * 3) == 3 * WIDER
    assert sum(day.take(line) for line in lines * 3) == 2 * WIDER
    for neighbour in ("2001:db8:8:1::1", "198.51.100.7"):
        assert buckets.take(neighbour) and day.take(neighbour)


def test_a_line_pays_nothing_for_what_all_of_its_48_may_not(clock):
    buckets = TokenBuckets(rate=0, burst=2, byte_burst=10, clock=clock)
    for n in range(WIDER):
        assert buckets.take(f"2001:db8:7:{n:x}::1", 1, 10)
    mine = "2001:db8:7:ffff::1"
    assert not buckets.take(mine, 1, 5)
    buckets.take("2001:db8:7:0::1", 0, -10)
    assert buckets.take(mine, 1, 10) and not buckets.take(mine, 1, 1)


@given(steps=st.lists(st.floats(0, 5), min_size=1, max_size=60), rate=st.floats(0.1, 10), burst=st.integers(1, 20))
def test_never_more_than_the_burst_and_what_the_rate_gave_since(steps, rate, burst):
    clock = Clock()
    began, let_in = clock.now, 0
    buckets = TokenBuckets(rate=rate, burst=burst, clock=clock)
    for step in steps:
        clock.now += step
        let_in += buckets.take(VISITOR)
    assert let_in <= burst + rate * (clock.now - began) + 1e-6
