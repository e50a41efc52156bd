"""Between two requests a proxy's connection outlives the proxy's patience: a request may be on its way."""

import asyncio
from ipaddress import ip_network

import pytest

from conversion_relay.collector.connections import Limits
from tests import asgi
from tests.collector.test_direct import Server, turns

PROXY = Limits(trusted_proxies=(ip_network("198.51.100.0/24"),))
MOST_PATIENT = 600
"""Seconds, of Google's load balancers; ALB's 60, Traefik's 90 and Caddy's 120 are less."""


@pytest.mark.parametrize("first", [b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b""], ids=["used", "not used yet"])
def test_a_trusted_proxy_closes_its_connections_itself_and_is_not_kept_for_ever(first):
    async def scenario() -> None:
        protocol, line = Server({}).connect(PROXY)
        if first:
            protocol.data_received(first)
        await turns()
        now = asyncio.get_running_loop().time()
        protocol.sweep(now + MOST_PATIENT)
        assert not line.is_closed
        protocol.sweep(now + 2 * MOST_PATIENT)
        assert line.is_closed
        protocol.connection_lost(None)

    asgi.run(scenario())
