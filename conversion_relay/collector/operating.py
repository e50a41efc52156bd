"""Metrics for whoever operates: who delivers, what state each dataset is in, the disk, the last day by event name."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from conversion_relay.collector.meanings import MEANINGS
from conversion_relay.dashboard.figures import percentile
from conversion_relay.delivery.attention import Known, at_work_now, is_delivered, needs
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.delivery.sign_of_life import alive, at_work
from conversion_relay.event import STANDARD_EVENT_NAMES
from conversion_relay.outbox import DeadGroup, Figures, file_of
from conversion_relay.settings import Settings
from conversion_relay.telemetry import BUCKETS, Counters


def operating(known: Known, paces: Mapping[str, PaceNow], settings: Settings) -> Iterator[Metric]:
    states = at_work_now(known) | at_work(paces, known.now)
    token = GaugeMetricFamily("relay_token_ok", "0 while Meta refuses the access token", labels=["dataset"])
    for name in sorted({*states, *known.configured} - {"0"}):
        token.add_metric([name], float(name not in states or states[name].why != "unauthorized"))
    yield token
    if is_delivered(known) is not None:
        count = len(alive(known.signs or (), known.now))
        yield GaugeMetricFamily("relay_workers", "Processes that deliver", value=count)
    needed = GaugeMetricFamily("relay_needs", "What needs a person now, by cause", labels=["cause", "urgent"])
    kinds = Counter((need.cause.partition(":")[0], "yes" if need.urgent else "no") for need in needs(known))
    for kind, n in sorted(kinds.items()):
        needed.add_metric(list(kind), n)
    yield needed
    yield from _disk(known, settings)


def _disk(known: Known, settings: Settings) -> Iterator[Metric]:
    path = file_of(settings.outbox)
    if known.free_bytes is None or path is None:
        return
    yield GaugeMetricFamily("relay_disk_free_bytes", "Of the disk under the outbox", value=known.free_bytes)
    for name, file in (("relay_db_bytes", path), ("relay_wal_bytes", path.with_name(path.name + "-wal"))):
        yield GaugeMetricFamily(name, f"Size of {'the log' if 'wal' in name else 'the outbox'}", value=_size(file))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def last_day(figures: list[Figures], letters: list[DeadGroup], now: float) -> Iterator[Metric]:
    """Of standard event names; the rest is one row, so that nobody can make up a thousand."""
    delivered = GaugeMetricFamily("relay_events_delivered_24h", "Delivered in the last 24 hours", labels=["event"])
    delay = GaugeMetricFamily(
        "relay_delivery_delay_seconds", "From accepted to delivered, of 24 hours", labels=["event", "quantile"]
    )
    delays: dict[str, dict[int, int]] = {}
    for hour in figures:
        steps = delays.setdefault(hour.event_name if hour.event_name in STANDARD_EVENT_NAMES else "other", {})
        for most, n in hour.delays.items():
            steps[most] = steps.get(most, 0) + n
    for name, steps in sorted(delays.items()):
        delivered.add_metric([name], sum(steps.values()))
        for share in (0.5, 0.95):
            if (seconds := percentile(steps, share)) is not None:
                delay.add_metric([name, str(share)], seconds)
    yield from (delivered, delay)
    left = [group.nearest_expiry_at - now for group in letters if group.nearest_expiry_at is not None]
    if left:
        yield GaugeMetricFamily(
            "relay_dead_nearest_expiry_seconds",
            "Until the next dead letter cannot be replayed any more",
            value=min(left),
        )


def histograms(counters: Counters) -> Iterator[Metric]:
    families: dict[str, HistogramMetricFamily] = {}
    for (name, labels), (counts, total) in sorted(counters.read_times().items()):
        names = [label for label, _ in labels]
        family = families.setdefault(name, HistogramMetricFamily(name, MEANINGS.get(name, name), labels=names))
        seen, buckets = 0, []
        for most, n in zip([*map(str, BUCKETS), "+Inf"], counts, strict=True):
            seen += n
            buckets.append((most, float(seen)))
        family.add_metric([text for _, text in labels], buckets, sum_value=total)
    yield from families.values()
