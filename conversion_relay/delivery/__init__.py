"""Sending: from leased events to verdicts.

In comes a lease of the outbox; out go requests to Meta, one after the other, and a verdict for each event, which the
outbox commits. A dataset that is throttled, hangs or has a dead token waits and holds up nobody else; one bad event
never takes its batch with it; silence never kills an event.

Read `turn.py` (the eight steps, and which dataset is next), then `sitting.py` (one lease). The deciding half does no
I/O and reads no clock: `retry.py`, `pace.py`, `isolation.py`, `before_sending.py`. This room does not know where events
came from, nor who is in them: it sees sealed bytes.

These names are loaded when first asked for: a Lambda function has no worker, and one that only accepts sends nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conversion_relay.delivery.report import Report
    from conversion_relay.delivery.turn import Delivery, Turn
    from conversion_relay.delivery.worker import Worker

_HOME = {"Delivery": "turn", "Report": "report", "Turn": "turn", "Worker": "worker"}
__all__ = ["Delivery", "Report", "Turn", "Worker"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'conversion_relay.delivery' has no attribute {name!r}")
    return getattr(import_module(f"conversion_relay.delivery.{_HOME[name]}"), name)
