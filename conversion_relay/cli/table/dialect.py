"""How a CSV file is written: charset, delimiter, decimal sign, order of day and month; from a look at its beginning.

What could go wrong. Excel writes what its country and its menu say: semicolons where the comma is the decimal sign,
cp1252 or UTF-16, a byte order mark or none, dates as text. A wrong guess is worse than none: 1.234 becomes 1234, the
3rd of April the 4th of March, and 100,000 events go to Meta with a wrong time or value before anybody sees it.

The rule. What the bytes prove is used (a byte order mark, a day above 12, two digits behind the last comma). What they
do not prove is asked, with the option that answers it.
"""

import codecs
import csv
import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

Decimal = Literal[".", ","]
DateOrder = Literal["dmy", "mdy", "ymd"]
_MOST_WESTERN = 0.15
"""Of a file's bytes, letters with accents; where each letter is one or two such bytes, there are more."""
DELIMITERS = (";", ",", "\t", "|")


class Question(msgspec.Struct, frozen=True):
    """What the file does not tell, and the options one of which answers it."""

    what: str
    options: tuple[str, ...]


def charset(head: bytes, *, is_whole: bool) -> str | Question:
    """`head`: the first bytes of the file. `is_whole`: nothing comes after them.

    >>> charset(b"\\xef\\xbb\\xbfemail", is_whole=True), charset("Jürgen".encode(), is_whole=True)
    ('utf-8-sig', 'utf-8')
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head[:200]:
        what = "the file holds zero bytes, as UTF-16 without its byte order mark does"
        return Question(what, ("--encoding utf-16-le", "--encoding utf-16-be"))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, is_whole)
    except UnicodeDecodeError:
        if sum(byte > 127 for byte in head) > _MOST_WESTERN * len(head):
            what = (
                "the file is not UTF-8, and of no western country; Excel for Windows writes the charset of its country"
            )
            return Question(
                what, tuple(f"--encoding {name}" for name in ("cp1251", "cp932", "gb18030", "cp949", "big5"))
            )
        return Question(
            "the file is not UTF-8; Excel for Windows writes cp1252 in western countries",
            ("--encoding cp1252", "--encoding cp1250", "--encoding latin-1"),
        )
    return "utf-8"


def delimiter(first_line: str) -> str | Question:
    """Of the line with the headings. A file of one column needs none.

    >>> delimiter("email;value;date"), delimiter("sep=|"), delimiter("email")
    (';', '|', ',')
    """
    if first_line.lower().startswith("sep=") and len(first_line.strip()) == 5:
        return first_line[4]
    bare = re.sub(r'"[^"]*"', "", first_line)
    found = [sign for sign in DELIMITERS if sign in bare]
    if len(found) <= 1:
        return found[0] if found else ","
    counts = sorted(((bare.count(sign), sign) for sign in found), reverse=True)
    if counts[0][0] >= 3 * counts[1][0]:
        return counts[0][1]
    return Question(
        "the headings hold several signs that could part columns", tuple(f"--delimiter '{s}'" for s in found)
    )


def parts(line: str, sign: str) -> list[str]:
    return next(csv.reader([line], delimiter=sign), [])


def decimal(amounts: Iterable[str]) -> Decimal | Question | None:
    """From amounts as they are written; None where no sign is needed.

    >>> decimal(["299,99", "1.000,50"]), decimal(["1299.9"]), decimal(["12", "7"])
    (',', '.', None)
    >>> isinstance(decimal(["1.234"]), Question), isinstance(decimal(["1,5", "1.5"]), Question)
    (True, True)
    """
    proofs, is_open = set(), False
    for amount in amounts:
        text = re.sub(r"[^\d.,]", "", amount).strip(".,")  # of "5.0 €" and "Rs. 500" what is the number
        signs = [c for c in text if c in ".,"]
        if not signs:
            continue
        last = signs[-1]
        if len(set(signs)) == 2:
            proofs.add(last)
        elif len(signs) > 1:
            proofs.add("," if last == "." else ".")  # 1.234.567: a sign that comes twice parts thousands
        elif len(text) - text.index(last) - 1 == 3:
            is_open = True
        else:
            proofs.add(last)
    if len(proofs) == 1:
        return "," if proofs == {","} else "."
    if proofs or is_open:
        what = "amounts are written in two ways" if proofs else "1.234 could be a thousand or little more than one"
        return Question(what, ("--decimal .", "--decimal ,"))
    return None


_SLASHED = re.compile(r"\s*(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})\b")


def date_order(times: Sequence[str]) -> DateOrder | Question | None:
    """Of dates with slashes, which every country orders differently; None where there is none.

    >>> date_order(["31/12/2026", "01/02/2026"]), date_order(["12/31/2026"]), date_order(["2026-12-31"])
    ('dmy', 'mdy', None)
    >>> isinstance(date_order(["03/04/2026"]), Question)
    True
    """
    found = [(int(m[1]), int(m[2])) for text in times if (m := _SLASHED.match(text))]
    if not found:
        return None
    is_dmy, is_mdy = any(first > 12 for first, _ in found), any(second > 12 for _, second in found)
    if is_dmy != is_mdy:
        return "dmy" if is_dmy else "mdy"
    what = "dates are written in two ways" if is_dmy else "in 03/04/2026 either number could be the month"
    return Question(what, ("--dates dmy", "--dates mdy"))
