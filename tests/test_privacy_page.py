"""docs/privacy.md lists what the code does, and guarantees.md promises no more."""

import re
from pathlib import Path

from conversion_relay.intake.scrub import QUERY_KEYS, may_hold_personal_data, without_personal_data, words
from conversion_relay.intake.scrub.members import VERBATIM
from conversion_relay.intake.scrub.names import LONGEST_NAME, read_name
from conversion_relay.intake.scrub.walk import LONGEST_TEXT, MOST_LOOKED_AT, MOST_NAMES
from conversion_relay.personal_data.plain import ROUNDS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/privacy.md").read_text("utf-8")


def between(begin: str, end: str) -> str:
    assert begin in PAGE and end in PAGE[PAGE.index(begin) :], (begin, end)
    return PAGE[PAGE.index(begin) :].partition(begin)[2].partition(end)[0]


def marked(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_promise_is_word_for_word_the_one_in_guarantees():
    promise = " ".join(between("# What stops at the door, and what does not\n\n", " This page says").split())
    assert promise.startswith("**A person stops at the door.**")
    assert promise in " ".join((ROOT / "docs/guarantees.md").read_text("utf-8").split())


def test_the_lists_are_the_codes_own():
    assert set(marked(between("no form of their own:", ";"))) >= VERBATIM & set(marked(PAGE)) == VERBATIM
    assert set(marked(between("of the query", "; a segment"))) == QUERY_KEYS
    assert set(marked(between("The kinds:", ", and"))) == {*words.STRONG, *words.FIRM, *words.WEAK}
    assert set(marked(between("Meta's own short names", "in small letters"))) == words.CODES.keys()


def test_the_limits_are_the_codes_own():
    limits = " ".join(between("**Too much:**", "Meta documents").split())
    for number in (LONGEST_TEXT, LONGEST_NAME, MOST_NAMES, MOST_LOOKED_AT):
        assert f"{number:,}" in limits
    assert ROUNDS == 5 and "five rounds" in limits


def test_the_examples_are_true():
    for name in marked(between("its spelling does not matter:", "The kinds")):
        assert read_name(name).strength == 3, name
    for name in marked(between("**Names of a business stay:**", "\n")):
        assert read_name(name).strength == 0, name
    for name in ("order_id", "sku", "gtin", "content_ids"):
        assert f"`{name}`" in PAGE and read_name(name).is_code
    unfound = {"x": 16505551212, "note": "for Mary Smith, 030 123456, joe @ example.com", "order_id": "0016505551212"}
    assert without_personal_data({"custom_data": unfound})[0] == {"custom_data": unfound}
    assert may_hold_personal_data({"custom_data": {"note": "0016505551212"}})
