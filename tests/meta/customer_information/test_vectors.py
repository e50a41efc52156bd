"""Meta's worked examples and the cases its own libraries are tested with, through the Python API and the command."""

import datetime
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from conversion_relay.cli import verbs
from conversion_relay.meta.customer_information import READABLE_NAMES, match_keys, normalize

FILES = ("customer_information.json", "parameter_builder.json")
VECTORS = [
    vector for file in FILES for vector in json.loads((Path(__file__).parents[2] / "vectors" / file).read_text("utf-8"))
]
TODAY = datetime.date(2026, 11, 23)


def named(vector: dict) -> str:
    return f"{vector['field']}-{vector['input']!r}"


def context(vector: dict) -> dict[str, str]:
    return vector.get("context") or {}


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_a_value_becomes_what_metas_page_says(vector):
    result = normalize(vector["field"], vector["input"], today=TODAY, **context(vector))
    assert (result.normalized, result.sha256) == (vector["normalized"], vector["sha256"])
    assert (result.dropped is not None) == vector["reject"]


def test_the_command_says_the_same_line_by_line():
    lines = [json.dumps({"field": v["field"], "value": v["input"], **context(v)}) for v in VECTORS]
    # By its group, as people call it: click remembers how a verb was asked first, and writes its help by that.
    done = CliRunner().invoke(verbs, ["normalize"], input="\n".join(lines))
    assert done.exit_code == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(a["normalized"], a["sha256"], a["dropped"] is not None) for a in answers] == [
        (v["normalized"], v["sha256"], v["reject"]) for v in VECTORS
    ]


@pytest.mark.parametrize(
    ("value", "dropped"),
    [
        (b'"M\\ud83dller"', "a letter of it was lost; send UTF-8"),
        (b'"M\xfcller"', "a letter of it was lost; send UTF-8"),
        *((value, "neither text nor number") for value in (b"NaN", b"1e400", b"9" * 40, b"[1]", b'{"a":1}', b"true")),
    ],
)
def test_what_no_rule_can_read_ends_no_run_of_the_command(value, dropped):
    asked = b'{"field":"fn","value":%s}\n{"field":"zp","value":94035.0}' % value
    done = CliRunner().invoke(verbs, ["normalize"], input=asked)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(a["normalized"], a["dropped"]) for a in answers] == [(None, dropped), ("94035", None)]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["sha256"]], ids=named)
def test_an_event_carries_the_digest_and_nothing_else(vector):
    given = {vector["field"]: vector["input"]}
    known = context(vector)
    if "country" in known:
        given["country"] = known["country"]
    keys, dropped = match_keys(given, default_country=known.get("default_country"), today=TODAY)
    assert vector["sha256"] in keys[READABLE_NAMES.get(vector["field"], vector["field"])]
    assert dropped == []
