"""How much one dataset's callers may send."""

import pytest

from conversion_relay.collector.dataset_limits import OVER_LIMIT, DatasetLimits
from conversion_relay.collector.reply import HttpError
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import Secret


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_392_000.0  # a midnight of UTC

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(clock):
    return DatasetLimits(clock, clock)


def dataset(name: str = "1", **limits: int) -> Dataset:
    return Dataset(pixel_id=name, access_token=Secret(""), **limits)


def wait(limits: DatasetLimits, of: Dataset, n: int = 1) -> int:
    """Seconds that a request has to wait; 0 when it was let in."""
    try:
        limits.admit(of, n)
    except HttpError as error:
        return int(error.headers["retry-after"]) if (error.status, error.body.reason) == (429, "over_limit") else -1
    return 0


def test_without_limits_everything_is_let_in(limits):
    assert [wait(limits, dataset(), 1_000) for _ in range(1_000)] == [0] * 1_000


def test_a_large_request_passes_and_its_debt_is_paid_before_the_next(limits, clock):
    of = dataset(most_per_second=10)
    assert wait(limits, of, 100) == 0
    seconds = wait(limits, of)
    clock.now += seconds - 1
    assert seconds == 10 and wait(limits, of) > 0
    clock.now += 1
    assert wait(limits, of) == 0


def test_on_average_no_more_than_the_rate_comes_in(limits, clock):
    of, n = dataset(most_per_second=7), 0
    for step in range(2_000):
        clock.now += 0.05
        n += wait(limits, of, size) == 0 and size if (size := 1 + step % 5) else 0
    assert n <= 7 * 100 + 7 + 5


def test_a_day_begins_anew_at_midnight_utc(limits, clock):
    of = dataset(most_per_day=2)
    clock.now += 86_400 - 60
    assert [wait(limits, of) for _ in range(3)] == [0, 0, 60]
    clock.now += 60
    assert wait(limits, of) == 0


def test_datasets_do_not_share_a_limit_and_a_copy_asks_for_its_own(limits):
    one, other = dataset("1", most_per_day=1), dataset("2", most_per_day=1)
    assert wait(limits, one) == 0 and limits.refusal(one) is OVER_LIMIT
    assert limits.refusal(other) is None and wait(limits, other) > 0


def test_a_request_of_no_event_costs_nothing_and_is_let_in(limits):
    of = dataset(most_per_day=1)
    assert [wait(limits, of, 0) for _ in range(3)] == [0, 0, 0] and wait(limits, of) == 0
