"""A version is served until Meta's table says that it ends; then, and where Meta never knew it, it is refused."""

from datetime import UTC, datetime

import pytest

from conversion_relay.emulator.versions import GRAPH_API, MARKETING_API, NEWEST, version_error
from tests.emulator.requests import DATASET, TOKEN, event, send
from tests.processes import call


def at(day: str) -> float:
    return datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("version", GRAPH_API)
def test_a_version_ends_on_its_day(version):
    end = GRAPH_API[version]
    if end is None:
        assert version_error(version, "/1/events", at("2040-01-01")) is None
        return
    assert version_error(version, "/1/events", at(end.isoformat()) - 1) is None
    error = version_error(version, "/1/events", at(end.isoformat()))
    assert error is not None and (error.code, error.inferred) == (2635, True) and NEWEST in error.message


@pytest.mark.parametrize("version", ["v2.80", "v28.0", "v27.1", "v999.0", "v0.999"])
def test_what_meta_never_knew_is_a_path_to_it(version):
    error = version_error(version, "/1/events", at("2026-11-26"))
    assert error is not None and error.message == "Unknown path components: /1/events"
    assert (error.code, error.status, error.inferred) == (2500, 400, False)


@pytest.mark.parametrize("version", ["v19.0", "v3.0", "v20.0"])
def test_what_ended_long_ago_has_ended(version):
    error = version_error(version, "/1/events", at("2026-11-26"))
    assert error is not None and error.code == 2635


def test_the_marketing_api_keeps_a_version_for_a_shorter_time():
    assert version_error("v24.0", "/1/events", at("2026-11-26")) is None
    assert version_error("v24.0", "/dataset_quality", at("2026-11-26"), MARKETING_API) is not None
    assert version_error("v25.0", "/dataset_quality", at("2026-11-26"), MARKETING_API) is None


def test_the_stand_in_serves_by_these_tables(meta):
    assert send(meta, [event()], version="v27.0")[0] == 200
    status, answer = send(meta, [event()], version="v20.0")
    assert (status, answer["error"]["code"]) == (400, 2635)
    status, answer = send(meta, [event()], version="v28.0")
    assert (status, answer["error"]["code"]) == (400, 2500)
    status, answer = call("GET", f"{meta}/v24.0/dataset_quality?dataset_id={DATASET}&access_token={TOKEN}")
    assert (status, answer["error"]["code"]) == (400, 2635)
    assert call("POST", f"{meta}/v{'9' * 5000}.0/1/events", b"{}")[0] == 404
