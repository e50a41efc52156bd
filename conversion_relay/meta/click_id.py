"""Meta's two browser ids: `_fbp` (which browser) and `_fbc` (which click on an ad).

Their case carries meaning and Meta compares them byte by byte, so they are read and kept verbatim, never rebuilt:
https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc
"""

from urllib.parse import parse_qsl, urlsplit

LONGEST_CLICK_ID = 500
"""Meta's own browser library ignores a longer fbclid."""
COOKIE_SECONDS = 90 * 86_400


def fbc_from_url(url: str | None, now: float, *, known: str | None = None, subdomain_index: int = 1) -> str | None:
    """The `fbc` of a visit: the cookie's, unless the URL brings a different click.

    `subdomain_index`: of the domain that the cookie is set for, `example.com` is 1; a server that stores no cookie says
    1 too. Segment 3 is milliseconds.

    >>> fbc_from_url("https://shop.example/?fbclid=IwAR2F4-dbP0", 1596403881.668)
    'fb.1.1596403881668.IwAR2F4-dbP0'
    >>> fbc_from_url("https://shop.example/?fbclid=AbC", 1700000000.0, known="fb.1.1596403881668.AbC.AQICAQMC")
    'fb.1.1596403881668.AbC.AQICAQMC'
    >>> fbc_from_url("https://shop.example/", 1700000000.0) is None
    True
    """
    click = _click_in(url)
    if click is None or click == click_of(known):
        return known
    return f"fb.{subdomain_index}.{int(now * 1000)}.{click}"


def new_fbp(now: float, random_number: int, *, subdomain_index: int = 1) -> str:
    """A browser id for a visitor who has none yet.

    >>> new_fbp(1596403881.668, 1116446470)
    'fb.1.1596403881668.1116446470'
    """
    return f"fb.{subdomain_index}.{int(now * 1000)}.{random_number}"


def cookie_line(name: str, value: str, *, domain: str | None = None, is_secure: bool) -> str:
    """Of `Set-Cookie`, for one of the two; without a domain for this very host. Not HttpOnly: the pixel reads and owns
    them.

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


def _click_in(url: str | None) -> str | None:
    if not url or "fbclid=" not in url:
        return None
    try:
        query = urlsplit(url).query
    except ValueError:
        return None
    click = dict(parse_qsl(query)).get("fbclid", "")
    clean = click.isascii() and click.replace("-", "").replace("_", "").isalnum()
    return click if clean and len(click) <= LONGEST_CLICK_ID else None
