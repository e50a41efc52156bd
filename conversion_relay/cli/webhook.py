"""`webhook listen|send|fixture`: try a payment provider's notices in a minute, as with Stripe's own command line.

`listen` shows what arrives and why it was taken or not; it counts into an outbox of its own that it throws away, so
that nothing reaches Meta. `send` signs a sample and posts it. `fixture` prints it.
"""

import http.server
import socket
import sys
import tempfile
import time
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import click
import msgspec

from conversion_relay.cli.address import refuse, url_of
from conversion_relay.cli.printing import print_json
from conversion_relay.cli.told_to_stop import end_like_an_interrupt
from conversion_relay.cli.webhook_samples import names_of, sample
from conversion_relay.cli.webhook_signing import FORMS, of_source, signed_form, signed_headers
from conversion_relay.errors import SettingsError
from conversion_relay.payments import PROVIDERS
from conversion_relay.settings import Settings
from conversion_relay.telemetry import configure_logging, logger

SECONDS = 10.0


@click.group()
def webhook() -> None:
    """Try a payment provider's notices."""


@webhook.command()
@click.argument("provider", type=click.Choice(list(PROVIDERS)))
@click.argument("name", default="paid")
def fixture(provider: str, name: str) -> None:
    """Print a sample notice; NAME is paid, pending, refund, renewal or other."""
    print_json(_sample(provider, name))


@webhook.command()
@click.argument("provider")
@click.argument("url")
@click.option("--name", default="paid", show_default=True, help="which sample")
@click.option("--file", type=click.File("rb"), help="send these bytes and not a sample; - is standard input")
@click.option("--json", "as_json", is_flag=True, help="the answer as JSON")
def send(provider: str, url: str, name: str, file: Any, as_json: bool) -> None:
    """Sign a notice with your secret and post it to URL, e.g. http://127.0.0.1:8000/webhooks/stripe.

    The secret is the one in your settings. Exit 1 when the answer is not a 2xx."""
    from conversion_relay.http_client import HttpClient, NoAnswer

    settings = Settings.from_env(required=())
    parts = _parts(url)
    secrets = settings.webhook_secrets.get(provider, ())
    source, row = settings.payments.sources.get(provider), PROVIDERS.get(provider)
    if source is None and row is None:
        raise click.UsageError(f"PROVIDER: one of {', '.join([*PROVIDERS, *settings.payments.sources])}")
    if not secrets:
        raise SettingsError(f"{row.setting if row else source.setting if source else ''}: set it; it signs the notice")
    if file is None and row is None:
        raise click.UsageError("a source of your own has no sample: give one with --file")
    secret, now, is_form = secrets[0].reveal(), int(time.time()), provider in FORMS
    if file is not None:
        raw = file.read()
    else:
        told = _sample(provider, name)
        raw = urlencode(told).encode() if is_form else msgspec.json.encode(told)
    if is_form:
        raw, signed = signed_form(raw, secret), {}
    else:
        signed = of_source(source, raw, secret, now) if source else signed_headers(provider, raw, secret, now)
    if source and source.query in signed:
        url += f"{'&' if parts.query else '?'}{urlencode({source.query: signed.pop(source.query)})}"
    client = HttpClient()
    kind = "x-www-form-urlencoded" if is_form or (source and source.body == "form") else "json"
    said = client.post(url, {"content-type": f"application/{kind}", **signed}, raw, SECONDS)
    client.close()
    if isinstance(said, NoAnswer):
        raise click.ClickException(f"nobody answered at this address ({said.why})")
    text = said.body.decode("utf-8", "replace")
    print_json({"status": said.status, "body": text}) if as_json else click.echo(f"{said.status} {_printable(text)}")
    sys.exit(0 if 200 <= said.status < 300 else 1)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of `http://[`, and of a port that is none
        is_one = False
    if not is_one:
        raise click.UsageError("URL: an address such as http://127.0.0.1:8000/webhooks/stripe")
    return parts


@webhook.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8008, show_default=True, type=click.IntRange(0, 65535))
@click.option("--json", "as_json", is_flag=True, help="one line of JSON for each notice")
def listen(host: str, port: int, as_json: bool) -> None:
    """Show what arrives at /webhooks/PROVIDER and why it counts or not. Nothing is sent to Meta."""
    from conversion_relay.relay import Relay
    from conversion_relay.webhooks import Webhooks

    settings = Settings.from_env(required=())
    configure_logging(settings.log_format, settings.secrets())
    logger.setLevel("ERROR")  # the line of each notice says the same
    end_like_an_interrupt()
    with tempfile.TemporaryDirectory(prefix="conversion-relay-webhook-") as folder:
        # Neither a dataset nor a token is needed to see what would be counted.
        tried = msgspec.structs.replace(settings, outbox=f"sqlite:///{folder}/tried.db", ballast=False)
        with Relay(tried) as relay:
            server = _server(host, port, _handler(Webhooks(relay), as_json))
            here = url_of(host, server.server_address[1])
            ready = {name: f"{here}/webhooks/{name}" for name in _ready(settings)}
            if as_json:
                print_json({"listening": ready, "port": server.server_address[1]})
            else:
                click.echo("Waiting for notices. Ctrl-C stops it.\n")
                for name, url in ready.items():
                    click.echo(f"  {name:<14} {url}")
                click.echo("" if ready else "  no secret is set, so nothing can be taken: set STRIPE_WEBHOOK_SECRET\n")
            try:
                server.serve_forever()
            finally:
                server.server_close()


def _server(host: str, port: int, handler: type[http.server.BaseHTTPRequestHandler]) -> http.server.ThreadingHTTPServer:
    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, request: object, client_address: object) -> None:
            """socketserver prints a traceback, also where a client hung up, which is its own affair."""
            if not isinstance(error := sys.exception(), OSError):
                click.echo(f"a request failed: {type(error).__name__}", err=True)

    try:
        return Server((host, port), handler)
    except OSError as error:
        refuse(host, port, error)


def _ready(settings: Settings) -> list[str]:
    names = [*PROVIDERS, *settings.payments.sources]
    return [name for name in names if settings.webhook_secrets.get(name) or settings.provider_keys.get(name)]


def _handler(webhooks: Any, as_json: bool) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = SECONDS

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "0")
            size = int(length) if length.isascii() and length.isdecimal() and len(length) < 8 else 0
            raw = self.rfile.read(min(size, 2 * 1_048_576))
            names = {name.lower() for name in self.headers}
            headers = {name: ", ".join(self.headers.get_all(name) or []) for name in names}
            address = urlsplit(self.path)
            provider = address.path.rpartition("/")[2]
            said = webhooks.answer(provider, raw, headers, query=address.query)
            line = {"provider": provider, "bytes": len(raw), "status": said.status, **said.body}
            # Before the answer: a sender's next notice is then shown after this one.
            print_json(line) if as_json else click.echo(_line(provider, said.status, said.body))
            self._answer(said)

        def do_GET(self) -> None:
            self._answer(webhooks.tried(urlsplit(self.path).path.rpartition("/")[2]))

        do_HEAD = do_GET

        def _answer(self, said: Any) -> None:
            body = b"" if self.command == "HEAD" else said.content
            self.send_response(said.status)
            for name, value in {
                "Content-Type": said.content_type,
                "Content-Length": str(len(body)),
                **said.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """The line of each notice says more."""

    return Handler


def _line(provider: str, status: int, body: dict[str, str]) -> str:
    why = " ".join(body[name] for name in ("message", "reason", "field", "event_id") if body.get(name))
    return _printable(f"{time.strftime('%H:%M:%S')} {status} {provider:<12} {why}")


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def _sample(provider: str, name: str) -> dict[str, Any]:
    if name not in names_of(provider):
        raise click.UsageError(f"NAME: one of {', '.join(names_of(provider))}")
    return sample(provider, name, int(time.time()))
