"""`client_ip_address` and `client_user_agent`: sent as they are, never hashed.

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
"""

import ipaddress
import re
from functools import lru_cache

from conversion_relay.meta.customer_information.hashing import EMPTY, PLACEHOLDER, Dropped
from conversion_relay.meta.customer_information.nothing import is_nothing
from conversion_relay.patterns import seldom

# Of Meta's Parameter Builder: eight characters now; before, two that name its language.
_APPENDIX = seldom(r"(.+)\.([\w-]{8}|A[Qgw]|B[AQg])", re.ASCII)
_CARRIER_GRADE_NAT = ipaddress.ip_network("100.64.0.0/10")
_PRIVATE = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
_UNKNOWN_HOPS = ("", "unknown")
LONGEST_USER_AGENT = 2_048
_OCTETS = frozenset(map(str, range(256)))
_PUBLIC = frozenset(map(str, range(1, 224))) - {"10", "100", "127", "169", "172", "192"}
"""First octets of which every address is public. Of those left out a part is; `_NOT_PUBLIC` has the other part."""
_NOT_PUBLIC = frozenset(
    [
        ("169", "254"),
        ("192", "168"),
        *(("100", str(n)) for n in range(64, 128)),
        *(("172", str(n)) for n in range(16, 32)),
    ]
)
# Of 2000::/3, which holds every IPv6 address that is given out: https://www.iana.org/assignments/ipv6-address-space
_GLOBAL = seldom(r"[23][0-9a-fA-F]{3}(?::[0-9a-fA-F]{1,4}){0,7}(?:::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?)?")


def quick_client_ip_address(text: str, _: object = None) -> str | None:
    """
    >>> quick_client_ip_address("8.8.4.4"), quick_client_ip_address("2606:4700::1111")
    ('8.8.4.4', '2606:4700::1111')
    >>> quick_client_ip_address("172.16.0.1"), quick_client_ip_address("8.8.4.4:443")
    (None, None)
    """
    octets = text.split(".", 4)
    if len(octets) == 4:
        first, second = octets[0], octets[1]
        if not _OCTETS.issuperset(octets):
            return None
        is_public = first in _PUBLIC or (first in ("100", "169", "172", "192") and (first, second) not in _NOT_PUBLIC)
        return text if is_public else None
    if len(text) >= 40 or not _GLOBAL.fullmatch(text):
        return None
    colons = text.count(":")
    return text if colons == 7 or (colons < 7 and "::" in text) else None


@lru_cache(maxsize=4_096)
def normalize_client_ip_address(text: str) -> str | Dropped:
    """A public address in the form it came; port, brackets and the IPv4-mapped form are taken off.

    >>> normalize_client_ip_address("[2606:4700::1111]:443"), normalize_client_ip_address("::ffff:8.8.4.4")
    ('2606:4700::1111', '8.8.4.4')
    >>> normalize_client_ip_address("10.0.0.1")
    Dropped(reason='not a public address')

    Of a whole `X-Forwarded-For` it is the first public one, which is the visitor's as far as a value can tell.

    >>> normalize_client_ip_address("10.8.0.2, 8.8.4.4, 172.16.0.1")
    '8.8.4.4'
    """
    if len(text) > 1_024:
        return Dropped("not an IP address")
    text = text.strip()
    if not text:
        return EMPTY
    return _first_public(text.split(",")) if "," in text else _address(text)


# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For
def _first_public(hops: list[str]) -> str | Dropped:
    """Many a backend passes the header on as it came. What holds anything but addresses is no such header."""
    read = [_address(hop.strip()) for hop in hops if hop.strip().lower() not in _UNKNOWN_HOPS]
    if not read or Dropped("not an IP address") in read:
        return Dropped("not an IP address")
    return next((one for one in read if isinstance(one, str)), read[0])


def _address(text: str) -> str | Dropped:
    if len(text) > 64:
        return Dropped("not an IP address")
    address, suffix = _without_port(text).partition("%")[0], ""  # a zone means something on one machine only
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        match = _APPENDIX.fullmatch(address)
        if not match:
            return Dropped("not an IP address")
        address, suffix = match[1], f".{match[2]}"
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return Dropped("not an IP address")
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
        address = str(parsed)
    return address + suffix if _is_public(parsed) else Dropped("not a public address")


# Words and a space between each two, a bracket before a word alone: no template, and no address spelled out.
_WORD = r"(?:\((?![adpADP]))?(?![dD][oO][tT] )(?:rv:)?[A-Za-z0-9_.,;/)-]++"
_BROWSER = seldom(f"{_WORD}(?: {_WORD})*")


def is_of_a_browser(text: str) -> bool:
    """Whether this is surely a browser's name, longer than any word for nothing, and holds nobody (`personal_data`).

    >>> is_of_a_browser("Mozilla/5.0 (X11; Linux x86_64)"), is_of_a_browser("hash(user_agent) of the browser")
    (True, False)
    """
    fits = 24 < len(text) <= LONGEST_USER_AGENT and _BROWSER.fullmatch(text) is not None
    return fits and "00" not in text and "wa.me" not in text.lower()


def quick_user_agent(text: str, _: object = None) -> str | None:
    """
    >>> quick_user_agent("Mozilla/5.0 (X11; Linux x86_64)"), quick_user_agent("Mozilla/5.0")
    ('Mozilla/5.0 (X11; Linux x86_64)', None)
    """
    return text if is_of_a_browser(text) else None


@lru_cache(maxsize=4_096)
def normalize_user_agent(text: str) -> str | Dropped:
    """As the browser sent it.

    >>> normalize_user_agent("Mozilla/5.0")
    'Mozilla/5.0'
    """
    text = text.strip()
    if not text:
        return EMPTY
    if len(text) > LONGEST_USER_AGENT or not text.isprintable():
        return Dropped("not a user agent")
    return PLACEHOLDER if is_nothing(text) else text


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Not `is_global`: that also leaves out the documentation ranges, which Meta's own example is from."""
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv4Address) and (address.is_reserved or address.packed[0] == 0):
        return False
    return address not in _CARRIER_GRADE_NAT and not any(address in network for network in _PRIVATE)
