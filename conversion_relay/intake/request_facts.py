"""From any framework's request to `RequestFacts`: whose address, which browser, which click.

Whose address is the subtle part. Behind a proxy the socket's peer is the proxy, and the visitor's address stands in
X-Forwarded-For, to which every proxy appends the address that it was called from:

    X-Forwarded-For: 6.6.6.6, 198.51.100.7, 10.0.0.9        peer: 10.0.0.5
                     claimed  visitor       our proxies (RELAY_TRUSTED_PROXIES = 10.0.0.0/8)

What could go wrong: the visitor may send the header too. Then its left part is whatever they wrote, and a reader who
takes the leftmost entry believes it: events get a false address, and rate limits are evaded.

The rule: read from the right. The peer is a fact. If the peer is a trusted proxy, the rightmost entry is what that
proxy saw, so it is believed; if that is a trusted proxy too, the one before it is believed, and so on. The first
address that is no trusted proxy is the visitor's. Without trusted proxies the header is never read.

Rejected: "trust N hops" (a second way into the network makes it wrong without a sign), and the Forwarded header of
RFC 7239 (few proxies write it, and two headers could disagree).
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from conversion_relay.errors import leaves_no_variables

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a door knows about the visitor's own request, whatever the framework. None: not known."""

    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None
    url: str | None = None
    referrer: str | None = None
    origin: str | None = None
    gpc: bool = False
    consent: Literal["granted", "denied"] | None = None
    """What the visitor said before, at an earlier visit or in a cookie; counts where the event itself says nothing."""

    def __repr__(self) -> str:
        """Only names: a traceback with its variables must not show a person, and the page's address may name one."""
        return f"RequestFacts({', '.join(name for name in self.__struct_fields__ if getattr(self, name))})"

    @classmethod
    @leaves_no_variables
    def from_headers(
        cls,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        peer: str | None = None,
        trusted_proxies: Sequence[Network] = (),
        *,
        url: str | None = None,
        viewer_header: str = "",
    ) -> "RequestFacts":
        """`request_facts` for headers in any case, in pairs too; a repeated header is joined as HTTP says."""
        _refuse_strings(trusted_proxies)
        joined: dict[str, str] = {}
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            if not (isinstance(name, str) and isinstance(value, str)):
                raise TypeError("headers are texts; an ASGI server's bytes are read by RequestFacts.from_asgi(scope)")
            key = name.lower()
            joined[key] = f"{joined[key]}{'; ' if key == 'cookie' else ', '}{value}" if key in joined else value
        return request_facts(joined, peer, trusted_proxies, url=url, viewer_header=viewer_header)

    @classmethod
    @leaves_no_variables
    def from_asgi(
        cls,
        scope: Mapping[str, Any],
        trusted_proxies: Sequence[Network] = (),
        *,
        url: str | None = None,
        viewer_header: str = "",
    ) -> "RequestFacts":
        """From an ASGI scope (Starlette's `request.scope`). Without `url`: a page's own address for the request of a
        page, else its Referer."""
        if not isinstance(scope, Mapping):
            raise TypeError(f"from_asgi takes request.scope, not {type(scope).__name__}")
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope.get("headers") or ()]
        host, _ = scope.get("client") or (None, None)
        facts = cls.from_headers(pairs, host, trusted_proxies, url=url, viewer_header=viewer_header)
        if scope.get("type") == "websocket":  # its own address is no page, and browsers send no Referer with it
            return facts
        query = (scope.get("query_string") or b"").decode("latin-1")
        path = quote(str(scope.get("path") or "/"), safe=_IN_A_PATH, errors="replace")
        own = _Own(str(scope.get("scheme") or "http"), path, query, str(scope.get("method") or "GET"))
        return _with_url(facts, {name.lower(): value for name, value in pairs}, url, own, host, trusted_proxies)

    @classmethod
    @leaves_no_variables
    def from_wsgi(
        cls,
        environ: Mapping[str, Any],
        trusted_proxies: Sequence[Network] = (),
        *,
        url: str | None = None,
        viewer_header: str = "",
    ) -> "RequestFacts":
        """From a WSGI environment (`request.environ`, Django's `request.META`); the rest as of `from_asgi`."""
        if not isinstance(environ, Mapping):
            raise TypeError(f"from_wsgi takes request.environ (in Django request.META), not {type(environ).__name__}")
        _refuse_strings(trusted_proxies)
        given = {name[5:]: str(value) for name, value in environ.items() if name.startswith("HTTP_")}
        headers = {name.replace("_", "-").lower(): value for name, value in given.items()}
        peer = environ.get("REMOTE_ADDR") or None
        facts = request_facts(headers, peer, trusted_proxies, url=url, viewer_header=viewer_header)
        path = _path_bytes(f"{environ.get('SCRIPT_NAME') or ''}{environ.get('PATH_INFO') or ''}")
        own = _Own(
            str(environ.get("wsgi.url_scheme") or "http"),
            quote(path, safe=_IN_A_PATH) or "/",
            str(environ.get("QUERY_STRING") or ""),
            str(environ.get("REQUEST_METHOD") or "GET"),
        )
        return _with_url(facts, headers, url, own, peer, trusted_proxies)


def _path_bytes(path: str) -> bytes:
    """WSGI writes a path's bytes as Latin-1 (PEP 3333). Django's `META` has the same names and holds the text itself.

    >>> _path_bytes("/caf\u00c3\u00a9") == _path_bytes("/caf\u00e9") == "/caf\u00e9".encode()
    True
    """
    try:
        found = path.encode("latin-1")
        found.decode()
    except UnicodeError:
        return path.encode("utf-8", "replace")
    return found


def _refuse_strings(trusted_proxies: Sequence[object]) -> None:
    if isinstance(trusted_proxies, str) or any(isinstance(proxy, str) for proxy in trusted_proxies):
        raise TypeError('trusted proxies are networks, not texts: ipaddress.ip_network("10.0.0.0/8")')


CLOUDFRONT = "cloudfront-viewer-address"
NO_FACTS = RequestFacts()


@leaves_no_variables
def request_facts(
    headers: Mapping[str, str],
    peer: str | None,
    trusted_proxies: Sequence[Network] = (),
    *,
    url: str | None = None,
    viewer_header: str = "",
) -> RequestFacts:
    """Reads one request. Total: odd headers give None.

    `headers`: names in any case; repeated headers joined by a comma, cookies by a semicolon. `peer`: the socket's
    address. `url`: the page, where the door knows it; else the Referer, which for an event is the page. The
    `viewer_header`, in lower case, is one in which a trusted proxy says the visitor's address (RELAY_VIEWER_HEADER).

    >>> facts = request_facts({"user-agent": "Mozilla/5.0", "cookie": "_fbp=fb.1.1596403881668.1116446470",
    ...                        "referer": "https://shop.example/course"}, "198.51.100.7")
    >>> facts.client_ip_address, facts.fbp, facts.url
    ('198.51.100.7', 'fb.1.1596403881668.1116446470', 'https://shop.example/course')
    """
    if not all(map(str.islower, headers)):
        headers = {name.lower(): value for name, value in headers.items()}
    cookies = _cookies(headers.get("cookie", ""))
    return RequestFacts(
        client_ip_address=_viewer(headers, peer, trusted_proxies, viewer_header)
        or client_address(peer, headers.get("x-forwarded-for", ""), trusted_proxies),
        client_user_agent=headers.get("user-agent") or None,
        fbp=cookies.get("_fbp") or None,
        fbc=cookies.get("_fbc") or None,
        url=url or headers.get("referer") or None,
        origin=headers.get("origin") or None,
        gpc=headers.get("sec-gpc", "").strip() == "1",
    )


class _Own(NamedTuple):
    """The request's own address, as its server knows it."""

    scheme: str
    path: str
    query: str
    method: str


_IN_A_PATH = "/%:@!$&'(*+),;=~-._"
_PAGES = ("", "document", "iframe")
"""Of Sec-Fetch-Dest: https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header - old browsers send none."""


def _with_url(
    facts: RequestFacts,
    headers: Mapping[str, str],
    url: str | None,
    own: _Own,
    peer: str | None,
    trusted_proxies: Sequence[Network],
) -> RequestFacts:
    """The page that the visitor looks at. A form or a script is called from a page, which its Referer names."""
    host = headers.get("host", "")
    is_page = own.method in ("GET", "HEAD") and headers.get("sec-fetch-dest", "") in _PAGES
    if url is not None or not host or not (is_page or facts.url is None):
        return facts
    told = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    # Without trusted proxies a visitor could write the header; a server that has read it says so in its own scheme.
    scheme = told if told in ("http", "https") and is_trusted(_without_its_port(peer), trusted_proxies) else own.scheme
    page = f"{scheme}://{host}{own.path}{'?' if own.query else ''}{own.query}"
    return msgspec.structs.replace(facts, url=page, referrer=headers.get("referer") or None)


def client_address(peer: str | None, forwarded_for: str, trusted_proxies: Sequence[Network]) -> str | None:
    """The visitor's address as far as it can be believed; the theory stands at the top of this module.

    >>> proxies = [ipaddress.ip_network("10.0.0.0/8")]
    >>> client_address("10.0.0.5", "6.6.6.6, 198.51.100.7, 10.0.0.9", proxies)
    '198.51.100.7'
    >>> client_address("198.51.100.7", "6.6.6.6", proxies)
    '198.51.100.7'
    """
    believed = _without_its_port(peer)
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    while hops and believed is not None and is_trusted(believed, trusted_proxies):
        believed = _without_port(hops.pop())
    return believed


def _viewer(
    headers: Mapping[str, str], peer: str | None, trusted_proxies: Sequence[Network], viewer_header: str
) -> str | None:
    """What a trusted peer says in the configured header; of anybody else it is not read.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html: CloudFront writes
    a port behind the address, and no brackets around IPv6.
    """
    told = headers.get(viewer_header, "").strip() if viewer_header else ""
    if not told or not is_trusted(_without_its_port(peer), trusted_proxies):
        return None
    bare = told.rpartition(":")[0] if viewer_header == CLOUDFRONT else _without_port(told)
    try:
        return str(ipaddress.ip_address(bare.strip("[]")))
    except ValueError:
        return None


def is_trusted(address: str | None, trusted_proxies: Sequence[Network]) -> bool:
    """Whether this is one of the proxies whose word is believed."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in trusted_proxies)


def _without_its_port(peer: str | None) -> str | None:
    """With mutual TLS, API Gateway's peer has its port behind it. Whatever else a server calls its peer stays."""
    return _without_port(peer) if peer is not None and _WITH_PORT.fullmatch(peer) else peer


# https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
_WITH_PORT = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _cookies(header: str) -> dict[str, str]:
    """Cookies by name. Of two with one name the first counts: browsers send the one with the longest path first.

    Not `http.cookies`: it gives up at the first cookie that it cannot read, whoever set it.
    """
    found: dict[str, str] = {}
    for pair in header.split(";") if "_fb" in header else ():
        name, _, value = pair.partition("=")
        found.setdefault(name.strip(), value.strip().strip('"'))
    return found
