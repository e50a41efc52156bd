"""Writes docs/differences.md: `python -m tests.differences`. A test shows that the file is what this writes."""

import datetime
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from capi_param_builder import ParamBuilder
from facebook_business.adobjects.serverside.normalize import Normalize

from conversion_relay.meta.customer_information import normalize

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "differences.md"
TODAY = datetime.date(2026, 11, 23)
PARAMETERS = "https://developers.facebook.com/docs/marketing-api/conversions-api/parameters"
INFORMATION = f"{PARAMETERS}/customer-information-parameters"


class Rule(NamedTuple):
    name: str
    node_type: str
    sentence: str


_LETTERS = "Lowercase only with no punctuation. If using special characters, the text must be encoded in UTF-8 format."
RULES = {
    "em": Rule("E-mail", "email", "Trim any leading and trailing spaces. Convert all characters to lowercase."),
    "ph": Rule(
        "Phone",
        "phone",
        "Remove symbols, letters, and any leading zeros. Phone numbers must include a country code to be used for "
        "matching.",
    ),
    "fn": Rule("First name", "first_name", _LETTERS),
    "ln": Rule("Last name", "last_name", _LETTERS),
    "db": Rule(
        "Date of birth",
        "date_of_birth",
        "We accept the YYYYMMDD format accommodating a range of month, day and year combinations, with or without "
        "punctuation. Year: Use the YYYY format from 1900 to current year.",
    ),
    "ge": Rule("Gender", "gender", "We accept gender in the form of an initial in lowercase."),
    "ct": Rule("City", "city", "Lowercase only with no punctuation, no special characters, and no spaces."),
    "st": Rule(
        "State",
        "state",
        "Use the 2-character ANSI abbreviation code in lowercase. Normalize states outside the U.S. in lowercase with "
        "no punctuation, no special characters, and no spaces.",
    ),
    "zp": Rule(
        "Zip",
        "zip_code",
        "Use lowercase with no spaces and no dash. Use only the first 5 digits for U.S. zip codes. Use the area, "
        "district, and sector format for the UK.",
    ),
    "country": Rule("Country", "country", "Use the lowercase, 2-letter country codes in ISO 3166-1 alpha-2."),
    "external_id": Rule(
        "External id",
        "external_id",
        "If an External ID is being sent via other channels, it should be in the same format as when sent via the "
        "Conversions API.",
    ),
}
COOKIE_SENTENCE = "The formatted ClickID value must be of the form version.subdomainIndex.creationTime.fbclid"


def page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    vectors = json.loads((HERE / "vectors" / "customer_information.json").read_text("utf-8"))
    hashed = {field: [v for v in vectors if v["field"] == field] for field in RULES}
    node = dict(zip(RULES, _node([hashed[field] for field in RULES]), strict=True))
    yield "# Where Meta's own packages differ from Meta's text"
    yield ""
    yield "Written by `python -m tests.differences`; a test shows that it is current. The values are the vectors of"
    yield "`tests/vectors/customer_information.json`, many of them Meta's own examples and test inputs, chosen to be"
    yield "hard. The hash of a wrongly normalised value is no error at Meta: it silently matches nobody. *Raises* means"
    yield "that the whole event is lost unless the caller catches it."
    yield ""
    yield "| key | vectors | ours as the page says | facebook-business 26.0.3 | Parameter Builder (Node) 1.3.2 |"
    yield "|---|---|---|---|---|"
    tables = {field: _rows(hashed[field], node[field]) for field in RULES}
    for field, rule in RULES.items():
        rows = tables[field]
        agree = [sum(row[i] == row[0] for row in rows) for i in (1, 2)]
        right = sum(row[0] == (v["sha256"] or "dropped") for row, v in zip(rows, hashed[field], strict=True))
        yield f"| {rule.name} `{field}` | {len(rows)} | {right} | {agree[0]} | {agree[1]} |"
    for field, rule in RULES.items():
        yield from _section(field, rule, hashed[field], tables[field])
    yield from _click_ids([v for v in vectors if v["field"] in ("fbc", "fbp")])


def _rows(vectors: list[dict], node: list[str]) -> list[tuple[str, str, str]]:
    return [(_ours(v), _facebook_business(v), other) for v, other in zip(vectors, node, strict=True)]


def _section(field: str, rule: Rule, vectors: list[dict], rows: list[tuple[str, str, str]]) -> Iterator[str]:
    different = [(v, row) for v, row in zip(vectors, rows, strict=True) if len(set(row)) > 1]
    if not different:
        return
    yield ""
    yield f"## {rule.name}: `{field}`"
    yield ""
    yield f"> {rule.sentence} ([Meta]({INFORMATION}))"
    yield ""
    yield "| value | what is hashed here | facebook-business | Parameter Builder |"
    yield "|---|---|---|---|"
    for vector, row in different:
        context = "".join(f" ({value})" for value in (vector.get("context") or {}).values())
        said = " | ".join(_said(row, which, vector) for which in (1, 2))
        yield f"| {_code(vector['input'])}{context} | {_code(vector['normalized'])} | {said} |"


def _said(row: tuple[str, str, str], which: int, vector: dict) -> str:
    if row[which] == row[0]:
        return "same"
    if row[which] in ("dropped", "raises"):
        return row[which]
    plain = _facebook_plain(vector) if which == 1 else None
    return f"hashes {_code(plain)}" if plain else "another hash"


def _click_ids(vectors: list[dict]) -> Iterator[str]:
    yield ""
    yield "## Click and browser ids: `fbc`, `fbp`"
    yield ""
    yield f"> {COOKIE_SENTENCE} ([Meta]({PARAMETERS}/fbp-and-fbc))"
    yield ""
    yield "A cookie that is not in Meta's form is left out here. facebook-business sends it as it is;"
    yield "capi-param-builder 1.3.2 (Python) counts the segments and appends its own mark to what it takes."
    yield ""
    yield "| cookie | here | capi-param-builder (Python) |"
    yield "|---|---|---|"
    for vector in vectors:
        ours = normalize(vector["field"], vector["input"], today=TODAY).normalized
        builder = ParamBuilder(["example.com"])
        builder.process_request("example.com", {}, {f"_{vector['field']}": vector["input"]})
        taken = builder.get_fbc() if vector["field"] == "fbc" else builder.get_fbp()
        kept = taken is not None and bool(vector["input"]) and taken.startswith(vector["input"])
        shown = "left out" if taken is None else f"`{taken}`" if kept else "minted anew"
        yield f"| {_code(vector['input'])} | {_code(ours) if ours else 'left out'} | {shown} |"


def _ours(vector: dict) -> str:
    return normalize(vector["field"], vector["input"], today=TODAY, **(vector.get("context") or {})).sha256 or "dropped"


def _facebook_business(vector: dict) -> str:
    if vector["field"] == "external_id":
        return vector["input"] or "dropped"  # sent as it is
    if vector["field"] == "ge" and vector["input"].lower() not in ("f", "m"):
        return "raises"  # an enum of two
    try:
        return Normalize.normalize(vector["field"], vector["input"], True) or "dropped"
    except (TypeError, ValueError):
        return "raises"


def _facebook_plain(vector: dict) -> str | None:
    return (
        vector["input"]
        if vector["field"] == "external_id"
        else Normalize.normalize(vector["field"], vector["input"], False)
    )


def _node(fields: list[list[dict]]) -> Iterator[list[str]]:
    vectors = [v for vectors in fields for v in vectors]
    asked = "\n".join(json.dumps({"type": RULES[v["field"]].node_type, "value": v["input"]}) for v in vectors)
    done = subprocess.run(
        ["node", "pii.js"], cwd=HERE / "node", input=asked, capture_output=True, text=True, check=True
    )
    answers = iter(done.stdout.splitlines())
    for vectors in fields:
        found = []
        for vector in vectors:
            said = json.loads(next(answers))
            same = said is None or said == str(vector["input"]).strip()
            found.append((said if same else said.partition(".")[0]) or "dropped")
        yield found


def _code(text: str | int | None) -> str:
    if text is None:
        return "dropped"
    shown = str(text).replace("|", "\\|").replace("\n", "⏎").replace("`", "'")
    invisible = any(not c.isprintable() for c in shown)
    shown = shown.encode("unicode_escape").decode() if invisible else shown
    return f"`{shown}`" if shown.strip() else "(blank)"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
