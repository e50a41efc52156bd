"""What is hashed, what is recognised as a hash that somebody made before, and how a text is cleaned before that."""

import hashlib
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.customer_information.hashing import (
    already_hashed,
    clean,
    digest,
    is_md5,
    sha256,
)

SHA = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
MD5 = "5d41402abc4b2a76b9719d911017c592"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Meta's own worked examples:
        # https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
        ("john_smith@gmail.com", SHA),
        ("mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        ("정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        ("valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        ("16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
    ],
)
def test_a_digest_is_the_one_of_metas_page(text, expected):
    assert digest(text) == expected


@given(st.text())
def test_every_text_has_a_digest_of_64_lower_case_hexadecimal_digits(text):
    assert re.fullmatch("[0-9a-f]{64}", digest(text))


@given(st.binary(max_size=300))
def test_the_interpreters_own_digest_is_the_one_of_hashlib(text):
    assert sha256(text).hexdigest() == hashlib.sha256(text).hexdigest()


def test_half_an_emoji_is_hashed_and_raises_nothing():
    assert digest("\ud83d") == hashlib.sha256(b"?").hexdigest()


@pytest.mark.parametrize("text", [SHA, SHA.upper(), f" {SHA}\n", SHA[:32] + SHA[32:].upper()])
def test_a_digest_is_recognised_in_any_case_and_passed_on_in_lower_case(text):
    assert already_hashed(text) == SHA


@pytest.mark.parametrize("appendix", ["AQ", "Bg", "AQICAQMC", "A-_zA-_z"])
def test_a_digest_with_the_appendix_of_metas_builder_is_passed_on_as_it_came(appendix):
    assert already_hashed(f"{SHA}.{appendix}") == f"{SHA}.{appendix}"


@pytest.mark.parametrize(
    "text",
    [
        SHA[:-1],
        SHA + "0",
        SHA[:-1] + "g",
        f"{SHA}.",
        f"{SHA}.A",
        f"{SHA}.AQI",
        f"{SHA}.AQICAQMCA",
        f"{SHA}.äö",
        f"{SHA} {SHA}",
        f"sha256:{SHA}",
        SHA.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        MD5,
        "",
        "x" * 64,
    ],
)
def test_what_only_looks_like_a_digest_is_none(text):
    assert already_hashed(text) is None


@pytest.mark.parametrize("text", [MD5, MD5.upper(), f" {MD5} "])
def test_an_md5_is_recognised(text):
    assert is_md5(text)


@pytest.mark.parametrize("text", [SHA, MD5[:-1], MD5 + "0", "g" * 32, "", "mary"])
def test_other_texts_are_no_md5(text):
    assert not is_md5(text)


INVISIBLE = ["\u00ad", "\u200b", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060", "\u2066", "\ufeff"]


@pytest.mark.parametrize("mark", INVISIBLE, ids=lambda mark: f"U+{ord(mark):04X}")
def test_an_invisible_character_is_taken_off_wherever_it_stands(mark):
    assert clean(f"{mark}ma{mark}ry{mark} ") == "mary"


@pytest.mark.parametrize("space", [" ", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\v"])
def test_white_space_of_any_kind_is_trimmed_and_kept_inside(space):
    assert clean(f"{space}a{space}é{space}") == f"a{space}é"


@given(st.text(max_size=40))
def test_a_cleaned_text_is_composed_and_trimmed(text):
    cleaned = clean(text)
    assert not any(mark in cleaned for mark in INVISIBLE)
    assert cleaned == cleaned.strip()


@pytest.mark.parametrize("text", ["é", "Å", "ệ", "각", "ё"])
def test_a_letter_and_its_marks_become_one_character(text):
    assert clean(unicodedata.normalize("NFD", text)) == text and len(text) == 1
