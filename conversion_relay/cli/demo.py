"""`demo`: a course site, the collector, delivery, the dashboard and Meta's stand-in, all on this machine.

No account, no environment variable, nothing left behind; settings that are set are honoured.
"""

import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import click

from conversion_relay.cli.serve import Service, refuse_open_dashboard
from conversion_relay.settings import Settings
from conversion_relay.telemetry import configure_logging

PIXEL_ID = "1232612085335834"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(1, 65534),
    help="the emulator takes the next one",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="keep registrations, mails and outbox here",
)
def demo(host: str, port: int, data: Path | None) -> None:
    """Everything at once, on this machine."""
    from conversion_relay.collector.server import run

    for taken in (port, port + 1):
        _refuse_taken(host, taken)
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conversion-relay-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        _fill_in(os.environ, host, port, folder)
        settings = Settings.from_env()
        refuse_open_dashboard(host, settings)
        configure_logging(settings.log_format, settings.secrets())
        stack.enter_context(_emulator(host, port + 1))
        _greet(host, port, settings, folder, kept=data is not None)
        run(_Demo(settings, folder, f"http://{host}:{port + 1}"), host=host, port=port)


class _Demo:
    """Collector paths to the collector, everything else to the course site."""

    def __init__(self, settings: Settings, folder: Path, emulator_url: str) -> None:
        from conversion_relay.collector.app import PATHS
        from conversion_relay.course_site.app import create_app
        from conversion_relay.course_site.mail import FileMail
        from conversion_relay.course_site.registrations import SqliteRegistrations
        from conversion_relay.course_site.shop import Shop
        from conversion_relay.course_site.site import CourseSite

        self._service, self._collector_paths = Service(settings), PATHS
        webhook_secrets = [secret.reveal() for secret in settings.webhook_secrets["stripe"]]
        shop = Shop(
            self._service.relay,
            SqliteRegistrations(folder / "course-site" / "registrations.db"),
            FileMail(folder / "course-site" / "mail"),
            stripe_secrets=webhook_secrets,
        )
        self._site = create_app(
            CourseSite(shop),
            pixel_id=settings.datasets[0].pixel_id,
            emulator_url=emulator_url,
            webhook_secret=webhook_secrets[0],
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        ours = any(path == known or path.startswith(f"{known}/") for known in self._collector_paths)
        if scope["type"] == "lifespan" or ours:
            await self._service(scope, receive, send)
        else:
            await self._site(scope, receive, send)


def _fill_in(environ: MutableMapping[str, str], host: str, port: int, folder: Path) -> None:
    """What a real installation sets, for what is not set here."""
    names = {host, "127.0.0.1", "localhost"}
    defaults = {
        "META_PIXEL_ID": PIXEL_ID,
        "META_ACCESS_TOKEN": f"demo-{secrets.token_hex(8)}",
        "META_GRAPH_URL": f"http://{host}:{port + 1}",
        "RELAY_OUTBOX": f"sqlite:///{folder / 'conversion-relay.db'}",
        "RELAY_ALLOWED_ORIGINS": ",".join(sorted(f"http://{name}:{port}" for name in names)),
        "RELAY_API_KEYS": "demo",
        "STRIPE_WEBHOOK_SECRET": f"whsec_demo_{secrets.token_hex(8)}",
    }
    for name, value in defaults.items():
        if not environ.get(name):
            environ[name] = value


@contextlib.contextmanager
def _emulator(host: str, port: int) -> Iterator[None]:
    from conversion_relay.emulator.app import create_app
    from conversion_relay.emulator.server import Server

    server = Server(create_app(), host, port)
    server.start()
    try:
        yield
    finally:
        server.stop()


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(f"port {port} on {host}: {error.strerror}; choose another with --port") from None


def _greet(host: str, port: int, settings: Settings, folder: Path, *, kept: bool) -> None:
    here = f"http://{host}:{port}"
    mails = f"{folder / 'course-site' / 'mail'}{'' if kept else '  (until you stop; --data DIR keeps it)'}"
    lines = [
        ("course site", f"{here}/", "view a course, register, write, pay"),
        ("dashboard", f"{here}/dashboard", "what became of every event"),
        ("Meta's stand-in", f"http://{host}:{port + 1}/", "what arrived there"),
        ("events endpoint", f"{here}/events", _how_to_post(settings)),
        ("mails", mails, ""),
    ]
    click.echo("\nConversion Relay is running. Ctrl-C stops it.\n")
    for name, where, what in lines:
        click.echo(f"  {name:<16} {where:<36} {what}".rstrip())
    click.echo("")


def _how_to_post(settings: Settings) -> str:
    keys = [key.reveal() for key in settings.datasets[0].api_keys]
    return "POST with Authorization: Bearer demo" if keys == ["demo"] else "POST with one of your RELAY_API_KEYS"
