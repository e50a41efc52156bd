"""/readyz and /metrics: how the relay is, for the programs that watch it.

They are asked for every few seconds by whoever runs it, so they need nothing of what pages are made with, and a process
of which nobody looks at a page never loads that (`pages.py`). Prometheus' client is loaded by the first that asks.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from conversion_relay.collector.reply import HttpError, Reply, Written, internal, not_durable, written
from conversion_relay.collector.unhandled import note_failure
from conversion_relay.dashboard.access import Access
from conversion_relay.dashboard.figures import Memory
from conversion_relay.dashboard.refused import refusal_of, shown
from conversion_relay.delivery.installation import known
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.errors import OutboxUnavailable, leaves_no_variables
from conversion_relay.outbox import DeadLetters, Meter, Overview
from conversion_relay.relay import Relay
from conversion_relay.relay.threads import in_thread
from conversion_relay.telemetry import Counters

Scope = Mapping[str, Any]
Monitor = Callable[[Scope], Awaitable[Written]]
_REASONS = {303: "sign_in", 401: "unauthorized", 403: "not_local", 429: "too_many"}


class Monitoring:
    """`routes`: by path, the function that answers a GET. It is given the ASGI scope."""

    def __init__(
        self,
        relay: Relay,
        access: Access,
        paces: Callable[[], dict[str, PaceNow]],
        counters_of_all: Callable[[], Counters],
    ) -> None:
        self._relay, self._access, self._paces, self._counters_of_all = relay, access, paces, counters_of_all
        self._memory = Memory()
        self.routes: dict[str, Monitor] = {"/readyz": self._readyz, "/metrics": self._metrics}

    async def _readyz(self, scope: Scope) -> Written:
        """An event could be made durable now. Meta being away is no reason to refuse events."""
        try:
            await in_thread(self._relay.outbox.probe)
        except OutboxUnavailable as error:
            answer = {"status": "cannot record"}
            if await refusal_of(self._access, scope) is None:
                answer["reason"] = str(error)
            return written(Reply(status=503, answer=answer))
        return written(Reply(status=200, answer={"status": "ready"}))

    async def _metrics(self, scope: Scope) -> Written:
        refused = await refusal_of(self._access, scope)
        if refused is not None:
            told = shown(refused, scope)
            raise HttpError(told.status, _REASONS[told.status], "authorization", told.message, **told.headers)
        text = await in_thread(self._text)
        return Written(200, text.encode(), {"content-type": "text/plain; charset=utf-8"})

    def _text(self) -> str:
        from conversion_relay.collector.metrics import render
        from conversion_relay.collector.operating import last_day, operating

        outbox, now, paces = self._relay.outbox, time.time(), self._paces()
        more = list(operating(known(outbox, self._relay.settings, now), paces, self._relay.settings))
        if isinstance(outbox, Overview):
            more += last_day(self._memory.today(outbox, now), outbox.dead_groups(now), now)
        counts = outbox.counts() if isinstance(outbox, DeadLetters) else {}
        sides = outbox.deduplication() if isinstance(outbox, Meter) else {}
        return render(self._counters_of_all(), counts, paces, sides, now, more)


@leaves_no_variables
async def answered(monitor: Monitor, scope: Scope) -> Written:
    """The answer, also where the outbox is away or the fault is ours."""
    try:
        return await monitor(scope)
    except HttpError as error:
        return written(error)
    except OutboxUnavailable as error:
        return written(not_durable(str(error)))
    except Exception as error:
        note_failure(error)
        return written(internal())
