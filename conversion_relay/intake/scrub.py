"""Personal data where none belongs: in URLs, and in what a caller writes freely."""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from conversion_relay import event_id

QUERY_KEYS = frozenset({"fbclid", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id"})
"""What of a URL's query leaves: everything else may name a person or open their account."""


def scrub_url(url: str | None) -> str | None:
    """The URL without fragment, credentials and query members off the allow-list; None where none can be read.

    >>> scrub_url("https://u:p@shop.example/thanks?email=joe%40example.com&utm_source=fb&fbclid=AbC#top")
    'https://shop.example/thanks?utm_source=fb&fbclid=AbC'
    >>> scrub_url("https://shop.example/thanks/joe@example.com")
    'https://shop.example/thanks/-'
    """
    if not url or "\x00" in url:
        return None
    if _PLAIN_URL.fullmatch(url):
        return url
    try:
        parts = urlsplit(url.strip())
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "android-app", "ios-app") or not host:
        return None
    path = parts.path
    if event_id.holds_email(path):
        path = "/".join("-" if event_id.holds_email(segment) else segment for segment in path.split("/"))
    return urlunsplit((parts.scheme, host, path, _query(parts.query), ""))


# Nothing in it to remove: most pages' addresses.
_PLAIN_URL = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII)


def _query(query: str) -> str:
    kept = [(k, v) for k, v in parse_qsl(query) if k in QUERY_KEYS and not event_id.holds_email(v)] if query else []
    return urlencode(kept)


def without_personal_data(value: Any) -> Any:
    """The value without e-mail addresses, in texts or in names, and without what says nothing."""
    if isinstance(value, str):
        return None if event_id.holds_email(value) else value
    if isinstance(value, dict):
        kept = ((k, without_personal_data(v)) for k, v in value.items() if not event_id.holds_email(k))
        return {k: v for k, v in kept if v is not None}
    if isinstance(value, list):
        return [kept for item in value if (kept := without_personal_data(item)) is not None]
    return value


def may_hold_personal_data(encoded: bytes) -> bool:
    """Whether JSON may hold what `without_personal_data` removes: one search, since most holds nothing."""
    return _TO_REMOVE.search(encoded) is not None


_TO_REMOVE = re.compile(rb"@|%40|null")
