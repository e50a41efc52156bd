"""Takes a person out of objects that a caller fills freely: `custom_data` and its like, at any depth.

Their names are known to their site alone, so everything stays except what is certainly a person's: a member whose
name says so (`names.py`), and a text or a name that holds an e-mail address or a phone number (`personal_data`). What
goes is told by path and reason, never by value.

A name means different things in different places, so what stands around it counts:
- `name`, `state` and the like are a person's below `customer` or beside an `email`, and a product's elsewhere.
- Below `contents`, `items`, `course`, `store` ... a `city`, an `address` or a `gender` describes what is sold.
- {"name": "email", "value": ...} is a form as pairs: there the name stands in a value.
- JSON in a text, and a=b&c=d, have names, too (`named_in_text.py`).

Bounded: texts and names have a longest length, an event has so many different names, and so much is told. The depth is
judged before (`accept`); only JSON in a text is bounded here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from conversion_relay.event import Content, CustomData
from conversion_relay.intake.scrub import words
from conversion_relay.intake.scrub.beside import (
    MOST_NAMES,
    answers,
    is_a_form,
    is_beside_a_person,
    named_in_pair,
    offers_a_place,
    says_something,
)
from conversion_relay.intake.scrub.encoded_text import decoded_texts
from conversion_relay.intake.scrub.named_in_text import kind_named
from conversion_relay.intake.scrub.names import LONGEST_NAME, Name, read_name
from conversion_relay.personal_data import Held, held, is_quiet

LONGEST_TEXT = 8_192
"""Characters of one text, as many as of a URL. Meta names no limit; nothing that it reads is nearly as long."""
MOST_LOOKED_AT = 32_768
"""Characters of one event's texts that need a closer look: the most that one event can cost."""
MOST_TOLD = 100
DEEPEST = 40
"""Objects and lists in one another; the door refuses less deep ones, so this is for JSON in a text."""


class Removed(NamedTuple):
    """What was taken out: `field` is its path, `reason` the rule and the remedy, `kind` a word for counting;
    empty where it was no person's."""

    field: str
    reason: str
    kind: str

    @property
    def counted(self) -> tuple[str, str]:
        """The member of the event, and the kind: few values, so that they may label a metric."""
        return self.field.partition(".")[0].partition("[")[0], self.kind


HOLDS: dict[Held, str] = {
    "email": "holds an e-mail address, which would travel unhashed; user_data.email is hashed",
    "phone": "holds a phone number, which would travel unhashed; user_data.phone is hashed",
    "encoded": "is encoded too many times to be read; send it as it is",
}
_UNSENT = "a secret of a person; send it to nobody"
_TOO_LONG = f"longer than {LONGEST_TEXT} characters, or all texts together than {MOST_LOOKED_AT}; send less text"
_NAME_TOO_LONG = f"its name is longer than {LONGEST_NAME} characters; send a shorter one"
_TOO_MANY = f"an event may have {MOST_NAMES} different names; what is beyond is left out"
_TOO_DEEP = "JSON in a text, nested too deep"


def personal_name(kind: str) -> str:
    """The reason for a member whose name says that it is a person's."""
    return _UNSENT if kind == "secret" else f"a person's {kind} by its name; only user_data is hashed"


def without_personal_data(members: Mapping[str, Any]) -> tuple[dict[str, Any], list[Removed]]:
    """The members without what is a person's and without nulls, and what was taken out.

    >>> without_personal_data({"custom_data": {"phone_number": "+16505551212", "plan": "gold"}})[0]
    {'custom_data': {'plan': 'gold'}}
    """
    walk = _Walk()
    kept = walk.members(members, _TOP)
    return kept, walk.removed


METAS = frozenset({*CustomData.__struct_fields__, *Content.__struct_fields__})
known_names: set[str] = set(METAS)
"""Names that say nothing of a person, Meta's always; only asked, not changed, by the quick look (`clean.py`)."""
MOST_KNOWN = 4_096
_NOT_BY_ITSELF = words.LABELS | words.SAID | {"string_value"}
"""What these mean is said by what stands beside them."""


def _learn(name: str, read: Name) -> None:
    if read.strength or name in known_names or name.isdecimal():
        return  # Matomo's {"1": ["First name", "Joe"]} has its name in the list
    if name.casefold() not in _NOT_BY_ITSELF:
        if len(known_names) >= MOST_KNOWN:
            known_names.intersection_update(METAS)
        known_names.add(name)


class _Around(NamedTuple):
    """Where a member stands."""

    parent: str = ""
    """The name of the container, where that could be half of a name: name.first."""
    is_person: bool = False
    is_business: bool = False
    is_form: bool = False
    """Beside a question for what is a person's."""

    def below(self, name: str, read: Name, is_form: bool) -> "_Around":
        return _Around(
            name if read.strength == 1 else "",
            read.is_person or (self.is_person and (not read.is_business or read.parts == _PLACE)),
            (read.is_business and not (self.is_person and read.parts == _PLACE))  # Klaviyo's profile has a location
            or (self.is_business and not read.is_person),
            is_form,
        )


_TOP, _PLACE = _Around(), frozenset({"location"})


class _Walk:
    """One event's free objects."""

    def __init__(self, left: int = DEEPEST) -> None:
        self.removed: list[Removed] = []
        self._path: list[str | int] = []
        self._names: set[str] = set()
        self._left, self._budget = left, MOST_LOOKED_AT

    def members(self, members: Mapping[str, Any], around: _Around) -> dict[str, Any]:
        kept = {}
        answered = answers(members, weak=around.is_form)
        is_form = is_a_form(members.values())
        beside: bool | None = None
        for given, value in members.items():
            name = given if isinstance(given, str) else str(given)
            if value is None:
                continue
            self._path.append(name)
            if len(name) > LONGEST_NAME:
                self._take(_NAME_TOO_LONG, "too_long")
            elif self._is_one_too_many(name):
                self._take(_TOO_MANY, "too_many")
            elif name not in known_names and (reason := _reason(name) or _reason_encoded(name)):
                self._take(f"its name {reason[0]}", reason[1])
            else:
                read = read_name(name)
                _learn(name, read)
                if read.strength == 1 and beside is None:
                    beside = is_beside_a_person(members)
                kind = answered.get(name) or _personal(name, read, around, members, bool(beside))
                if kind and says_something(value):
                    self._take(personal_name(kind), "name")
                elif type(value) is str and name not in METAS and (reason := _reason_encoded(value)):
                    self._take(*reason)
                else:
                    look = self._item if name.isdecimal() else self._value
                    rest = look(value, self._below(around, name, read, is_form), read.is_code)
                    if rest is not None:
                        kept[name] = rest
            self._path.pop()
        return kept

    def _below(self, around: _Around, name: str, read: Name, is_form: bool) -> _Around:
        # The event's own members have Meta's names, which say nothing of what stands below: `original_event_data`.
        return around.below(name, read, is_form) if len(self._path) > 1 else _TOP

    def _value(self, value: Any, around: _Around, is_code: bool) -> Any:
        if isinstance(value, str):
            return self._text(value, is_code)
        if not isinstance(value, dict | list):
            return value
        if self._left <= 0:
            self._take(_TOO_DEEP, "encoded")
            return None
        self._left -= 1
        try:
            if isinstance(value, dict):
                return self.members(value, around)
            return list(self._items(value, around, is_code))
        finally:
            self._left += 1

    def _items(self, items: list[Any], around: _Around, is_code: bool) -> Iterator[Any]:
        if is_a_form(items) is not around.is_form:
            around = around._replace(is_form=not around.is_form)
        for index, item in enumerate(items):
            if type(item) is int or type(item) is float:
                yield item
                continue
            self._path.append(index)
            rest = self._item(item, around, is_code)
            self._path.pop()
            if rest is None and self._path[-1:] == _BY_PLACE:
                rest = ""
            # Meta refuses `contents` with an item without its id; such an item names nothing that was sold, anyway.
            lost_its_id = isinstance(rest, dict) and "id" in item and "id" not in rest
            if rest is not None and not lost_its_id:
                yield rest

    def _item(self, item: Any, around: _Around, is_code: bool) -> Any:
        """What stands by its place may be a member, or become one without a null before it: ["phone", "030"]."""
        kind = named_in_pair(item)
        rest = None if kind else self._value(item, around, is_code)
        if kind := kind or named_in_pair(rest):
            self._take(personal_name(kind), "name")
            return None
        return rest

    def _text(self, text: str, is_code: bool) -> str | None:
        if not is_quiet(text):
            self._budget -= len(text)
        if len(text) > LONGEST_TEXT or self._budget < 0:
            self._take(_TOO_LONG, "too_long")
        elif reason := _reason(text, is_code):
            self._take(*reason)
        else:
            return text
        return None

    def _is_one_too_many(self, name: str) -> bool:
        if name not in self._names:
            if len(self._names) >= MOST_NAMES:
                return True
            self._names.add(name)
        return False

    def _take(self, reason: str, kind: str) -> None:
        if len(self.removed) < MOST_TOLD:
            steps = (f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in self._path)
            path = "".join(steps)[1:]
            # Two names that are harmless alone may read as an address: {"joe@example": {"phone": ...}}.
            self.removed.append(Removed(path if held(path) is None else "...", reason, kind))
        elif len(self.removed) == MOST_TOLD:
            self.removed.append(Removed("...", "more was left out than is told", kind))


def _personal(name: str, read: Name, around: _Around, members: Mapping[str, Any], beside: bool) -> str | None:
    """The kind of a person's member, or None."""
    if read.strength == 3:
        return read.kind
    if read.strength == 2:
        if around.is_business or (read.kind == "city" and offers_a_place(members)):
            return None
        return read.kind
    if read.strength == 1:
        if around.is_person or (beside and not around.is_business):
            return read.kind
        if around.parent:
            whole = read_name(f"{around.parent}.{name}"[-LONGEST_NAME:])
            return whole.kind if whole.strength >= 2 else None
    return None


_BY_PLACE = ["extinfo"]
"""Lists in which the place says what an item is, so that none may go."""


def kind_inside(text: str, read: str | None = None) -> str | None:
    """A person's member in a text that is itself JSON, or names it otherwise. `read`: the text made plain."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            document = msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            document = None
        if isinstance(document, dict | list):
            walk = _Walk()
            walk.members({"": document}, _TOP)
            return "data" if walk.removed else None
    return kind_named(text, read)


def _reason(text: str, is_code: bool = False) -> tuple[str, str] | None:
    """Why a text or a name goes, and the kind. {"first_name=Joe&x=1": ""} is a form that was taken for a name."""
    if what := held(text, codes=is_code):
        return HOLDS[what], what
    kind = kind_inside(text)
    return (f"holds {personal_name(kind)}", "name") if kind else None


def _reason_encoded(text: str) -> tuple[str, str] | None:
    """The same of a text that is base64, or its JSON names."""
    for said in decoded_texts(text):
        if what := held(said) or ("encoded" if kind_inside(said) else None):
            return HOLDS[what], what
    return None


def _shown(name: str) -> str:
    """A name from outside, fit to be shown."""
    clean = "".join(c for c in name[:100] if c.isprintable())
    return clean if clean and not (_reason(name := name[:LONGEST_NAME]) or _reason_encoded(name)) else "..."
