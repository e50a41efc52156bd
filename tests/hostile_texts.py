"""Texts that make a careless scanner slow: runs of each kind of character, with what it looks for before or after."""

import random
from collections.abc import Callable, Iterator

UNITS = [
    *["a", "A", "1", "0", " ", "@", ".", "-", "_", "(", ")", ",", ";", "#", "x", "+", "/", "?", "&", "="],
    *["%", "'", "`", "{", "}", "[", "]", "<", ">", "|", "*", "$", "~", ":", "\\", '"', "\n", "\t", "\r\n"],
    *["\x00", "é", "ß", "İ", "한", "李", "̖́", "̧̖́", "á", "ａ", "٣", "❤️", "\u200b", "\ud83d", "🇩🇪", "ﷺ"],
    *["\xa0", "a.", "a@", "a@b.", ".a@", "a-", "1-", "(0)", "00", " ext ", " x1", ",1", ";ext=1", "#1"],
    *["1 ", "tel:", "%40", "%2540", "&fbclid=a", "fbclid=", "?a=b", "//", "../", "fb.1.", "::", "[::"],
    *["1.", "{{", "}}", "sha256(", "md5()", "()", "%%", "*|", " - at `$", "`)", "null", "NaN,", "[],"],
    *["{},", '"",', '"a":1,', "\\u", "\\ud83d", "a b ", "a,b,", "a; _fbp=", "1/1/"],
]
ENDS = ["", "@", "!", "1", "]", '"', "@b.example", "\ud83d"]
STARTS = [
    "",
    "+1",
    "https://a.example/",
    "https://a.example/?fbclid=",
    "fb.1.1596403881668.",
    "[",
    '{"a":"',
    '[{"a":"',
    "{{",
]


Pattern = Callable[[int], str]
"""A text of about so many characters."""


def _patterns(seed: int = 7) -> Iterator[Pattern]:
    """Long runs of each unit with some start and end, pairs of units, and a mixture."""
    chosen = random.Random(seed)
    for unit in UNITS:
        for start, end in (("", ""), (chosen.choice(STARTS), chosen.choice(ENDS))):
            yield lambda size, u=unit, s=start, e=end: f"{s}{u * (size // len(u))}{e}"
    for _ in range(20):
        one, other = chosen.sample(UNITS, 2)
        yield lambda size, both=one + other: both * (size // len(both))
        yield lambda size, u=one, v=other: u * (size // 2 // len(u)) + v * (size // 2 // len(v))
    yield lambda size: "".join(random.Random(seed).choices(UNITS, k=size // 2))


PATTERNS = list(_patterns())
