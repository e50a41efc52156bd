"""Measured on 2,000 objects that the scrubber's own tables had no part in: what goes, what stays.

No second detector is measured against: Presidio needs a language model of hundreds of megabytes and finds names in free
texts, which the page docs/privacy.md does not promise.
"""

from collections import Counter
from typing import Any

from conversion_relay.intake.scrub import without_personal_data
from tests.intake.scrub import corpus


def at(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if isinstance(document, list):
            document = document[0] if document else None
        elif isinstance(document, dict):
            document = document.get(step)
    return document


def test_persons_go_and_business_stays(capsys):
    whole, gone, business, lost = Counter(), Counter(), Counter(), Counter()
    missed, wrongly = [], []
    for case in corpus.corpus():
        kept = without_personal_data({"custom_data": case.document})[0].get("custom_data", {})
        for path, kind in case.personal.items():
            whole[kind] += 1
            value = at(kept, path)
            gone[kind] += value is None
            if value is not None:
                missed.append((path, value))
        for path, kind in case.business.items():
            business[kind] += 1
            if at(kept, path) != at(case.document, path):
                lost[kind] += 1
                wrongly.append((path, at(case.document, path)))
    with capsys.disabled():
        print("\nrecall:", {kind: round(gone[kind] / n, 4) for kind, n in whole.items()}, dict(whole))
        print(
            f"precision: {sum(gone.values()) / (sum(gone.values()) + sum(lost.values())):.4f};"
            f" {sum(business.values())} kept"
        )
    assert all(gone[kind] / n >= 0.99 for kind, n in whole.items()), missed[:40]
    assert wrongly == []
    assert sum(whole.values()) > 3_000 and len(business) > 15
