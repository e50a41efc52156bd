"""Takes personal data out of where none belongs: URLs, and objects that a caller fills freely.

What could go wrong: a page's URL often holds a person or a key to their account (`?email=`, `?reset_token=`,
user:password@, /thanks/joe@example.com). It would travel to Meta in clear and into every log on the way.

The rule for a URL is a list of what may stay, not of what must go, because nobody can list the names under which sites
put a person into a query: scheme, host, path, and the query members in QUERY_KEYS. Fragment and credentials go. A
path has no names to choose by, so a segment of it that holds an e-mail address becomes "-".

Free objects (`custom_data` and its like) have names that only their site knows, so here it is the other way round:
everything stays except e-mail addresses, in values and in names.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from conversion_relay import event_id

# fbclid makes the click id; utm_* are campaign names: https://support.google.com/analytics/answer/10917952
QUERY_KEYS = frozenset({"fbclid", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id"})
"""Members of a URL's query that are sent; every other one may name a person or open their account."""


def scrub_url(url: str | None) -> str | None:
    """The URL without fragment, credentials and members of its query that are not in QUERY_KEYS; None if it is none.

    >>> scrub_url("https://u:p@shop.example/thanks?email=joe%40example.com&utm_source=fb&fbclid=AbC#top")
    'https://shop.example/thanks?utm_source=fb&fbclid=AbC'
    >>> scrub_url("https://shop.example/thanks/joe@example.com")
    'https://shop.example/thanks/-'
    """
    if not url or "\x00" in url:
        return None
    if _PLAIN_URL.fullmatch(url):
        return url
    if _HALF_PAIR.search(url):
        return None
    try:
        parts = urlsplit(url.strip())
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "android-app", "ios-app") or not host.strip():
        return None
    path = parts.path
    if event_id.holds_email(path):
        path = "/".join("-" if event_id.holds_email(segment) else segment for segment in path.split("/"))
    # White space that stood before a query or a fragment would be at the end now.
    return urlunsplit((parts.scheme, host, path, _query(parts.query), "")).strip()


# The addresses of most pages: nothing in them can be removed, so they need not be parsed. No "%", no "@", no "?".
_PLAIN_URL = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII)
# Half of a surrogate pair has no UTF-8, so it can be in no address, and nothing could encode it.
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")


def _query(query: str) -> str:
    kept = [(k, v) for k, v in parse_qsl(query) if k in QUERY_KEYS and not event_id.holds_email(v)] if query else []
    return urlencode(kept)


def without_personal_data(value: Any) -> Any:
    """The value without texts and members that hold an e-mail address, and without nulls; None for such a text."""
    if isinstance(value, str):
        return None if event_id.holds_email(value) else value
    if isinstance(value, dict):
        kept = ((k, without_personal_data(v)) for k, v in value.items() if not event_id.holds_email(k))
        return {k: v for k, v in kept if v is not None}
    if isinstance(value, list):
        return [kept for item in value if (kept := without_personal_data(item)) is not None]
    return value


def may_hold_personal_data(encoded: bytes) -> bool:
    """Whether this JSON could hold anything that `without_personal_data` removes; false alarms cost a walk, no more."""
    return _TO_REMOVE.search(encoded) is not None


_TO_REMOVE = re.compile(rb"@|%40|null")
