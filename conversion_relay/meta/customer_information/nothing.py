"""Values that say nothing: words for "no value", templates that nobody filled in, and the digests of both.

What could go wrong: a site hashes before it looks, and every visitor without an address gets the SHA-256 of "" or of
"undefined". To Meta that is one person with a thousand purchases; as `external_id` it joins strangers. The digest looks
like any other, so the digests of all words here are known, in the spellings that programs write.

What is not here: words that are somebody's name ("Nan", "Nil", "True") but in the spelling of a program ("NaN", "nan").
"""

import re
from functools import cache
from hashlib import md5, sha1, sha256
from typing import Final

from conversion_relay.patterns import seldom

WORDS: Final = frozenset(
    {
        *("null", "undefined", "none", "n/a", "n.a.", "#n/a", "not set", "not_set", "not provided", "not available"),
        *("(null)", "(none)", "(not set)", "(not provided)", "(undefined)", "(empty)", "<null>", "<none>", "[null]"),
        *("[undefined]", "[none]", "[]", "{}", "[object object]", "[object undefined]", "[object null]", "''", '""'),
        *("undefined undefined", "null null", "undefinedundefined", "nullnull", "unknown", "nullptr", "nonetype"),
    }
)
"""In lower case; any case is meant."""
_AS_WRITTEN = frozenset({"NaN", "nan", "NAN", "-nan", "+nan", "<NA>", "NaT"})
"""In exactly this spelling: Nan is a first name."""
WORDS_IN_LETTERS: Final = frozenset(re.sub(r"[^a-z]", "", word.lower()).encode() for word in WORDS | _AS_WRITTEN)
"""What the letters of these come to; a quick rule leaves whatever comes to one of them to the careful one."""
_NOBODY = frozenset({"0", "-1", "guest", "anonymous", "false", "true", "00000000-0000-0000-0000-000000000000"})
"""As an id: what shops give to a visitor without an account."""
IDS_OF_NOBODY: Final = frozenset(word.lower().encode() for word in WORDS | _AS_WRITTEN | _NOBODY)
MARKS: Final = b"{}<>%|(["
"""One of these stands in every template."""

# Handlebars and Liquid {{x}}, ${x}, #{x}, {x}, <%x%>, {%x%}, %%X%%, *|X|* (Mailchimp), [[x]], [[[x]]], %X%, and a
# function that was never called. An opening mark alone is enough: no name and no address holds one.
_TEMPLATE = seldom(
    r"\{\{|\}\}|[$#%@]\{|\{%|%\}|<%|%>|%%|\*\||\|\*|\[\[|\]\]|\{[a-z_.]+\}|%[a-z_.]{2,40}%|<[a-z_]{2,20}>"
    r"|\b(?:sha-?256|sha-?1|md5|hash|hex|lower|trim|tolowercase|normalize)\w{0,20}\([^()]*\)",
    re.IGNORECASE,
)

_MARK = re.compile(f"[{re.escape(MARKS.decode())}]")


def is_nothing(text: str, *, is_id: bool = False) -> bool:
    """Whether a trimmed value in clear says nothing. `is_id`: it is meant as an id of a person.

    >>> is_nothing("(Not Set)"), is_nothing("{{user.email}}"), is_nothing("NaN"), is_nothing("Nan")
    (True, True, True, False)
    """
    if text.isalnum():
        return text.lower() in WORDS or text in _AS_WRITTEN or (is_id and text.lower() in _NOBODY)
    if len(text) > 1_024:
        return False
    if text.lower() in WORDS or text in _AS_WRITTEN or (is_id and text in _NOBODY):
        return True
    return _MARK.search(text) is not None and _TEMPLATE.search(text) is not None


def is_digest_of_nothing(digest: str) -> bool:
    """Whether a hexadecimal digest in lower case is that of a value that says nothing; an appendix is not looked at.

    >>> is_digest_of_nothing("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    True
    """
    return digest.partition(".")[0] in digests_of_nothing()


def _spellings() -> set[str]:
    words = {"", " ", "\n", "-", *_AS_WRITTEN, *_NOBODY, "[object Object]", "sha256hex()"}
    for word in WORDS:
        words |= {word, word.upper(), word.title(), word.capitalize(), word.replace(" ", "")}
    as_names = {re.sub(r"[^a-z]", "", word) for word in WORDS}
    return words | {word for word in as_names if len(word) > 3}  # Na is a family's name


@cache
def digests_of_nothing() -> frozenset[str]:
    """By the three hashes that people use, and twice by SHA-256: some hash what another had hashed to nothing.

    It takes a millisecond, which the first digest that comes pays.
    """
    once = [word.encode() for word in _spellings()]
    found = {hashed(word, usedforsecurity=False).hexdigest() for word in once for hashed in (sha256, md5, sha1)}
    twice = {sha256(sha256(word).hexdigest().encode()).hexdigest() for word in once}
    return frozenset(found | twice)
