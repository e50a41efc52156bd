"""Where a verb that listens is reached: what it says is what a program on this machine can call."""

import ipaddress
from typing import NoReturn

import click


def url_of(host: str, port: int) -> str:
    """
    >>> url_of("localhost", 80), url_of("0.0.0.0", 8001), url_of("::1", 8001)
    ('http://localhost:80', 'http://127.0.0.1:8001', 'http://[::1]:8001')
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:  # every address, and none that can be called
        return f"http://127.0.0.1:{port}"
    return f"http://[{host}]:{port}" if address.version == 6 else f"http://{host}:{port}"


def refuse(host: str, port: int, error: OSError) -> NoReturn:
    """ClickException, as every verb says that it cannot listen there."""
    raise click.ClickException(f"port {port} on {host}: {error.strerror}; choose another with --port or --host")
