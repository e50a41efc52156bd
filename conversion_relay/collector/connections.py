"""Who may stay connected, and until when: one deadline for every stage of every connection, and caps on their number.

What could go wrong. A connection costs its client a packet an hour and costs us a descriptor and some memory. A client
that sends half a head, half a body, or never reads its answer holds it for ever; some hundreds of those, and nobody
else gets in.

The rule. A stage (head, body, answer, the end) has GRACE seconds, and a second more for every LEAST_RATE bytes that
moved: a slow line is served, a client that drips is not. One sweep a second looks at every connection, so that a
request sets no timer. When there is no room, room is made: the newest connection that waits for its client is
closed, first among those between requests, then among those whose body is still coming. Newest, because a flood is
newer than the proxies and backends that were here before it. A request that is being answered is never given up.

Rejected. A timer for each stage: two calls of the event loop for every request. Refusing the newcomer: then the flood
stays and the customer is turned away.
"""

import asyncio
import contextlib
import logging
import resource
from collections import Counter
from typing import Protocol
from weakref import WeakKeyDictionary

import msgspec

from conversion_relay.collector.limits import network_of
from conversion_relay.errors import SettingsError
from conversion_relay.intake.request_facts import Network, is_trusted

logger = logging.getLogger("conversion_relay.server")

GRACE = 10.0
"""Seconds in which a stage may move nothing."""
LEAST_RATE = 8_192
"""Bytes a second, on the average since the stage began."""
PROXY_SECONDS = 630.0
"""Between two requests of a trusted proxy. Longer than proxies keep a connection (ALB 60 s, Traefik 90 s, Caddy 120 s,
Google 600 s): on one that we close at that very moment they send a request, and answer 502."""
MOST_CONNECTIONS = 10_000
SAID_EVERY = 60.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`most_of_one_network`: connections of one IPv4 address or IPv6 /64; a trusted proxy has no such limit."""

    most_of_one_network: int = 512
    trusted_proxies: tuple[Network, ...] = ()


class Deadline:
    """Of one stage. `moved`: bytes since it began."""

    __slots__ = ("moved", "since")

    def __init__(self, now: float) -> None:
        self.since, self.moved = now, 0

    def begin(self, now: float) -> None:
        self.since, self.moved = now, 0

    def is_over(self, now: float) -> bool:
        """
        >>> drip = Deadline(0.0); drip.moved = 20
        >>> drip.is_over(9.0), drip.is_over(11.0)
        (False, True)
        """
        return now - self.since > GRACE + self.moved / LEAST_RATE


class Connection(Protocol):
    """What is asked of a connection here."""

    network: str | None

    def sweep(self, now: float) -> None: ...
    def evict(self) -> None: ...


class Group:
    """Connections by what they wait for, oldest first: those of one network, or all. `n`: with those that wait for
    nothing of their client's."""

    def __init__(self) -> None:
        self.n = 0
        self.between: dict[Connection, None] = {}
        self.uploading: dict[Connection, None] = {}

    def newest_that_waits(self) -> Connection | None:
        for waiting in (self.between, self.uploading):
            if waiting:
                return next(reversed(waiting))
        return None


class Connections:
    """All connections of one server process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, most: int) -> None:
        self._loop, self._limits, self._most = loop, limits, most
        self._everyone = Group()
        self._networks: dict[str, Group] = {}
        self._open: dict[Connection, tuple[Group, ...]] = {}
        """With the groups that it is in."""
        self._turned_away: Counter[str] = Counter()
        self._said_at = self.now = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, connection: Connection, address: str | None) -> bool:
        """False: there is no room, not even when those that wait are sent away."""
        self.now = self._loop.time()
        connection.network = None if is_trusted(address, self._limits.trusted_proxies) else network_of(address)
        network = self._networks.get(connection.network) if connection.network else None
        if network and network.n >= self._limits.most_of_one_network and not self._make_room(network):
            return False
        if self._everyone.n >= self._most and not self._make_room(self._everyone):
            return False
        groups: tuple[Group, ...] = (self._everyone,)
        if connection.network is not None:
            groups += (self._networks.setdefault(connection.network, Group()),)
        self._open[connection] = groups
        for group in groups:
            group.n += 1
            group.between[connection] = None
        if self._timer is None:
            self._timer = self._loop.call_later(1.0, self._sweep)
        return True

    def waits(self, connection: Connection) -> None:
        """For the next request."""
        for group in self._open.get(connection, ()):
            group.uploading.pop(connection, None)
            group.between[connection] = None

    def uploads(self, connection: Connection) -> None:
        for group in self._open.get(connection, ()):
            group.uploading[connection] = None

    def works(self, connection: Connection) -> None:
        """We owe it an answer, and have all that we need for it."""
        for group in self._open.get(connection, ()):
            group.between.pop(connection, None)
            group.uploading.pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """May be called twice."""
        if connection not in self._open:
            return
        self.works(connection)
        for group in self._open.pop(connection):
            group.n -= 1
        if connection.network is not None and self._networks[connection.network].n == 0:
            del self._networks[connection.network]

    def note(self, why: str) -> None:
        """A request or a connection was refused before any route saw it; said once a minute, with counts."""
        self._turned_away[why] += 1

    def _make_room(self, group: Group) -> bool:
        newest = group.newest_that_waits()
        if newest is None:
            self.note("no room")
            return False
        self.note("made room")
        self.leave(newest)
        newest.evict()
        return True

    def _sweep(self) -> None:
        self.now = self._loop.time()
        for connection in list(self._open):
            connection.sweep(self.now)
        if self._turned_away and self.now - self._said_at > SAID_EVERY:
            self._said_at = self.now
            logger.warning("Turned away before any route", extra={"counts": dict(self._turned_away)})
            self._turned_away.clear()
        self._timer = self._loop.call_later(1.0, self._sweep) if self._open else None


def connections_of(server: object, loop: asyncio.AbstractEventLoop, limits: Limits) -> Connections:
    """One for each server; `server` is its state, shared by its protocols."""
    found = _connections.get(server)
    if found is None:
        found = _connections[server] = Connections(loop, limits, most_connections())
    return found


LEAST_FILES = 64
DARWIN_STEPS = (65_536, 10_240)
"""The second is OPEN_MAX, which setrlimit(2) of macOS promises to take."""
_MORE_FILES = "raise its hard limit (`ulimit -n`, LimitNOFILE= of its unit)"


def raise_file_limit() -> None:
    """The soft limit (often 1,024) is for programs that use select(2); the hard one is what this process may have.
    Raises SettingsError where that is too little: the event loop would end with errors of its own, or abort."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(hard, 1_048_576) if hard != resource.RLIM_INFINITY else 1_048_576
    if most < LEAST_FILES:
        raise SettingsError(f"a server opens {LEAST_FILES} files, and this process may open {most}: {_MORE_FILES}")
    for wanted in (most, *(step for step in DARWIN_STEPS if soft < step < most)):
        with contextlib.suppress(ValueError):  # macOS calls its hard limit endless, and refuses more than some
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return


def most_connections() -> int:
    """As many as leave descriptors for the outbox, Meta and what else the process opens."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(8, min(MOST_CONNECTIONS, soft - min(256, soft // 2)))


_connections: WeakKeyDictionary[object, Connections] = WeakKeyDictionary()
