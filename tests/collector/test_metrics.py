"""/metrics: figures that an alarm can rely on, in Prometheus' text format as its own parser reads it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from conversion_relay.collector.metrics import render
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.outbox import STATES, Counts, SideCounts
from conversion_relay.telemetry import Counters

NOW, DATASET = 1_795_435_200.0, "1232612085335834"


def figures(counters=None, books=None, paces=None, sides=None) -> dict[tuple[str, frozenset], float]:
    text = render(counters or Counters(), books or {}, paces or {}, sides or {}, NOW)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "no figure is told twice"
    return found


def of(**labels: str) -> frozenset:
    return frozenset(labels.items())


def test_counters_keep_their_names_and_labels():
    counters = Counters()
    counters.add("relay_events_accepted_total", event="Lead")
    counters.add("relay_events_accepted_total", 2, event="Purchase")
    counters.add("relay_delivery_delivered_total", 40)
    found = figures(counters)
    assert found["relay_events_accepted_total", of(event="Lead")] == 1
    assert found["relay_events_accepted_total", of(event="Purchase")] == 2
    assert found["relay_delivery_delivered_total", of()] == 40


def test_a_label_may_hold_anything():
    counters = Counters()
    counters.add("relay_events_rejected_total", reason='a "quoted"\nreason\\')
    assert figures(counters)["relay_events_rejected_total", of(reason='a "quoted"\nreason\\')] == 1


def test_the_books_of_a_dataset_balance():
    numbers = {state: n for n, state in enumerate(STATES, 1)}
    found = figures(books={DATASET: Counts(accepted=sum(numbers.values()), **numbers)})
    for state, n in numbers.items():
        assert found["relay_queue_events", of(dataset=DATASET, state=state)] == n
    assert found["relay_accepted_total", of(dataset=DATASET)] == sum(numbers.values())
    assert found["relay_ledger_imbalance", of(dataset=DATASET)] == 0


def test_books_that_do_not_balance_say_by_how_much():
    found = figures(books={DATASET: Counts(accepted=7, pending=4)})
    assert found["relay_ledger_imbalance", of(dataset=DATASET)] == 3


@pytest.mark.parametrize(("since", "age"), [(NOW - 90, 90), (NOW, 0), (NOW + 5, 0)])
def test_the_age_of_the_oldest_is_never_negative(since, age):
    found = figures(books={DATASET: Counts(oldest_pending_at=since)})
    assert found["relay_oldest_pending_age_seconds", of(dataset=DATASET)] == age


def test_what_does_not_wait_has_no_age():
    names = {name for name, _ in figures(books={DATASET: Counts()})}
    assert "relay_oldest_pending_age_seconds" not in names and "relay_nearest_expiry_seconds" not in names


def test_an_expiry_that_has_passed_is_negative():
    found = figures(books={DATASET: Counts(nearest_expiry_at=NOW - 60)})
    assert found["relay_nearest_expiry_seconds", of(dataset=DATASET)] == -60


@pytest.mark.parametrize(("seconds", "parked"), [(0.0, 0), (0.5, 1), (900.0, 1)])
def test_a_parked_dataset_is_a_one(seconds, parked):
    found = figures(paces={DATASET: pace(parked_seconds=seconds)})
    assert found["relay_dataset_parked", of(dataset=DATASET)] == parked


def pace(**more) -> PaceNow:
    return PaceNow(**{name: more.get(name, 0) for name in PaceNow.__struct_fields__})


def test_calls_in_flight_and_their_limit():
    found = figures(paces={DATASET: pace(in_flight=3, most_in_flight=8)})
    assert found["relay_calls_in_flight", of(dataset=DATASET)] == 3
    assert found["relay_calls_limit", of(dataset=DATASET)] == 8


def test_names_of_somebodys_own_are_one_row_over_all_datasets():
    """Whoever may send could else make up a thousand rows."""
    sides = {
        "1": {"Lead": SideCounts(both=1), "Own one": SideCounts(browser_only=2), "Own two": SideCounts(browser_only=3)},
        "2": {"Lead": SideCounts(both=10, server_only=5)},
    }
    found = figures(sides=sides)
    assert found["relay_deduplication_events", of(event="Lead", side="both")] == 11
    assert found["relay_deduplication_events", of(event="Lead", side="server_only")] == 5
    assert found["relay_deduplication_events", of(event="other", side="browser_only")] == 5
    assert not [labels for _, labels in found if "Own" in str(labels)]


def test_nothing_to_tell_is_told_too():
    assert ("relay_build_info", of()) in figures()


def test_the_moment_of_a_last_use_is_a_gauge_that_never_goes_back():
    counters = Counters()
    for moment in (NOW, NOW - 60):
        counters.latest(("relay_api_key_used_timestamp_seconds", (("dataset", DATASET), ("key", "1"))), moment)
    assert figures(counters)["relay_api_key_used_timestamp_seconds", of(dataset=DATASET, key="1")] == NOW
