"""Runs event cases from outside against a relay and Meta's stand-in; what the members of a case mean:

    request     what is posted to /events with the API key: an event, an array, {"data": [...]}, or a raw text
    status      the HTTP status
    accepted    how many events the answer lists as accepted
    refused     [{"index", "field"}]: a refusal of that event, whose field begins so
    dropped     {index: [beginnings]}: what the accepted row tells of what was left out
    meta        {event id: {dotted path: value}} of what reached the stand-in. null: absent; {"sha256": text}: its
                digest, alone in a list or not; {"matches": regex}; {"type": "number"}
    never       ids that must not reach it
    nowhere     texts that stand neither in what reached it nor in the relay's answer

In any text $NOW is the current Unix second, $NOW-60 a minute before, $ID an id of this case alone.
"""

import hashlib
import json
import re
import time
import uuid
from pathlib import Path
from typing import Any

from tests.processes import Installation, until

VECTORS = Path(__file__).parent / "vectors"
_BY_CHANCE = re.compile(r"\b[0-9a-f]{64}\b|-[0-9a-f]{8}\b")
"""Digests and the ends of this run's ids: a postcode's five digits stand somewhere in a thousand of them."""


def read_cases(*files: str) -> list[dict[str, Any]]:
    return [case for file in files for case in json.loads((VECTORS / file).read_text("utf-8"))]


class Run:
    """Posts all cases at once, waits until everything has arrived, then tells what is wrong case by case."""

    def __init__(self, here: Installation, cases: list[dict[str, Any]]) -> None:
        now = int(time.time())
        self._answers: dict[str, tuple[dict[str, Any], int, Any]] = {}
        for case in cases:
            filled = fill(case, f"{case['id']}-{uuid.uuid4().hex[:8]}", now)
            request = filled["request"]
            body = request.encode() if isinstance(request, str) else request
            self._answers[case["id"]] = (filled, *here.post(body, Content_Type="application/json"))
        until(lambda: here.settled())
        self._arrived = [row["event"] for row in here.arrived()]

    def faults(self, case_id: str) -> list[str]:
        """What does not hold of this case."""
        case, status, answer = self._answers[case_id]
        rows = answer if isinstance(answer, dict) else {}
        found = []
        if status != case.get("status", status):
            found.append(f"answered {status}: {answer}")
        if len(rows.get("accepted", [])) != case.get("accepted", len(rows.get("accepted", []))):
            found.append(f"accepted: {answer}")
        for want in case.get("refused", []):
            fits = [r for r in rows.get("refused", []) if r["index"] == want["index"]]
            if not any(row["field"].startswith(want.get("field", "")) for row in fits):
                found.append(f"not refused at {want}: {answer}")
        for index, told in case.get("dropped", {}).items():
            has = [why for r in rows.get("accepted", []) if r["index"] == int(index) for why in r.get("dropped", [])]
            found += [f"not told: {name} in {has}" for name in told if not any(w.startswith(name) for w in has)]
        return [*found, *self._faults_at_meta(case, json.dumps(answer, ensure_ascii=False))]

    def _faults_at_meta(self, case: dict[str, Any], answer: str) -> list[str]:
        by_id = {event.get("event_id"): event for event in self._arrived}
        found = [f"{event_id} did not arrive" for event_id in case.get("meta", {}) if event_id not in by_id]
        for event_id, paths in case.get("meta", {}).items():
            for path, want in paths.items():
                got = at(by_id.get(event_id, {}), path)
                if not is_right(got, want):
                    found.append(f"{path}: {got!r}, not {want!r}")
        found += [f"{event_id} arrived" for event_id in case.get("never", []) if event_id in by_id]
        everything = _BY_CHANCE.sub("", json.dumps(self._arrived, ensure_ascii=False) + answer)
        return [*found, *(f"{text!r} got through" for text in case.get("nowhere", []) if text in everything)]


def fill(value: Any, name: str, now: int) -> Any:
    if isinstance(value, str):
        value = value.replace("$ID", name)
        if whole := re.fullmatch(r"\$NOW(?:-(\d+))?", value):
            return now - int(whole[1] or 0)
        return re.sub(r"\$NOW(?:-(\d+))?", lambda found: str(now - int(found[1] or 0)), value)
    if isinstance(value, list):
        return [fill(item, name, now) for item in value]
    if isinstance(value, dict):
        return {fill(key, name, now): fill(member, name, now) for key, member in value.items()}
    return value


def at(document: Any, path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    for part in path.split("."):
        if isinstance(document, list):
            document = document[int(part)] if part.isdigit() and int(part) < len(document) else None
        else:
            document = document.get(part) if isinstance(document, dict) else None
    return document


def is_right(got: Any, want: Any) -> bool:
    match want:
        case {"sha256": text}:
            digest = hashlib.sha256(text.encode()).hexdigest()
            return got in (digest, [digest])
        case {"matches": pattern}:
            return isinstance(got, str) and re.fullmatch(pattern, got) is not None
        case {"type": "number"}:
            return isinstance(got, int | float) and not isinstance(got, bool)
    return bool(got == want)
