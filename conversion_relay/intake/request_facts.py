"""From any framework's request to `RequestFacts`: whose address, which browser, which click.

X-Forwarded-For is written by whoever sends it, so it is read from the right: each address that belongs to a trusted
proxy vouches for the one before it, and the first that does not is the visitor's.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a door knows about the visitor's own request, whatever the framework."""

    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None
    url: str | None = None
    referrer: str | None = None
    origin: str | None = None
    gpc: bool = False
    consent: Literal["granted"] | None = None
    """What the visitor said at another time, for an event that says nothing about it."""


def request_facts(
    headers: Mapping[str, str],
    peer: str | None,
    trusted_proxies: Sequence[Network] = (),
    *,
    url: str | None = None,
) -> RequestFacts:
    """`headers` with lower-case names (repeated ones joined by a comma, cookies by a semicolon); `peer` the socket's
    address; `url` the page, where the door knows better than the Referer.

    >>> facts = request_facts({"user-agent": "Mozilla/5.0", "cookie": "_fbp=fb.1.1596403881668.1116446470",
    ...                        "referer": "https://shop.example/course"}, "198.51.100.7")
    >>> facts.client_ip_address, facts.fbp, facts.url
    ('198.51.100.7', 'fb.1.1596403881668.1116446470', 'https://shop.example/course')
    """
    cookies = _cookies(headers.get("cookie", ""))
    return RequestFacts(
        client_ip_address=client_address(peer, headers.get("x-forwarded-for", ""), trusted_proxies),
        client_user_agent=headers.get("user-agent") or None,
        fbp=cookies.get("_fbp") or None,
        fbc=cookies.get("_fbc") or None,
        url=url or headers.get("referer") or None,
        origin=headers.get("origin") or None,
        gpc=headers.get("sec-gpc", "").strip() == "1",
    )


def client_address(peer: str | None, forwarded_for: str, trusted_proxies: Sequence[Network]) -> str | None:
    """The visitor's address as far as it can be believed.

    >>> proxies = [ipaddress.ip_network("10.0.0.0/8")]
    >>> client_address("10.0.0.5", "6.6.6.6, 198.51.100.7, 10.0.0.9", proxies)
    '198.51.100.7'
    >>> client_address("198.51.100.7", "6.6.6.6", proxies)
    '198.51.100.7'
    """
    believed = peer
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    while hops and believed is not None and is_trusted(believed, trusted_proxies):
        believed = _without_port(hops.pop())
    return believed


def is_trusted(address: str | None, trusted_proxies: Sequence[Network]) -> bool:
    """Whether this is one of the proxies whose word is believed."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in trusted_proxies)


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _cookies(header: str) -> dict[str, str]:
    """As browsers send them, whatever other cookies a site sets: the first of a name is the one of the longest path."""
    found: dict[str, str] = {}
    for pair in header.split(";") if "_fb" in header else ():
        name, _, value = pair.partition("=")
        found.setdefault(name.strip(), value.strip().strip('"'))
    return found
