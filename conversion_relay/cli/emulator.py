"""`emulator`: Meta's stand-in, for a laptop and for other people's tests."""

import click

from conversion_relay.cli.address import url_of


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8001, show_default=True, type=click.IntRange(0, 65535))
@click.option("--strict", is_flag=True, help="also enforce what Meta documents and does not enforce")
@click.option("--latency-ms", default=0, show_default=True, type=click.IntRange(0, 60_000))
def emulator(host: str, port: int, strict: bool, latency_ms: int) -> None:
    """Answer as Meta would, on this machine."""
    from conversion_relay.collector.connections import raise_file_limit
    from conversion_relay.collector.server import listen_on
    from conversion_relay.emulator.app import create_app
    from conversion_relay.emulator.server import serve
    from conversion_relay.telemetry import configure_logging

    raise_file_limit()
    configure_logging("auto", ())
    sockets = listen_on(host, port)
    url = url_of(host, sockets[0].getsockname()[1])
    click.echo(f"Meta's stand-in: {url}/  (set META_GRAPH_URL={url})")
    serve(create_app(strict=strict, latency_ms=latency_ms), sockets)
