"""Whether a member's name says that its value is a person's: `phone_number`, `billingFirstName`, `customer[email]`.

A list of names would miss most: each site builds its own out of the same few words. So a name is taken apart at
underscores, dashes, dots, brackets, spaces and capitals, and read as

    <before> <word> <behind>      billing | phone number | 2      acme | email | hash      email | campaign

The word is in the tables of `words.py`, as one or several parts ("e-mail", "dateOfBirth"). What stands behind it must
say nothing (a number, "hash", "home") or name a person: `email_campaign`, `phone_model`, `last_name_of_course` and
`city_tour` are a business's. What may stand before depends on how clear the word is. Substrings are never compared;
"headphones" holds a phone and "hostname" a name. Only a name that nothing parts ("billingphone") is cut after a known
first word.

A verdict depends on the name alone and is remembered; what stands around the name is `walk.py`'s part.
"""

from functools import cache, lru_cache
from typing import NamedTuple

from conversion_relay.intake.scrub import words
from conversion_relay.patterns import seldom
from conversion_relay.personal_data import folded

LONGEST_NAME = 128
MOST_PARTS = 12
LONGEST_UNPARTED = 40


class Name(NamedTuple):
    """What a member's name says. `strength` 3: its value is personal anywhere; 2: unless the object describes what is
    sold; 1: only beside a person's other members; 0: not."""

    strength: int = 0
    kind: str = ""
    parts: frozenset[str] = frozenset()
    is_person: bool = False
    """A container with this name holds a person: "customer", "shipping_address"."""
    is_business: bool = False
    """A container with this name describes what is sold."""
    is_code: bool = False
    """What stands here is a code, such as an EAN."""


@lru_cache(maxsize=8_192)
def read_name(name: str) -> Name:
    """What this name says. Names longer than LONGEST_NAME are the caller's to refuse.

    >>> [read_name(n).strength for n in ("phoneNumber", "acme_email_sha256", "zip", "store_zip", "email_campaign")]
    [3, 3, 2, 0, 0]
    """
    if name in words.CODES:
        return Name(2, words.CODES[name], frozenset((name,)))
    spelled = [part.casefold() for part in _PART.findall(folded(name))][-MOST_PARTS:]
    while spelled and spelled[-1].isdigit() and len(spelled) > 1:
        spelled.pop()
    if len(spelled) > 2 and spelled[0] == "q" and spelled[1].isdigit():
        del spelled[:2]  # Jotform's q3_name
    parts = frozenset(spelled)
    joined = "".join(spelled)
    strength, kind = _strongest(spelled) or _unparted(spelled) or _of_meta(name, parts) or _of_path(name) or _NO_WORD
    return Name(
        strength,
        kind,
        parts | {joined},
        is_person=joined in words.PERSONS or (bool(parts & words.PERSONS) and _only(spelled, _AROUND)),
        is_business=bool(parts & words.BUSINESS) and not strength,
        is_code=bool(parts & words.CODE_WORDS),
    )


def _strongest(parts: list[str]) -> tuple[int, str] | None:
    """The clearest reading of these parts as <before> <word> <behind>."""
    best: tuple[int, str] | None = None
    known, beginnings = _words()
    for begin in range(len(parts)):
        word = ""
        for end in range(begin + 1, len(parts) + 1):
            word += parts[end - 1]
            if word not in beginnings:
                break
            found = known.get(word)
            if found and (strength := _strength(word, parts[:begin], parts[end:])) and strength > (best or (0,))[0]:
                best = (strength, found[1])
    return best


def _strength(word: str, before: list[str], behind: list[str]) -> int:
    strength, kind = _words()[0][word]
    if not _only(behind, _BEHIND) and not _says_more_of_it(behind, kind):
        return 0
    if before and (_is_asked_for(word, before[-1]) or _is_of_an_event(kind, before)):
        return 3
    if strength == 3:
        return 0 if not words.NEVER_BEFORE.isdisjoint(before) else 3
    if not _only(before, _AROUND):
        return 0
    if not words.PERSONS.isdisjoint(before):
        return 3
    if not words.PERSONS.isdisjoint(behind):
        # "mobile_user" and "mail_contact" are about a user; "zip_customer" is a customer's zip.
        return 0 if kind in ("email", "phone") or word in words.ORDINALS else 3
    return strength if strength == 2 or not before else 0


def _says_more_of_it(behind: list[str], kind: str) -> bool:
    """`telefon mobil`, `prénom et nom`: another word of the same kind, or of any kind behind an "and"."""
    known, _ = _words()
    if behind[0] in words.AND:
        return len(behind) > 1 and all(part in known or part in _BEHIND for part in behind[1:])
    return all(part in _BEHIND or known.get(part, _NO_WORD)[1] == kind for part in behind)


def _is_asked_for(word: str, before: str) -> bool:
    """`What is your name?`, `Ihr Name`: whatever else the label says."""
    if word in words.ORDINALS:
        return False
    return before in words.YOUR or (before in words.YOUR_ELSEWHERE and word not in words.WEAK_IN_ENGLISH)


def _is_of_an_event(kind: str, before: list[str]) -> bool:
    """`event_attendee_name`, `shopify_customer_name`: a person's, whatever stands before the person."""
    return kind in ("name", "email", "phone") and before[-1] in words.OF_AN_EVENT and words.FACTS.isdisjoint(before)


def _unparted(parts: list[str]) -> tuple[int, str] | None:
    """Of a name in which nothing parts the words: `billingphone`, `form_fields[kundenname]`, `お電話番号`."""
    while len(parts) > 1 and parts[0] in _AROUND:
        parts = parts[1:]
    joined = "".join(parts)
    return _run_together(joined) or (_written_without_spaces(joined) if joined[-1:] > "\u0590" else None)


def _written_without_spaces(joined: str) -> tuple[int, str] | None:
    """Scripts without spaces or without capitals: any word behind or before a person, one that is not weak before what
    says no more; and in Chinese, Japanese and Korean a clear word at the end."""
    known, _ = _words()
    ends_clearly = joined[-1] > "\u2e80" or "\u1100" <= joined[-1] <= "\u11ff"  # folded Korean
    for at in range(1, min(len(joined), LONGEST_UNPARTED)):
        head, tail = joined[:at], joined[at:]
        behind = known.get(tail, _NO_WORD)
        if behind[1] and (head in words.PERSONS or (behind[0] == 3 and len(tail) > 1 and ends_clearly)):
            return 3, behind[1]
        before = known.get(head, _NO_WORD)
        if before[1] and (tail in words.PERSONS or (before[0] > 1 and (tail in _BEHIND or before[1] == behind[1]))):
            return 3, before[1]
    return None


def _run_together(joined: str) -> tuple[int, str] | None:
    """`billingphone`, `useremail`, `emailhash`: a first or a last word cut off where nothing parts them."""
    if not 5 < len(joined) <= LONGEST_UNPARTED:
        return None
    known, _ = _words()
    if joined.startswith(_FIRST):
        for first in _FIRST:
            rest = joined.removeprefix(first)
            if rest == joined or len(rest) < 3:
                continue
            if (found := known.get(rest)) and (found[0] == 3 or first in words.PERSONS):
                return 3, found[1]
            if again := _run_together(rest):
                return again
    if joined.endswith(_LAST):
        for last in _LAST:
            found = known.get(joined.removesuffix(last)) if joined.endswith(last) else None
            if found and found[0] == 3:
                return found
    return None


def _of_meta(name: str, parts: frozenset[str]) -> tuple[int, str] | None:
    """`user_data.ph`, `sha256_em`, `em_hash`: one of Meta's short names, between words that say nothing."""
    if parts.isdisjoint(words.CODES):
        return None
    segments = [segment for segment in _SEGMENT.split(name) if segment and not segment.isdigit()]
    codes = [segment for segment in segments if segment in words.CODES]
    others = [part for segment in segments if segment not in words.CODES for part in _PART.findall(segment.casefold())]
    return (2, words.CODES[codes[0]]) if len(codes) == 1 and _only(others, _AROUND) else None


def _of_path(name: str) -> tuple[int, str] | None:
    """`eventModel.user_data.address.first_name`: a path, read from where it comes to a person."""
    steps = [step for step in _STEP.split(name) if step]
    for at in range(1, len(steps) - 1):
        if read_name(steps[at]).is_person:
            below = read_name(".".join(steps[at:]))
            return (below.strength, below.kind) if below.strength >= 2 else None
    return None


def _only(parts: list[str], allowed: frozenset[str]) -> bool:
    return all(part in allowed or part.isdigit() for part in parts)


@cache
def _words() -> tuple[dict[str, tuple[int, str]], frozenset[str]]:
    """Every word with its strength and kind, and every beginning of one. Made for the first name that nobody knows: it
    takes 2 ms, and an event with Meta's own members needs none of it."""
    known = {
        word: (strength, kind)
        for strength, table in ((1, words.WEAK), (2, words.FIRM), (3, words.STRONG))
        for kind, named in table.items()
        for word in named
    }
    return known, frozenset(word[:size] for word in known for size in range(1, len(word) + 1))


_NO_WORD = (0, "")
_CAPITALS = "А-ЯЁІЄҐӘҒҚҢӨҰҮҺΑ-ΩԱ-Ֆ"
_SMALL = rf"[^\W\d_A-Za-z{_CAPITALS}]"
_PART = seldom(rf"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[{_CAPITALS}]+(?!{_SMALL})|[{_CAPITALS}]?{_SMALL}+")
_STEP = seldom(r"[.\[\]/]")
_SEGMENT = seldom(r"[\W_]+")
_AROUND = words.PERSONS | words.BESIDE
_BEHIND = _AROUND - words.NEVER_BEHIND
_FIRST = tuple(sorted({*words.PERSONS, "hashed", "home", "work", "primary", "sha"}, key=len, reverse=True))
_LAST = ("hash", "hashed", "sha", "primary", "home", "work", "field", "value", "input")
