"""What all sittings of a process share."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from conversion_relay.delivery.isolation import Isolation
from conversion_relay.delivery.meta_clock import MetaClock
from conversion_relay.delivery.pace import Paces
from conversion_relay.delivery.transport import Transport
from conversion_relay.outbox.protocol import Leases
from conversion_relay.settings import Settings
from conversion_relay.telemetry import Counters, Sentences


class Context(NamedTuple):
    """What all sittings of a process share. `clock` is the wall's, for deadlines that Meta sets; `steady_clock` is one
    that nobody sets, for pauses. `jitter` gives a number in [0, 1). `stopping` is set when the process is to end."""

    outbox: Leases
    transport: Transport
    settings: Settings
    paces: Paces
    isolation: Isolation
    meta_clock: MetaClock
    counters: Counters
    sentences: Sentences
    clock: Callable[[], float]
    steady_clock: Callable[[], float]
    jitter: Callable[[], float]
    deadline: float
    stopping: threading.Event
