"""Meta's two browser ids: `_fbp` (which browser) and `_fbc` (which click on an ad).

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc

Both are cookies of the form fb.<subdomain index>.<Unix milliseconds>.<payload>; the payload of `_fbc` is the `fbclid`
that Meta appends to the URL of an ad. What could go wrong:
- Case. Meta compares the ids byte by byte, and click ids are case-sensitive. A lower-cased id matches nobody, and no
  error tells of it. So an id that exists is kept verbatim and never taken apart and put together again.
- The time. Segment 3 says when the click was first seen, in milliseconds. Rebuilding the id of a known click would
  move that time. So a URL that brings the click of the cookie keeps the cookie; only another click makes a new id.
  And an event that comes late (a file of orders, a page that was offline) was after its click: a click that seems to
  be later than the conversion led to none.
- A fifth segment. Meta's Parameter Builder appends one (8 characters now, 2 before). The click id is the fourth
  segment, not "the string after the last dot" as the page says.
- Text that is no click id: anyone can write a URL. Only letters, digits, "-" and "_" are taken, at most 500 of them,
  as Meta's own page script does.
Rejected: Meta's capi-param-builder. It writes its appendix into URLs and takes any four segments for an id.
"""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from conversion_relay.meta.customer_information.identifier import normalize_fbc, normalize_fbp, quick_fbc, quick_fbp
from conversion_relay.meta.customer_information.nothing import is_nothing

LONGEST_URL = 8_192
MOST_MEMBERS = 1_000
"""Of a URL's query."""
LONGEST_CLICK_ID = 500
"""Meta's own browser library ignores a longer fbclid."""
COOKIE_SECONDS = 90 * 86_400


def fbc_from_url(url: str | None, now: float, *, known: str | None = None, subdomain_index: int = 1) -> str | None:
    """The `fbc` of a visit: `known` (the cookie's) where it can be read, unless the URL brings a different click.

    `now` in Unix seconds. `subdomain_index`: how many dots the cookie's domain has, 1 for `example.com`; a server that
    sets no cookie says 1 too.

    >>> fbc_from_url("https://shop.example/?fbclid=IwAR2F4-dbP0", 1596403881.668)
    'fb.1.1596403881668.IwAR2F4-dbP0'
    >>> fbc_from_url("https://shop.example/?fbclid=AbC", 1700000000.0, known="fb.1.1596403881668.AbC.AQICAQMC")
    'fb.1.1596403881668.AbC.AQICAQMC'
    >>> fbc_from_url("https://shop.example/?fbclid=AbC", 1700000000.0, known="fb.1.1596403881.AbC")
    'fb.1.1700000000000.AbC'
    >>> fbc_from_url("https://shop.example/", 1700000000.0) is None
    True
    """
    known = readable(known)
    return newer_fbc(url, now, known=known, subdomain_index=subdomain_index) or known


def newer_fbc(url: str | None, now: float, *, known: str | None, subdomain_index: int = 1) -> str | None:
    """The `fbc` of another click than the one in `known`, which is readable; None where the URL brings none.

    >>> newer_fbc("https://shop.example/?fbclid=AbC", 1700000000.0, known="fb.1.1596403881668.AbC") is None
    True
    """
    clicks = _clicks_in(url)
    # Of several the page's pixel has taken one already, the first; its copy and ours must name the same click.
    if not clicks or click_of(known) in clicks:
        return None
    return f"fb.{subdomain_index}.{int(now * 1000)}.{clicks[-1]}"


def seen_before(event_time: int, now: float) -> float:
    """When the click in the URL of an event was first seen, at the latest. Both in Unix seconds; an event of this very
    second has no fraction, and the click may have one. Of an event that is too old for Meta the time says nothing.

    >>> seen_before(1_699_990_000, 1_700_000_000.5), seen_before(1_700_000_000, 1_700_000_000.5)
    (1699990000, 1700000000.5)
    """
    return event_time if now - COOKIE_SECONDS < event_time <= now - 1 else now


def readable(fbc: object) -> str | None:
    """The `fbc` verbatim, where Meta could read it: one that cannot be read must not hide the click of a URL.

    >>> readable("fb.1.1596403881668.AbC"), readable("fb.1.1596403881.AbC"), readable("fb.1.1596403881668.undefined")
    ('fb.1.1596403881668.AbC', None, None)
    """
    return _read(fbc, quick_fbc, normalize_fbc)


def readable_fbp(fbp: object) -> str | None:
    """The `fbp` verbatim, where Meta could read it: one that cannot be read must not hide the cookie's, nor keep a new
    one from being made.

    >>> readable_fbp("fb.1.1596403881668.1116446470"), readable_fbp("undefined"), readable_fbp(42)
    ('fb.1.1596403881668.1116446470', None, None)
    """
    return _read(fbp, quick_fbp, normalize_fbp)


def _read(said: object, quick: Callable[[str], str | None], normalize: Callable[[str], object]) -> str | None:
    if not said or not isinstance(said, str):
        return None
    normal = quick(said) or normalize(said)
    return normal if isinstance(normal, str) else None


def new_fbp(now: float, random_number: int, *, subdomain_index: int = 1) -> str:
    """A browser id for a visitor who has none yet.

    >>> new_fbp(1596403881.668, 1116446470)
    'fb.1.1596403881668.1116446470'
    """
    return f"fb.{subdomain_index}.{int(now * 1000)}.{random_number}"


def cookie_line(name: str, value: str, *, domain: str | None = None, is_secure: bool) -> str:
    """The value of a `Set-Cookie` header for one of the two ids; without `domain` it holds for this host alone.

    Not HttpOnly: the pixel reads these cookies and writes them itself.

    >>> cookie_line("_fbp", "fb.1.1596403881668.1116446470", is_secure=True)
    '_fbp=fb.1.1596403881668.1116446470; Max-Age=7776000; Path=/; SameSite=Lax; Secure'
    """
    where = f"; Domain={domain}" if domain else ""
    secure = "; Secure" if is_secure else ""
    return f"{name}={value}{where}; Max-Age={COOKIE_SECONDS}; Path=/; SameSite=Lax{secure}"


def click_of(fbc: str | None) -> str | None:
    """The fbclid inside an fbc: the fourth segment, also where a fifth (an appendix) follows."""
    segments = fbc.split(".") if fbc else []
    return segments[3] if len(segments) in (4, 5) else None


def may_bring_click(text: str) -> bool:
    """Whether a URL names a click at all; some letters of the name may be encoded, as those of any name.

    >>> may_bring_click("https://shop.example/?fb%63lid=AbC"), may_bring_click("https://shop.example/?utm_source=fb")
    (True, False)
    """
    return "fbclid" in text or ("%6" in text and _ENCODED_NAME.search(text) is not None)


def _clicks_in(url: str | None) -> list[str]:
    """The click ids in the query; the last one was added last. A link in HTML may have written its `&` as `&amp;`."""
    if not url or len(url) > LONGEST_URL or not may_bring_click(url):
        return []
    before, _, rest = url.partition("fbclid=")
    common = _COMMON_CLICK.fullmatch(rest) if _COMMON_QUERY.fullmatch(before) else None
    if common and "fbclid" not in rest and _is_click(common[1]):
        return [common[1]]
    # Not urlsplit: it brings the host into a normal form, which takes the square of its length.
    page, _, query = url.partition("#")[0].partition("?")
    if "[" in page:  # no host of a shop
        return []
    try:
        members = parse_qsl(query, max_num_fields=MOST_MEMBERS)
    except ValueError:
        return []
    return [click for name, click in members if name in ("fbclid", "amp;fbclid") and _is_click(click)]


_ENCODED_NAME = re.compile("(?:f|%66)(?:b|%62)(?:c|%63)(?:l|%6[cC])(?:i|%69)(?:d|%64)")

# The one click of a query of few members. No other name is spelled with an escape, so none of them is a click's.
_MEMBER = r"[A-Za-z0-9_.~\[\]-]*+(?:=[^#&;]*+)?"
_COMMON_QUERY = re.compile(rf"[^\[?#]*+\?(?:{_MEMBER}&){{0,20}}")
_COMMON_CLICK = re.compile(rf"([A-Za-z0-9_-]{{1,500}}+)(?:&{_MEMBER}){{0,20}}(?:#[\s\S]*+)?")


def _is_click(text: str) -> bool:
    if not text.isascii() or len(text) > LONGEST_CLICK_ID or is_nothing(text):
        return False
    return text.replace("-", "").replace("_", "").isalnum()
