"""E-mail addresses in a plain text (`plain.py`), also "joe (at) example (dot) com".

From each @ the text is read to both sides: at most 64 characters of a local part and 255 of a domain, which is what RFC
5321 (4.5.3.1) allows. A regular expression that begins at the local part would read a text of letters again from every
letter of it; 25 kB took seven seconds. Here nothing is read twice, since a side ends at the next @.

An address needs a dot in its domain and letters behind the last one: "price@3.50", "react@18.2.0" and "logo@2x.png" are
none.
"""

import re
from collections.abc import Iterator

from conversion_relay.patterns import seldom

LONGEST_LOCAL, LONGEST_DOMAIN = 64, 255


def email_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses stand in a plain text, from left to right.

    >>> [text[a:b] for text in ("to: <joe.o'neil@example.com>, x",) for a, b in email_spans(text)]
    ["joe.o'neil@example.com"]
    """
    read = 0
    for sign in _SIGN.finditer(text):
        at = sign.start()
        domain = _DOMAIN.match(text, at + 1, at + 1 + LONGEST_DOMAIN)
        if domain and not _RETINA.match(text, at + 1):
            begin = _local_begin(text, max(read, at - LONGEST_LOCAL), at)
            if begin < at:
                read = domain.end()
                yield begin, read


def holds_email(text: str) -> bool:
    """Whether a plain text holds an address, also one that is spelled out.

    >>> holds_email("joe (at) example (dot) com"), holds_email("joe at example dot com"), holds_email("at polka dot x")
    (True, True, False)
    """
    if "@" in text and any(email_spans(text)):
        return True
    spelled = spelled_out(text)
    return spelled is not None and any(email_spans(spelled))


def spelled_out(text: str) -> str | None:
    """The text with its "(at)" and " dot " as signs; None where nothing is spelled out."""
    found = text
    if ("(" in text or "[" in text or "{" in text or "<" in text) and _BRACKET.search(text):
        found = _DOT.sub(".", _AT.sub("@", found))
    lower = found.lower()
    if " dot " in lower and (" at " in lower or "@" in lower):
        words = lower.replace(" at ", "@").replace(" dot ", ".")
        # Dots of cloth and of maps are spelled out, too; so here the last word must be an ending that is in use.
        if any(words[:end].rpartition(".")[2] in _ENDINGS for _, end in email_spans(words)):
            found = words
    return found if found != text else None


def _local_begin(text: str, earliest: int, at: int) -> int:
    """Where the local part before this @ begins; `at` where there is none."""
    before = text[earliest:at]
    # A guest of a directory is "joe_example.com#EXT#@company.onmicrosoft.com"; elsewhere # begins a fragment.
    run = (_GUEST_BACKWARDS if before[-1:] == "#" else _LOCAL_BACKWARDS).match(before[::-1])
    size = run.end() if run else 0
    if size == 0 and before:
        # As in: "joe smith"@example.com, joe(work)@example.com, {joe}@example.com
        opened = {'"': '"', ")": "(", "}": "{"}.get(before[-1])
        found = before.rfind(opened, 0, len(before) - 1) if opened else -1
        if found < 0 or not _WORD.search(before, found):
            return at
        more = _LOCAL_BACKWARDS.match(before[:found][::-1])
        return earliest + found - (more.end() if more else 0)
    local = before[len(before) - size :]
    size -= len(local) - len(local.lstrip("'`*.-"))
    return at - size if _WORD.search(local) else at


# With something on both sides; a long row of signs is passed over at once.
_SIGN = seldom(r"(?<![\s/@])@(?=[^\W_]|\[)")
_LOCAL_BACKWARDS = seldom(r"[^\s/?#&=:;,<>()\[\]{}\"@|]+")
_GUEST_BACKWARDS = seldom(r"[^\s/?&=:;,<>()\[\]{}\"@|]+")
_WORD = seldom(r"[^\W_]")
_DOMAIN = seldom(
    r"(?:(?:[^\W_]|-){1,63}\.){1,10}(?:xn--[A-Za-z0-9-]{2,59}|[^\W\d_]{2,63})|\[(?:IPv6:)?[0-9A-Fa-f.:]{7,45}\]"
)
_RETINA = seldom(r"[1-9](?:\.\d)?x\.(?:png|jpe?g|gif|webp|avif|svg|heic)", re.IGNORECASE)
_BRACKET = seldom(r"[(\[{<]\s{0,2}(?:at|@|dot|arroba|punkt|punto|point)\s{0,2}[)\]}>]", re.IGNORECASE)
_AT = seldom(r"\s{0,2}[(\[{<]\s{0,2}(?:at|arroba|@)\s{0,2}[)\]}>]\s{0,2}", re.IGNORECASE)
_DOT = seldom(r"\s{0,2}[(\[{<]\s{0,2}(?:dot|punkt|punto|point|\.)\s{0,2}[)\]}>]\s{0,2}", re.IGNORECASE)
_ENDINGS = frozenset(
    word
    for line in (
        "com net org info biz edu gov eu de at ch fr it es pt nl be pl cz se no dk fi uk ie us ca mx br ar au nz jp",
        "cn in ru io co me app dev shop store online site example test",
    )
    for word in line.split()
)
