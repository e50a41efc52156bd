"""`serve`: collector, dashboard and delivery in one process. `deliver`: delivery alone."""

import contextlib
import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from conversion_relay import __version__
from conversion_relay.cli.printing import print_json
from conversion_relay.cli.reread import Reread
from conversion_relay.cli.said_at_start import (
    say_stranded,
    say_what_can_be_forged_or_guessed,
    say_what_is_missing,
    say_when_not_local,
    say_when_the_version_ends,
)
from conversion_relay.cli.told_to_stop import when_told_to_stop
from conversion_relay.delivery.notify import Notifier
from conversion_relay.delivery.sign_of_life import SignsOfLife
from conversion_relay.delivery.transport import GraphTransport
from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from conversion_relay.errors import OutboxUnavailable, SettingsError, without_variables
from conversion_relay.http_proxy import is_loopback
from conversion_relay.outbox import Leases, Outbox, open_outbox, unsupported
from conversion_relay.relay import Relay
from conversion_relay.relay.threads import SHORT_OF_THREADS, is_short_of_threads
from conversion_relay.settings import Settings
from conversion_relay.settings_watch import SettingsWatch
from conversion_relay.telemetry import Counters, Sentences, configure_logging, logger, tell_supervisor, tell_watchdog

M_ARENA_MAX = -8
THREAD_STACK = 512 * 1024
"""Bytes. A hundred threads of 8 MB each are what a container with little memory refuses first."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="processes")
@click.option("--no-worker", is_flag=True, help="accept only; deliver elsewhere")
def serve(host: str, port: int, workers: int, no_worker: bool) -> None:
    """Accept events over HTTP, show them, deliver them."""
    from conversion_relay.collector import connections, server

    connections.raise_file_limit()
    settings = Settings.from_env()
    refuse_open_dashboard(host, settings)
    # A bad path is said here, once, not by every process.
    open_outbox(settings.outbox, dataset=settings.only_dataset).close()
    os.environ["RELAY_NO_WORKER"] = "1" if no_worker else ""
    with contextlib.ExitStack() as stack:
        shared = tempfile.TemporaryDirectory(prefix="relay-", ignore_cleanup_errors=True) if workers > 1 else None
        os.environ["RELAY_TOGETHER"] = stack.enter_context(shared) if shared else ""
        service, limits = f"{__name__}:create_service", limits_of(settings)

        def bound(at: str) -> None:
            configure_logging(settings.log_format, settings.secrets())
            logger.info("Accepting events", extra={"outbox": settings.outbox.partition(":")[0], "at": at})

        server.run(service, host=host, port=port, workers=workers, factory=True, limits=limits, bound=bound)


@click.command()
@click.option("--once", is_flag=True, help="deliver what is due, tell the sum and exit")
@click.option("--json", "as_json", is_flag=True, help="the sum as JSON (with --once)")
def deliver(once: bool, as_json: bool) -> None:
    """Deliver what the outbox holds.

    With --once exit 1 when something was refused, grew too old, is held or still waits.
    """
    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    spare_memory()
    settings = Settings.from_env()
    configure_logging(settings.log_format, settings.secrets())
    say_when_the_version_ends(settings)
    outbox, transport = open_for_service(settings), GraphTransport()
    if not isinstance(outbox, Leases):
        raise unsupported(outbox, "waiting")
    # A run to the end tells a sum; a sentence for each success would bury it.
    sentences = Sentences(successes=0) if once else Sentences()
    delivery = Delivery(outbox, transport, settings, sentences=sentences)
    signs = SignsOfLife(outbox, delivery.paces, time.time, hear=delivery.hear, version=__version__)
    notifier = Notifier(outbox, settings, time.time)
    watch = SettingsWatch(in_turn(delivery.use, notifier.use, Reread(settings, outbox)), settings)
    # The watchdog first: what cannot record does not hang, and the signs say nothing while it cannot.
    worker = Worker(delivery, outbox, every_second=each(tell_watchdog, watch, signs, notifier))
    try:
        if once:
            raise SystemExit(_drain(worker, outbox, settings, as_json))
        _deliver_until_told(worker)
        signs.stop()
    finally:
        outbox.close()
        transport.close()


def _drain(worker: Worker, outbox: Outbox, settings: Settings, as_json: bool) -> int:
    from conversion_relay.cli.drained import drained, left_something, tell

    started_at = time.time()
    when_told_to_stop(worker.tell_to_stop)
    reports = worker.drain()
    worker.stop()  # it writes the sums that the log still holds back
    facts = drained(reports, outbox, settings, started_at)
    print_json(facts) if as_json else tell(facts)
    return 1 if left_something(facts) else 0


def _deliver_until_told(worker: Worker) -> None:
    told = threading.Event()
    when_told_to_stop(told.set)
    worker.start()
    logger.info("Delivering")
    tell_supervisor("READY=1")
    told.wait()
    tell_supervisor("STOPPING=1")
    worker.stop()


class Service:
    """The collector with its worker, started and stopped by the ASGI server's lifespan."""

    def __init__(self, settings: Settings, *, deliver: bool = True) -> None:
        from conversion_relay.collector.app import create_app, no_paces

        self.counters, self.sentences = Counters(), Sentences()
        self.relay = Relay(settings, outbox=open_for_service(settings))
        self._transport = GraphTransport()
        self._worker: Worker | None = None
        self._signs: SignsOfLife | None = None
        self._stopping = threading.Event()
        outbox, paces = self.relay.outbox, no_paces
        notifier = Notifier(outbox, settings, time.time)
        uses: list[Callable[[Settings], None]] = [self.relay.use, notifier.use]
        if isinstance(outbox, Leases):
            delivery = Delivery(outbox, self._transport, settings, counters=self.counters, sentences=self.sentences)
            does: dict[str, Any] = {"delivers": deliver, "collects": True, "version": __version__}
            hear, paces = delivery.hear if deliver else None, delivery.paces
            self._signs = SignsOfLife(outbox, paces, time.time, hear=hear, **does)
            uses.append(delivery.use)
        self._together, shared = _together(self.counters, outbox)
        self.collector = create_app(self.relay, counters=self.counters, paces=paces, **shared)
        self.whole = self.collector.whole
        uses += [self.collector.use, Reread(settings, outbox)]
        self._every_second = each(SettingsWatch(in_turn(*uses), settings), notifier)
        if self._signs and not deliver:
            self._every_second = each(self._every_second, self._signs)
        if isinstance(outbox, Leases) and self._signs and deliver:
            # Of several processes each has doors and one delivers, so each watches for itself.
            jobs = (self._signs,) if self._together else (self._every_second, self._signs)
            self._worker = Worker(delivery, outbox, every_second=each(*jobs))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self.collector(scope, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            self.start()
        except Exception as error:  # uvicorn passes over it, and events would be accepted that nobody delivers
            said = str(error) if isinstance(error, OutboxUnavailable) else type(error).__name__
            why = SHORT_OF_THREADS if is_short_of_threads(error) else f"The service cannot start: {said}"
            await send({"type": "lifespan.startup.failed", "message": why})
            return
        if self._worker:
            from conversion_relay.collector.server import on_told_to_stop

            on_told_to_stop(self._worker.tell_to_stop)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    def start(self) -> None:
        if self._together:
            self._together.start(self._worker)
        elif self._worker:
            self._worker.start()
        if self._together or self._worker is None:
            threading.Thread(target=self._watch, daemon=True, name="watch").start()

    def _watch(self) -> None:
        """Where nobody delivers in this process, its doors must still hear of new settings, and a person of trouble."""
        while not self._stopping.wait(1.0):
            try:
                self._every_second()
            except OutboxUnavailable:
                continue  # whoever is to record something says so
            except Exception as error:
                without_variables(error)
                logger.exception("What is looked after once a second failed; it goes on")

    def stop(self) -> None:
        """In flight is finished, then the file is let go."""
        self._stopping.set()
        if self._together:
            self._together.tell_to_stop()
        if self._worker:
            self._worker.stop()
        if self._signs:
            self._signs.stop()
        if self._together:
            self._together.stop()
        self.relay.close()
        self._transport.close()


def _together(counters: Counters, outbox: Outbox) -> tuple[Any, dict[str, Any]]:
    """What the processes of `--workers` share; None where there is one alone."""
    if not (folder := os.environ.get("RELAY_TOGETHER")):
        return None, {}
    from conversion_relay.collector.together import Together  # it needs a system that has fcntl

    together = Together(Path(folder), counters)
    outbox.on_put(together.say)
    return together, together.shared()


def in_turn(*uses: Callable[[Settings], None]) -> Callable[[Settings], None]:
    """Everybody who holds settings gets the new ones."""

    def use(settings: Settings) -> None:
        for one in uses:
            one(settings)

    return use


def each(*jobs: Callable[[], None]) -> Callable[[], None]:
    """All of them, one after the other."""

    def run() -> None:
        for job in jobs:
            job()

    return run


def create_service() -> Service:
    """What each server process runs."""
    spare_memory()
    settings = Settings.from_env()
    configure_logging(settings.log_format, settings.secrets())
    say_when_the_version_ends(settings)
    say_what_can_be_forged_or_guessed(settings)
    service = Service(settings, deliver=not os.environ.get("RELAY_NO_WORKER"))
    # What lives as long as the process is not looked through at every collection, each of which stops all requests. And
    # of a thousand events in one request all is in use; to look through them every 700 objects was 3 % of its time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    say_what_is_missing(service.relay.outbox)
    return service


def open_for_service(settings: Settings) -> Outbox:
    """The outbox of a process that runs for long. An alarm for events that nobody will send."""
    outbox = open_outbox(settings.outbox, ballast=settings.ballast, dataset=settings.only_dataset)
    say_stranded(outbox, settings)
    say_when_not_local(settings)
    return outbox


def limits_of(settings: Settings) -> Any:
    """For the connections of a server; imported late, as the other verbs need no server."""
    from conversion_relay.collector.connections import Limits

    return Limits(most_of_one_network=settings.most_connections, trusted_proxies=settings.trusted_proxies)


def spare_memory() -> None:
    """For many threads in a small container. glibc would reserve 64 MB of addresses for each of a dozen threads."""
    threading.stack_size(THREAD_STACK)
    # Another C library has other ways, and Python may have been built where libffi was missing.
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def refuse_open_dashboard(host: str, settings: Settings) -> None:
    """Other machines see the dashboard only with a password."""
    if not is_loopback(host) and not settings.admin_password:
        raise SettingsError(f"--host {host} is open to other machines: set RELAY_ADMIN_PASSWORD first")
