"""A buyer's name as one text, as cards and checkouts have it, in two parts as Meta matches them.

What could go wrong: the wrong part is hashed as the first name, and matches nobody or somebody else. So a text is only
parted where its order is known. Chinese, Japanese and Korean letters put the family first, and often no space between:
nobody can tell there where it ends. A comma puts the family first, too, and a title is nobody's name.
"""

from conversion_relay.patterns import seldom

_EAST_ASIAN = seldom(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_TITLES = frozenset(
    ["mr", "mrs", "ms", "miss", "mx", "dr", "prof", "herr", "frau", "sr", "sra", "srta", "mme", "mlle", "dott"]
)
_BEHIND = frozenset(["jr", "sr", "ii", "iii", "iv", "phd", "md", "esq", "inc", "ltd", "llc", "gmbh"])
LONGEST = 300


def parts_of(name: str) -> tuple[str | None, str | None]:
    """First and last name, None for what is not known.

    >>> parts_of("Ada King Lovelace"), parts_of("Dr. Ada Lovelace"), parts_of("Lovelace, Ada")
    (('Ada', 'King Lovelace'), ('Ada', 'Lovelace'), ('Ada', 'Lovelace'))
    >>> parts_of("\\u5c71\\u7530\\u3000\\u592a\\u90ce") == ("\\u592a\\u90ce", "\\u5c71\\u7530")
    True
    """
    if len(name) > LONGEST:
        return None, None
    before, _, after = name.partition(",")
    if after and all(word.rstrip(".").lower() in _BEHIND for word in _words(after)):
        name = before
    elif "," not in after and _words(before) and _words(after):
        return " ".join(_words(after)), " ".join(_words(before))
    words = _words(name, 2)  # of "Dr. Lovelace" the last name is right
    if _EAST_ASIAN.search(name):
        return (" ".join(words[1:]), words[0]) if len(words) > 1 else (None, None)
    return (words[0] if words else None), " ".join(words[1:]) or None


def _words(text: str, at_least: int = 1) -> list[str]:
    words = text.replace(",", " ").split()
    while len(words) > at_least and words[0].rstrip(".").lower() in _TITLES:
        words = words[1:]
    return words
