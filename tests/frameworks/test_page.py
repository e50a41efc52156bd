"""docs/frameworks.md shows lines of the shops, which other tests run, and every name of CONVERSION_RELAY."""

import re

import pytest

from conversion_relay.frameworks.django.conf import KNOWN
from conversion_relay.frameworks.flask import Conversions
from conversion_relay.frameworks.visitor import ConsentCookie
from tests.test_documents import ROOT, blocks

PAGE = "docs/frameworks.md"
TEXT = (ROOT / PAGE).read_text("utf-8")
SHOWN = [code.partition("\n") for kind in ("python", "html") for code in blocks(PAGE, kind)]


@pytest.mark.parametrize(("names", "code"), [(names, code) for names, _, code in SHOWN], ids=[s[0] for s in SHOWN])
def test_each_line_stands_in_the_shop_that_the_block_names(names, code):
    (file,) = re.findall(r"examples/[\w/.]+", names)
    there = {line.strip() for line in re.sub(r"(\{% load \w+ %\})", r"\1\n", (ROOT / file).read_text()).splitlines()}
    assert not [line for line in code.splitlines() if line.strip() not in there]


def test_the_table_has_every_name_of_djangos_settings():
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|", TEXT, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == KNOWN


def test_the_words_of_the_consent_cookie_are_those_that_it_reads():
    part = TEXT.partition("## The visitor's consent")[2].partition("Other words")[0]
    cookie = ConsentCookie("marketing")
    assert set(re.findall(r"`(\w+)`", part)) == {*cookie.granted, *cookie.denied}


def test_flasks_names_are_those_of_its_configuration():
    assert {"CONVERSION_RELAY_SCRIPT", "CONVERSION_RELAY_ENDPOINT"} <= set(re.findall(r"`(CONVERSION\w+)`", TEXT))
    assert "CONVERSION_RELAY_SCRIPT and CONVERSION_RELAY_ENDPOINT" in (Conversions.init_app.__doc__ or "")
