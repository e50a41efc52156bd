"""The counters and the books in Prometheus' text format."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from conversion_relay import __version__
from conversion_relay.collector.meanings import MEANINGS
from conversion_relay.collector.operating import histograms
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.event import STANDARD_EVENT_NAMES
from conversion_relay.outbox import STATES, Counts, SideCounts
from conversion_relay.telemetry import Counters


def render(
    counters: Counters,
    books: Mapping[str, Counts],
    paces: Mapping[str, PaceNow],
    sides: Mapping[str, Mapping[str, SideCounts]],
    now: float,
    more: Iterable[Metric] = (),
) -> str:
    """`books` and `paces` by dataset, `sides` by dataset and event name; `now` in Unix seconds, for the ages.
    `more`: as `operating.py` makes them."""
    registry = CollectorRegistry()
    registry.register(
        _Reading(
            [
                *_counters(counters),
                *_books(books, now),
                *_paces(paces),
                _sides(sides),
                _build(),
                *histograms(counters),
                *more,
            ]
        )
    )
    return generate_latest(registry).decode()


class _Reading:
    """One moment's figures, in the shape that prometheus_client collects."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _counters(counters: Counters) -> Iterator[Metric]:
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for (name, labels), value in sorted(counters.read().items()):
        names = [label for label, _ in labels]
        if name not in families:
            is_moment = name.endswith("_timestamp_seconds")
            kind = GaugeMetricFamily if is_moment else CounterMetricFamily
            families[name] = kind(name.removesuffix("_total"), MEANINGS.get(name, name), labels=names)
        family = families[name]
        family.add_metric([text for _, text in labels], value)
    yield from families.values()


def _books(books: Mapping[str, Counts], now: float) -> Iterator[Metric]:
    events = GaugeMetricFamily("relay_queue_events", "Events by state", labels=["dataset", "state"])
    accepted = CounterMetricFamily("relay_accepted", "Events made durable", labels=["dataset"])
    imbalance = GaugeMetricFamily("relay_ledger_imbalance", "accepted minus the sum of states: 0", labels=["dataset"])
    age = GaugeMetricFamily("relay_oldest_pending_age_seconds", "Age of the oldest waiting event", labels=["dataset"])
    expiry = GaugeMetricFamily("relay_nearest_expiry_seconds", "Until the next event is too old", labels=["dataset"])
    for dataset, book in books.items():
        for state in STATES:
            events.add_metric([dataset, state], getattr(book, state))
        accepted.add_metric([dataset], book.accepted)
        imbalance.add_metric([dataset], book.imbalance)
        if book.oldest_pending_at is not None:
            age.add_metric([dataset], max(0.0, now - book.oldest_pending_at))
        if book.nearest_expiry_at is not None:
            expiry.add_metric([dataset], book.nearest_expiry_at - now)
    yield from (events, accepted, imbalance, age, expiry)


def _paces(paces: Mapping[str, PaceNow]) -> Iterator[Metric]:
    parked = GaugeMetricFamily("relay_dataset_parked", "1 while nothing is sent for a dataset", labels=["dataset"])
    in_flight = GaugeMetricFamily("relay_calls_in_flight", "Requests to Meta under way", labels=["dataset"])
    limit = GaugeMetricFamily("relay_calls_limit", "As many as the pace allows at once", labels=["dataset"])
    errors = GaugeMetricFamily(
        "relay_error_share", "Of the last 500 requests, refused by Meta; 0 to 1", labels=["dataset"]
    )
    skew = GaugeMetricFamily("relay_clock_skew_seconds", "Our clock ahead of Meta's", labels=["dataset"])
    for dataset, pace in paces.items():
        errors.add_metric([dataset], pace.error_share)
        skew.add_metric([dataset], pace.clock_skew_seconds)
        parked.add_metric([dataset], float(pace.parked_seconds > 0))
        in_flight.add_metric([dataset], pace.in_flight)
        limit.add_metric([dataset], pace.most_in_flight)
    yield from (parked, in_flight, limit, errors, skew)


def _sides(sides: Mapping[str, Mapping[str, SideCounts]]) -> Metric:
    """Of all datasets together; names of somebody's own are one row, so that nobody can make up a thousand."""
    family = GaugeMetricFamily(
        "relay_deduplication_events", "Events by who sent them to Meta", labels=["event", "side"]
    )
    totals: Counter[tuple[str, str]] = Counter()
    for names in sides.values():
        for name, figures in names.items():
            for side, n in msgspec.structs.asdict(figures).items():
                totals[name if name in STANDARD_EVENT_NAMES else "other", side] += n
    for (name, side), n in sorted(totals.items()):
        family.add_metric([name, side], n)
    return family


def _build() -> Metric:
    return GaugeMetricFamily("relay_build_info", f"conversion-relay {__version__}", value=1)
