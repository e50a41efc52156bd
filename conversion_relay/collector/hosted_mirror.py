"""Meta's own hosted Conversions API, noticed: a page's script reports it as `"hosted_mirror": true` beside `data`.

It mirrors the pixel on Meta's servers, so Meta gets a third copy of each event: one that no consent known here stops.
The operator can switch it off, but has to know of it first. Anybody can write such a report: it is counted and said,
and changes nothing else.
"""

import time
from collections.abc import Callable

from conversion_relay.telemetry import Counters, logger

DAY = 86_400
FOUND = (
    "Meta's hosted Conversions API mirrors this pixel, too: a third copy of each event, which consent here does not"
    " stop. Switch it off in Events Manager, or take optinMetaEnabledCapi out of the page"
)


class HostedMirror:
    """Of one process: counts every report, says it once a day for each dataset."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        self._counters, self._clock = counters, clock
        self._said: dict[str, int] = {}

    def reported(self, dataset: str) -> None:
        self._counters.add("relay_hosted_mirror_reports_total", dataset=dataset)
        day = int(self._clock() // DAY)
        if self._said.get(dataset) != day:
            self._said[dataset] = day
            logger.warning(FOUND, extra={"dataset": dataset})
