"""RELAY_ALLOWED_ORIGINS: an origin as an operator writes it becomes the text that a browser sends.

What could go wrong. An origin that is spelt otherwise than browsers spell it matches nothing: every page of the shop
is answered 403, and nothing in the settings looks wrong. So what can be meant in one way only is brought into the
browsers' form here (case, default port, a slash at the end, letters outside ASCII), and what cannot is refused at start
with the way to write it.

The form: scheme, host, and a port that is not the scheme's own, in lower case
(https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin). A host outside ASCII is written
with A-labels, as UTS 46 maps it without transition (https://www.unicode.org/reports/tr46/): `ß` and a final sigma are
kept. Python's `idna` codec is older (IDNA 2003) and makes `ss` of `ß`, which is another domain.

Not only `https` is an origin: apps in a web view and browser extensions have schemes of their own
(`capacitor://localhost`, `chrome-extension://ID`); such an origin is taken as it is.

Refused: wildcards, since whoever can open any subdomain (a page builder, a takeover of a forgotten name) could send
events; `null` and `file://`, which are the origin of every sandboxed frame and of every file on a visitor's disk.
"""

import ipaddress
import re
import unicodedata

from conversion_relay.errors import SettingsError
from conversion_relay.patterns import seldom

_NAME = "RELAY_ALLOWED_ORIGINS"
_PORTS = {"http": 80, "https": 443}
_OF_NOBODY = ("null", "file", "data", "blob", "about", "javascript", "ws", "wss", "ftp")
_ORIGIN = seldom(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)/?(.*)", re.DOTALL)
_HOST = seldom(r"[a-z0-9_~-][a-z0-9._~-]*")
_UNSEEN = seldom("[\u00ad\u200b\u2060\ufeff\ufe00-\ufe0f\u180b-\u180d]")
"""Characters that UTS 46 leaves out."""
LONGEST_ORIGIN = 512
_JOINERS = "\u200c\u200d"
_IN_LABELS = frozenset({"Ll", "Lm", "Lo", "Mn", "Mc", "Nd", "No", "So"})
"""Letters without case or in lower case, marks, digits, and the symbols that old registrations hold."""


def normal_origin(text: str) -> str:
    """As a browser's `Origin` header has it. Raises SettingsError that says what to write; it does not show the text.

    >>> normal_origin("HTTPS://Bücher.example:443/"), normal_origin("capacitor://localhost")
    ('https://xn--bcher-kva.example', 'capacitor://localhost')
    """
    if len(text) > LONGEST_ORIGIN:
        raise _refused("longer than a scheme, a host and a port can be")
    if "*" in text:
        raise _refused("no wildcards: list each origin, such as https://shop.example,https://www.shop.example")
    found = _ORIGIN.fullmatch(text)
    scheme = found[1].lower() if found else text.partition(":")[0].lower()
    if scheme in _OF_NOBODY:
        raise _refused(
            "this is the origin of any sandboxed page or file, not of one site; send with an API key instead"
        )
    if found is None:
        raise _refused("an origin begins with its scheme: https://shop.example")
    authority, rest = found[2], found[3]
    if rest:
        raise _refused("scheme and host only, without path, query or fragment: https://shop.example")
    if "@" in authority:
        raise _refused("scheme and host only, without a user: https://shop.example")
    host, port = _parted(authority)
    host = _web_host(host) if scheme in _PORTS else host.lower()
    if not host or not (host.startswith("[") or _HOST.fullmatch(host)):
        raise _refused("the host is not one: write it as in https://shop.example or https://[2001:db8::1]")
    shown = "" if port is None or port == _PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{host}{shown}"


def _parted(authority: str) -> tuple[str, int | None]:
    """Host and port; an empty port is none."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?", authority, re.ASCII)
    port = int(found[2]) if found and found[2] else None
    if found is None or (port is not None and not 0 < port < 65_536):
        raise _refused("the port is not one: a number from 1 to 65535, as in http://localhost:8080")
    return found[1], port


def _web_host(host: str) -> str:
    """Empty where it is no host."""
    if host.startswith("["):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return ""
        return "" if address.scope_id else f"[{address.compressed}]"
    # Letter by letter: lower() of a whole word would make a final sigma of the last one.
    mapped = unicodedata.normalize("NFKC", "".join(c.lower() for c in unicodedata.normalize("NFKC", host)))
    labels = _UNSEEN.sub("", mapped).replace("\u3002", ".").split(".")
    ascii_labels = [label if label.isascii() else _a_label(label) for label in labels]
    whole = all(0 < len(label) < 64 for label in ascii_labels[:-1]) and len(ascii_labels[-1]) < 64
    return ".".join(ascii_labels) if whole and ascii_labels[0] else ""


def _a_label(label: str) -> str:
    """Empty for what no host name can hold: symbols and spaces that are not letters, marks or digits."""
    if not all(c in _JOINERS or c == "-" or unicodedata.category(c)[:2] in _IN_LABELS for c in label):
        return ""
    return "xn--" + label.encode("punycode").decode("ascii")


def _refused(message: str) -> SettingsError:
    return SettingsError(f"{_NAME}: {message}")
