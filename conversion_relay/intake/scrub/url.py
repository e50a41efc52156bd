"""Takes personal data out of URLs.

What could go wrong: a page's URL often holds a person or a key to their account (`?email=`, `?reset_token=`,
user:password@, /thanks/joe@example.com). It would travel to Meta in clear and into every log on the way.

The rule for a URL is a list of what may stay, not of what must go, because nobody can list the names under which sites
put a person into a query: scheme, host, path, and the query members in QUERY_KEYS. Fragment and credentials go. A
path has no names to choose by, so a segment of it that holds an e-mail address or a phone number becomes "-"; so does a
segment that says name=value of a person. A member of the query that holds one goes.

Most URLs of pages and campaigns are made of letters, digits and a few signs, and of percent-escapes and pluses in a
campaign's name. `quick_url` knows those, looks at the few members that stay, and says what `careful_url` would
(`test_url.py` compares the two).

Bounded: a URL longer than LONGEST_URL loses its query first, most of which goes anyway; a host longer than DNS allows
is none.
"""

import re
from urllib.parse import parse_qsl, quote_plus, unquote, urlencode, urlsplit, urlunsplit

from conversion_relay.intake.scrub.names import read_name
from conversion_relay.patterns import seldom
from conversion_relay.personal_data import ROUNDS, has_zeros, held, is_quiet, unquoted, without_entities

# fbclid makes the click id; utm_* are campaign names: https://support.google.com/analytics/answer/10917952
QUERY_KEYS = frozenset({"fbclid", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id"})
"""Members of a URL's query that are sent; every other one may name a person or open their account."""
LONGEST_URL = 8_192
"""Characters; no browser's address bar and no log of Meta's shows as many."""
LONGEST_AUTHORITY = 1_024
MOST_LAYERS = 3
"""Of encoding in a campaign's name that is read quickly: a name is encoded once more by each tool that adds it."""
FEWEST_DIGITS = 7
"""Of a phone number behind a plus (`personal_data/phone.py`)."""


def scrub_url(url: str | None) -> str | None:
    """The URL without fragment, credentials and members of its query that are not in QUERY_KEYS; None if it is none.

    >>> scrub_url("https://u:p@shop.example/thanks?email=joe%40example.com&utm_source=fb&fbclid=AbC#top")
    'https://shop.example/thanks?utm_source=fb&fbclid=AbC'
    >>> scrub_url("https://shop.example/thanks/joe@example.com")
    'https://shop.example/thanks/-'
    """
    return (quick_url(url) or careful_url(url)) if url else None


def quick_url(url: str) -> str | None:
    """The same for a URL in which nothing can hold a person but what goes anyway; None for every other.

    >>> quick_url("https://shop.example/thanks?utm_source=fb&page=2#top"), quick_url("https://a.example/?utm_id=a%40b.de")
    ('https://shop.example/thanks?utm_source=fb', None)
    """
    found = _COMMON.fullmatch(url) if len(url) <= LONGEST_AUTHORITY else None
    if found is None or has_zeros(url) or "wa.me" in url.lower():
        return None
    page, path, query = found.groups()
    if "%" in path and not _ACCENTED.fullmatch(path) and not _is_nobodys(path):
        return None
    if not query:
        return page
    if "&" in url and without_entities(url) != url:
        return None
    if ("%" in query or "+" in query) and not _EVEN_NAMES.fullmatch(query):
        return None  # perhaps another spelling of a name that stays
    members = _STAYING.findall(query)
    written = _quick_query(members)
    if written is None and (written := _quick_members(members)) is None:
        return None
    return f"{page}?{written}" if written else page


def _is_nobodys(path: str) -> bool:
    """Whether a path with escapes stays as it is."""
    read = unquote(path)
    if "%" in read or "=" in read:
        return False
    if is_quiet(read):
        return True
    # A colon or its like, by which a segment could be cut from a number of several.
    return held(path) is None and not ("%3" in path and any(map(held, path.split("/"))))


def _quick_query(members: list[str]) -> str | None:
    """These, as `urlencode` writes them, where no value can hold a person; asked of all at once."""
    query = "&".join(members)
    if query.count("=") != len(members) or "=&" in query or query[-1:] == "=":
        return None
    if _PLAIN_QUERY.fullmatch(query):
        return query
    if not _AS_WRITTEN.fullmatch(query) or ("+" in query and any("+" in of and _may_be_number(of) for of in members)):
        return None
    read = unquoted(query.replace("+", " ").replace("=", " ").replace("&", " "))
    decoded = _decoded(read) if "%" in read else read
    return query.replace("%20", "+") if decoded is not None and is_quiet(decoded) else None


def _quick_members(members: list[str]) -> str | None:
    """The same, one by one."""
    kept = []
    for member in members:
        name, _, value = member.partition("=")
        known = value if _PLAIN.fullmatch(value) else _quick_value(value)
        if known is None:
            return None
        if known:
            kept.append(f"{name}={known}")
    return "&".join(kept)


def _quick_value(value: str) -> str | None:
    """A value of the query, as `urlencode` writes it, where neither of its readings can hold a person: a plus is a
    space, or begins a number. None where it has to be looked at."""
    read = unquoted(value.replace("+", " "))
    decoded = _decoded(read) if "%" in read else read
    if decoded is None or (not is_quiet(decoded) and ("=" in decoded or held(value) or ("+" in value and held(read)))):
        return None
    if "+" in value and _may_be_number(decoded):
        return None
    is_written = _AS_WRITTEN.fullmatch(value) and "\ufffd" not in read  # which may stand for bytes that are no UTF-8
    return value.replace("%20", "+") if is_written else quote_plus(read)


def _may_be_number(text: str) -> bool:
    return len(text.encode().translate(None, _NO_DIGITS)) >= FEWEST_DIGITS


def _decoded(text: str) -> str | None:
    """A name that was encoded again, or says "50 % off", as a person reads it; None where it takes more to read. Its
    percent signs, which stand for themselves, as a sign that `is_quiet` knows, and that parts words as they do."""
    for _ in range(MOST_LAYERS):
        if not _ENCODED.search(text):
            return text.replace("%", "!")
        text = unquote(text)
    return None


def careful_url(url: str) -> str | None:
    """`scrub_url` of any URL."""
    if "\x00" in url:
        return None
    if "&" in url:
        # A template escaped it, or two did. Its # and & would part an address in two, and the first half would stay.
        layers, url = 0, url[: 2 * LONGEST_URL]
        while (read := without_entities(url)) != url:
            layers, url = layers + 1, read
            if layers > ROUNDS:
                return None
    if len(url) > LONGEST_URL:
        url = url.partition("#")[0].partition("?")[0]
        if len(url) > LONGEST_URL:
            return None
    if _HALF_PAIR.search(url) or len(_AUTHORITY_ENDS.split(url.partition("//")[2], 1)[0]) > LONGEST_AUTHORITY:
        return None
    try:
        parts = urlsplit(url.strip())
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "android-app", "ios-app") or not host.strip():
        return None
    path = parts.path
    if held(host) == "email":
        return None
    if held(path) or "=" in path or "%3" in path:
        path = "/".join("-" if _is_of_a_person(segment) else segment for segment in path.split("/"))
        path = "/-" if held(path) else path
    # That the path of a chat's link is a number, its host says.
    if "wa.me" in host.lower() and held(f"{host}{path}"):
        path = "/-"
    # White space that stood before a query or a fragment would be at the end now.
    return urlunsplit((parts.scheme, host, path, _query(parts.query), "")).strip()


# No "@" and no port in front, no "=" in the path: nothing there that another reading could take for something else.
# What is cut off may be anything that is one word.
_SIGNS = "[A-Za-z0-9._~-]"
_COMMON = re.compile(
    r"(https?://[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)*((?:/[A-Za-z0-9._~%-]++)*/?+))"
    r"(?:\?([^\s#\x00-\x1f\x7f\ud800-\udfff]*+))?(?:#[^\s\x00-\x1f\x7f\ud800-\udfff]*+)?"
)
_PLAIN = re.compile(f"{_SIGNS}*+")
_PLAIN_QUERY = re.compile("[A-Za-z0-9._~=&-]*+")
# With the escapes that `urlencode` writes, or those of a space; a value, or several members.
_AS_WRITTEN = seldom(r"(?:[A-Za-z0-9._~=&+-]++|%(?:2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-D]|[89A-F][0-9A-F]))*")
# Letters with an accent, as browsers write them; no dot that a letter could follow which only looks like an m.
_ACCENTED = seldom(r"(?:[A-Za-z0-9_~/-]++|\.(?![%mM])|%C3%[89AB][0-9A-F])*")
_NO_DIGITS = bytes(code for code in range(256) if not chr(code).isascii() or not chr(code).isdigit())
# What is left of a percent sign in `plain`, which reads letters with accents as letters without: %2é is a dot.
_ENCODED = seldom(r"%(?:[0-9A-Fa-f]{2}|u|[\x00-\x7f]?[^\x00-\x7f])")
_NAMES = "|".join(sorted(QUERY_KEYS))
_REST_OF_NAMES = "|".join(sorted(name[1:] for name in QUERY_KEYS))
_EVEN_NAMES = seldom("(?:[^&=%+]*+(?:=[^&]*+)?&)*[^&=%+]*+(?:=[^&]*+)?")
# What stands before the name is looked at behind its first letter: that letter is what a search goes by.
_STAYING = re.compile(rf"[fu](?<![^&].)(?:{_REST_OF_NAMES})=[^&]*+")
_MEMBERS = f"(?:{_NAMES})={_SIGNS}++(?:&(?:{_NAMES})={_SIGNS}++)*"
PAGE = (
    rf"(?=[^\n]{{1,{LONGEST_AUTHORITY}}}+\n)(https?://[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)*(?:/{_SIGNS}++)*/?+"
    rf"(?:\?{_MEMBERS})?)(?:#[A-Za-z0-9._~/=&-]*+)?"
)
"""A line with a URL of which all but the fragment stays (in the group), unless it has zeros or "wa.me" in it."""
# Half of a surrogate pair has no UTF-8, so it can be in no address, and nothing could encode it.
_HALF_PAIR = seldom(r"[\ud800-\udfff]")


# Before urlsplit, which normalises a host in a time that grows with the square of its combining marks.
_AUTHORITY_ENDS = seldom(r"[/?#]")


def _is_of_a_person(segment: str) -> bool:
    """What holds a person, or says name=value of one; a segment of a path, or a campaign's name."""
    if held(segment):
        return True
    for pair in unquote(segment).replace(";", "&").split("&"):
        name, sign, value = pair.partition("=")
        if sign and value and len(name) <= 64 and read_name(name).strength == 3:
            return True
    return False


def _query(query: str) -> str:
    if not query:
        return ""
    # A plus is a space in a query, and the beginning of a phone number. So both readings are looked at.
    parts = [part for part in query.split("&") if not held(part.partition("=")[2])]
    members = parse_qsl("&".join(parts))
    kept = [(name, value) for name, value in members if name in QUERY_KEYS and not _is_of_a_person(value)]
    return urlencode(kept)
