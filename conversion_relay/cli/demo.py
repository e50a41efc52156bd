"""`demo`: a course site, the collector, delivery, the dashboard and Meta's stand-in, all on this machine.

No account, no environment variable, nothing left behind; settings that are set are honoured.
"""

import contextlib
import ipaddress
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import click

from conversion_relay.cli.serve import Service, limits_of
from conversion_relay.cli.told_to_stop import end_like_an_interrupt
from conversion_relay.http_proxy import is_loopback
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
@click.option(
    "--postgres", metavar="URL", help="outbox in this database (postgresql://...), in a schema of its own: relay_demo"
)
def demo(host: str, port: int, data: Path | None, postgres: str | None) -> None:
    """Everything at once, on this machine."""
    from conversion_relay.collector.connections import raise_file_limit
    from conversion_relay.collector.server import run

    raise_file_limit()
    end_like_an_interrupt()
    if postgres:
        os.environ["RELAY_OUTBOX"] = f"{postgres}{'&' if '?' in postgres else '?'}schema=relay_demo"
    for taken in (port, port + 1):
        _refuse_taken(host, taken)
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conversion-relay-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        shown = _shown(host)
        made = _fill_in(os.environ, host, shown, port, folder)
        settings = Settings.from_env()
        configure_logging(settings.log_format, settings.secrets())
        stack.enter_context(_emulator(host, port + 1))
        _greet(shown, port, settings, folder, made, kept=data is not None)
        service = _Demo(settings, folder, f"http://{shown}:{port + 1}")
        run(service, host=host, port=port, limits=limits_of(settings))


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
            counters=self._service.counters,
        )
        self._site = create_app(
            CourseSite(shop),
            pixel_id=settings.datasets[0].pixel_id,
            emulator_url=emulator_url,
            webhook_secret=webhook_secrets[0].removeprefix("test:"),
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        ours = any(path == known or path.startswith(f"{known}/") for known in self._collector_paths)
        if scope["type"] == "lifespan" or ours:
            await self._service(scope, receive, send)
        else:
            await self._site(scope, receive, send)


def _fill_in(environ: MutableMapping[str, str], host: str, shown: str, port: int, folder: Path) -> dict[str, str]:
    """What a real installation sets, for what is not set here; returns what was set.

    The key and the open dashboard are for this machine and its stand-in alone. Whom other machines can reach, or who
    sends to Meta itself, gets a key and a password that nobody can know.
    """
    is_open = not is_loopback(host) or bool(environ.get("META_GRAPH_URL"))
    names = {shown, "127.0.0.1", "localhost"} | ({socket.gethostname().lower()} if not is_loopback(host) else set())
    defaults = {
        "META_PIXEL_ID": PIXEL_ID,
        "META_ACCESS_TOKEN": f"demo-{secrets.token_hex(8)}",
        "META_GRAPH_URL": f"http://{shown if is_loopback(host) else '127.0.0.1'}:{port + 1}",
        "RELAY_OUTBOX": f"sqlite:///{folder / 'conversion-relay.db'}",
        "RELAY_ALLOWED_ORIGINS": ",".join(sorted(f"http://{name}:{port}" for name in names)),
        "RELAY_API_KEYS": secrets.token_urlsafe(24) if is_open else "demo",
        "STRIPE_WEBHOOK_SECRET": f"whsec_demo_{secrets.token_hex(8)}",
        # No card is charged here, and Stripe's own test mode shall work as well.
        "RELAY_TEST_PAYMENTS": "send",
    }
    if not is_loopback(host):
        defaults["RELAY_ADMIN_PASSWORD"] = secrets.token_urlsafe(12)
    made = {name: value for name, value in defaults.items() if not environ.get(name)}
    environ.update(made)
    return made


def _shown(host: str) -> str:
    """A name that a browser can open: 0.0.0.0 is none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return f"[{host}]" if address.version == 6 else host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing: it asks which address would be used
        return str(probe.getsockname()[0])
    return "127.0.0.1"


@contextlib.contextmanager
def _emulator(host: str, port: int) -> Iterator[None]:
    from conversion_relay.emulator.app import create_app
    from conversion_relay.emulator.server import Server

    # The relay itself talks to it by loopback: META_GRAPH_URL is http for that alone.
    also = () if is_loopback(host) or _is_unspecified(host) else ("127.0.0.1",)
    server = Server(create_app(), host, port, also=also)
    server.start()
    try:
        yield
    finally:
        server.stop()


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(f"port {port} on {host}: {error.strerror}; choose another with --port") from None


def _greet(host: str, port: int, settings: Settings, folder: Path, made: Mapping[str, str], *, kept: bool) -> None:
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
    for name, variable in (("API key", "RELAY_API_KEYS"), ("password", "RELAY_ADMIN_PASSWORD")):
        if variable in made and made[variable] != "demo":
            click.echo(f"  {name:<16} {made[variable]:<36} made for this run; {variable} sets your own")
    click.echo("")


def _how_to_post(settings: Settings) -> str:
    keys = [key.reveal() for key in settings.datasets[0].api_keys]
    return "POST with Authorization: Bearer demo" if keys == ["demo"] else "POST with one of your RELAY_API_KEYS"
