"""A `user_data` as most people write it, known at one look.

What could go wrong: thirteen keys, each asked by a function of its own, take longer than their nine digests. Most of
that is Python going from call to call, not the rules.

The rule: the texts are joined, a line each, and one expression reads all lines at once. A line has the common shape of
its key or is read over, so that one odd value costs itself alone. What the expression cannot say (how long a number is,
which country a zip is in) is asked of the lines that it found. Names of people and places are folded together, since
their rule is one.

What is found here is what the careful rules come to, and `test_common.py` compares the two; a key that is not in the
answer is left to them (`user_data.py`). Rejected: to remember values, which would be a list of persons; and one
expression per set of keys, since who chooses the set could make us compile without end.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from conversion_relay.meta.customer_information.email import COMMON as EMAIL
from conversion_relay.meta.customer_information.hashing import is_digest, sha256
from conversion_relay.meta.customer_information.name import BETWEEN, LATIN, quick_name
from conversion_relay.meta.customer_information.network import LONGEST_USER_AGENT
from conversion_relay.meta.customer_information.nothing import IDS_OF_NOBODY, WORDS_IN_LETTERS, digests_of_nothing
from conversion_relay.meta.customer_information.numbering_plan import without_trunk_zero
from conversion_relay.meta.customer_information.phone import quick_phone
from conversion_relay.meta.customer_information.place import quick_country, quick_state, quick_zip, state_code
from conversion_relay.meta.customer_information.tables.countries import ALPHA_2
from conversion_relay.personal_data import has_zeros

Names = tuple[str, str, str, str]
_Digests = list[str] | msgspec.UnsetType
_Text = str | msgspec.UnsetType
_UNSET = msgspec.UNSET


class CommonKeys(msgspec.Struct, omit_defaults=True):
    """Meta's `user_data` with these keys alone."""

    em: _Digests = _UNSET
    ph: _Digests = _UNSET
    fn: _Digests = _UNSET
    ln: _Digests = _UNSET
    ct: _Digests = _UNSET
    st: _Digests = _UNSET
    zp: _Digests = _UNSET
    country: _Digests = _UNSET
    external_id: _Digests = _UNSET
    client_ip_address: _Text = _UNSET
    client_user_agent: _Text = _UNSET
    fbc: _Text = _UNSET
    fbp: _Text = _UNSET


def common_keys(texts: Mapping[str, Any], country: str | None) -> dict[str, Any]:
    """Those of these match keys that have a common shape, as Meta reads them. `texts`: by Meta's names.

    `country`: alpha-2, for an event that names none. A user agent that is found here holds nobody.

    >>> common_keys({"em": "joe@example.com, ann@example.com", "fbp": "fb.1.1596403881668.1116446470"}, None)
    {'fbp': 'fb.1.1596403881668.1116446470'}
    """
    em, ph, fn, ln, ct, st, zp, named, *others = (texts.get(name, "") for name in CommonKeys.__struct_fields__)
    found = _expression().fullmatch("\n".join((em, ph, zp, *others, "")))
    if found is None:  # a line too many
        return {}
    keys: dict[str, Any] = msgspec.to_builtins(known_keys(found.groups(), (fn, ln, ct, st), named, country)[0])
    return keys


@cache
def _expression() -> re.Pattern[str]:
    """Compiled when it is first needed: a function that sees common events alone starts without it."""
    return re.compile(LINES)


def known_keys(
    found: Sequence[str | None], names: Names, named: str | None, country: str | None
) -> tuple[CommonKeys, int]:
    """What is known, and how many keys that is. `found`: groups of LINES; `names`: fn, ln, ct, st; `named`: the
    event's country."""
    em, ph, zp, external_id, address, agent, fbc, fbp = found
    fn, ln, ct, st = letters = _letters("\n".join(names))
    if not named:
        own: _Digests = _UNSET
    elif code := _COUNTRIES.get(named) or _country(named):
        country, own = code, [_digest_of_country(code)]
    elif (own := _known_digest(named)) is _UNSET:
        # What is read by a country is left to the careful rules.
        st, zp, names, country = b"", None, (*names[:3], ""), None
    if st and (country in _WITH_STATES or "-" in names[3]):
        st = state_code(st, names[3], country) or b""
    if agent and (has_zeros(agent) or " dot " in (lower := agent.lower()) or "wa.me" in lower):
        agent = None
    keys = (
        _of_address(em) if em else _UNSET,
        _of_number(ph, country) if ph else _UNSET,
        [sha256(fn).hexdigest()] if fn else _UNSET,
        [sha256(ln).hexdigest()] if ln else _UNSET,
        [sha256(ct).hexdigest()] if ct else _UNSET,
        [sha256(st).hexdigest()] if st else _UNSET,
        _of_zip(zp, country) if zp else _UNSET,
        own,
        _of_id(external_id) if external_id else _UNSET,
        address or _UNSET,
        agent or _UNSET,
        fbc or _UNSET,
        fbp or _UNSET,
    )
    if letters is _NOTHING:
        keys = (*keys[:2], *_apart(names, country), *keys[6:])
    return CommonKeys(*keys), len(keys) - keys.count(_UNSET)


def _letters(names: str) -> list[bytes]:
    """The lines as the letters in them, or four times nothing."""
    folded = names.lower().encode("utf-8", "replace").translate(None, BETWEEN)
    lines = folded.split(b"\n")
    if (
        folded.translate(None, _LATIN_LINES)
        or len(lines) != 4
        or (len(folded) > 31 and len(max(lines, key=len)) > 31)  # a digest may be as long
        or not _NO_NAMES.isdisjoint(lines)
        or (not names.isascii() and ("×" in names or "÷" in names))
    ):
        return _NOTHING
    return lines


def _apart(names: Names, country: str | None) -> tuple[_Digests, _Digests, _Digests, _Digests]:
    """Of names that `_letters` does not know together: another alphabet in one of them, or a digest."""
    fn, ln, ct, st = names
    found = quick_name(fn), quick_name(ln), quick_name(ct), quick_state(st, country)
    return tuple(  # type: ignore[return-value]  # as long as `names`
        [sha256(letters).hexdigest()] if letters else _known_digest(name)
        for name, letters in zip(names, found, strict=True)
    )


def _known_digest(text: str) -> _Digests:
    """What the caller hashed."""
    return [text] if is_digest(text) and text not in digests_of_nothing() else _UNSET


def _of_address(email: str) -> _Digests:
    return [sha256(email.lower().encode()).hexdigest()] if "@" in email else _known_digest(email)


def _of_zip(zp: str, country: str | None) -> _Digests:
    code = quick_zip(zp, country)
    return [sha256(code).hexdigest()] if code else _known_digest(zp)


def _of_number(number: str, country: str | None) -> _Digests:
    """A number with a plus, where it has as many digits as one may have, and not one digit again and again."""
    if number[0] != "+":
        national = quick_phone(number, country)
        return [sha256(national).hexdigest()] if national else _known_digest(number)
    digits = number.encode().translate(None, b"+ .()-")
    return (
        [sha256(without_trunk_zero(digits)).hexdigest()]
        if 10 < len(digits) < 16 and digits[1:] != digits[:-1] and number[-2:] != ".0"
        else _UNSET
    )


def _of_id(external_id: str) -> _Digests:
    if len(external_id) == 64:
        return _known_digest(external_id)
    own_id = external_id.lower().encode()
    return _UNSET if own_id in IDS_OF_NOBODY else [sha256(own_id).hexdigest()]


def _country(named: str) -> str | None:
    code = quick_country(named)
    return None if code is None else code.decode()


@cache
def _digest_of_country(code: str) -> str:
    """There are 249 of them."""
    return sha256(code.encode()).hexdigest()


def line(shape: str) -> str:
    """Such a line, or any; nothing is read a third time."""
    return rf"(?:{shape}\n|[^\n]*+\n)"


_OCTET = r"\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?![0-9])"
_APPENDIX = r"(?:\.[A-Za-z0-9_-]{8}|\.[A-Za-z0-9_-]{2})?"
_SHARED = (
    r"1(?:0\.|27\.|69\.254\.|92\.168\.|72\.(?:1[6-9]|2[0-9]|3[01])\.|00\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.)"
)
_IP_V4 = rf"(?!{_SHARED})(?:[1-9][0-9]?|1[0-9]{{2}}|2[01][0-9]|22[0-3]){_OCTET}{_OCTET}{_OCTET}"
_GROUP = "[0-9a-fA-F]{1,4}"
# All eight groups, or at most six colons, two of them together.
_IP_V6 = (
    rf"[23][0-9a-fA-F]{{3}}(?:(?::{_GROUP}){{7}}"
    rf"|(?=(?::[^:\n]*+){{2,6}}\n)(?::{_GROUP}){{0,5}}::(?:{_GROUP}(?::{_GROUP}){{0,4}})?)"
)
_AGENT = r"[A-Za-z0-9 _.,;/)-]*+"
_DIGEST = "[0-9a-f]{64}"
LINES = (
    # em: a part of what `email.py` takes, or a digest, as most of those who hash write it
    line(rf" *+((?=[^\n]{{5,64}}+\n){EMAIL}|{_DIGEST}) *+")
    # ph: with a plus; (0) is no part of the number. Without one: perhaps a national one
    + line(rf"(\+[1-9][0-9 .)-]*+(?:\((?!0)[0-9 .)-]*+)*|[(0-9][0-9 ().-]{{8,20}}|{_DIGEST})")
    # zp
    + line(f"([A-Za-z0-9][A-Za-z0-9 -]{{1,30}}+|{_DIGEST})")
    # external_id: shorter than a digest, or a UUID
    + line(f"([A-Za-z0-9_.-]{{1,31}}+|[0-9a-fA-F]{{8}}-[0-9a-fA-F-]{{27}}|{_DIGEST})")
    # client_ip_address: no private one
    + line(f"({_IP_V4}|{_IP_V6})")
    # client_user_agent: no bracket that could open "(at)" or call a function, no colon but of "rv:"
    + line(
        rf"((?=[^\n]{{25,{LONGEST_USER_AGENT}}}+\n)(?! ){_AGENT}"
        rf"(?:(?:(?<![A-Za-z0-9_])\((?![adpADP ])|\[(?![adpADP \[])|\](?!\])|(?<= rv):){_AGENT})*(?<! ))"
    )
    # fbc: a click id that is longer than any word for nothing
    + line(rf"(fb\.[0-9]{{1,2}}\.[0-9]{{13}}\.[A-Za-z0-9_-]{{40,500}}{_APPENDIX})")
    # fbp: a number, as Meta makes it, which is no word for nothing
    + line(rf"(fb\.[0-9]{{1,2}}\.[0-9]{{13}}\.[0-9]{{1,64}}{_APPENDIX})")
)
"""The expression: a line for each key, with one group in it."""
_COUNTRIES = {spelled: code for code in ALPHA_2 for spelled in (code, code.upper())}
_WITH_STATES = frozenset({None, "us", "ca"})
_LATIN_LINES = LATIN + b"\n"
_NO_NAMES = WORDS_IN_LETTERS - {b""}
_NOTHING: list[bytes] = [b""] * 4
