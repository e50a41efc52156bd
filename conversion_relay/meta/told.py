"""What of Meta's own words may be kept: the sentence for the person who mends it, and nothing of the visitor.

What could go wrong. Meta's sentence names the field and what to do, in the language of the token's owner, so it is
worth keeping. It may also quote what it complains about: an address that somebody put into a URL, an IP address, a
click id, or the token ("Malformed access token EAAB..."). What is kept goes into the ledger, logs, terminals and pages.

The rule. What we sent was hashed and scrubbed at the door, so only a few kinds of values can be quoted. Each of them
is struck out by its shape: e-mail addresses and phone numbers, digests, long codes that hold a digit (tokens, browser
ids), IP addresses, user agents, and the query of a URL. A name cannot be known by its shape; none is ever sent in
clear.

Rejected: to keep only sentences that are known, since they come in every language; to strike out whatever is quoted,
since the path of the field is.
"""

import re

from conversion_relay.telemetry import without_persons

MOST_READ = 1_000
"""Characters of a text that are looked at. More than are kept, so that nothing is cut in half and then not known."""
_QUERY = re.compile(r"(https?://[^\s?#]{1,400})[?#]\S*")
_BROWSER = re.compile(r"\bfb\.\d\.\S+")
_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}"
)
_COMMENT = r"\([^()]*(?:\([^()]*\)[^()]*)*(?:\)|$)|\[[^\]]*(?:\]|$)"
_AGENT = re.compile(
    rf"(?<![\w/.:-])[A-Za-z][\w-]*/\d[\w.]*(?: {{0,2}}(?:{_COMMENT}|\b[A-Z]\w*/[\w.]+|(?:Mobile|Safari)\b))*"
)
"""Products with their versions, and comments: Mozilla/5.0 (...) AppleWebKit/537.36 (KHTML, like Gecko)."""
_CODE = re.compile(r"[A-Za-z0-9_\-]{20,}")


def told(value: object, most: int) -> str | None:
    """One line of Meta's text, at most so many characters, printable, without what it quotes of a person or a token.

    >>> told("Malformed access token EAABwzLixnjYBO1234567890 for joe@example.com", 200)
    'Malformed access token *** for ***'
    >>> told("The parameter $['data'][0]['event_source_url'] is required", 200)
    "The parameter $['data'][0]['event_source_url'] is required"
    """
    if not isinstance(value, str):
        return None
    text = "".join(c for c in value[:MOST_READ] if c.isprintable())
    if len(value) > MOST_READ:
        text = text.rpartition(" ")[0]
    text = _AGENT.sub("***", text)
    text = _QUERY.sub(r"\1", text)
    text = _ADDRESS.sub("***", _BROWSER.sub("***", text))
    text = _CODE.sub(lambda code: "***" if any(c.isdigit() for c in code[0]) else code[0], text)
    return without_persons(text)[:most]
