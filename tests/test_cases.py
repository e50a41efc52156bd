"""What other programs send, through the real `serve` to Meta's stand-in: cases from outside, shapes of two peers."""

from collections.abc import Iterator

import pytest

from tests.cases import Run, read_cases
from tests.processes import installation

CASES = read_cases("events.json", "peers.json", "siblings.json")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with installation(tmp_path_factory.mktemp("cases")) as here:
        here.start()
        yield Run(here, CASES)


@pytest.mark.parametrize("case_id", [case["id"] for case in CASES])
def test_the_case_holds(run: Run, case_id: str):
    assert run.faults(case_id) == []


def test_each_case_has_an_id_of_its_own_a_source_and_a_reason():
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert all(case["source"] and case["why"] and case["kind"] for case in CASES)
