"""An operator is told in time that a version ends, by both of Meta's tables."""

from datetime import UTC, date, datetime, timedelta

import pytest

from conversion_relay.emulator import versions as standin
from conversion_relay.meta.versions import GRAPH_API, MARKETING_API, NEWEST, WARN_DAYS, version_finding
from conversion_relay.settings import Settings


def at(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


NOVEMBER = at(date(2026, 11, 26))


@pytest.mark.parametrize(
    ("version", "severity"),
    [
        ("v27.0", None),
        ("v26.0", None),
        ("v25.0", "warning"),
        ("v24.0", "warning"),
        ("v21.0", "warning"),
        ("v20.0", "error"),
        ("v25.1", "error"),
        ("v27.1", None),
        ("v3.0", "error"),
        ("v28.0", None),
        ("v999.0", None),
    ],
)
def test_what_is_said_on_the_26th_of_november_2026(version, severity):
    finding = version_finding(version, NOVEMBER)
    assert (finding and finding.severity) == severity
    if finding:
        assert version in finding.message and NEWEST in finding.fix and finding.path == "META_GRAPH_VERSION"


def test_both_dates_are_named():
    finding = version_finding("v25.0", NOVEMBER)
    assert finding is not None
    assert "ends on 2027-02-23 for the Marketing API and ends on 2028-07-29 for the Graph API" in finding.message
    finding = version_finding("v22.0", NOVEMBER)
    assert finding is not None and "ended before 2026-11-10 for the Marketing API" in finding.message


@pytest.mark.parametrize("version", sorted(MARKETING_API))
def test_the_warning_comes_half_a_year_before_the_first_end(version):
    end = MARKETING_API[version]
    assert version_finding(version, at(end - timedelta(WARN_DAYS + 1))) is None
    assert version_finding(version, at(end - timedelta(WARN_DAYS))) is not None


@pytest.mark.parametrize("version", sorted(GRAPH_API))
def test_from_its_last_day_on_it_is_an_error(version):
    end = GRAPH_API[version]
    before, after = version_finding(version, at(end) - 1), version_finding(version, at(end))
    assert before is not None and before.severity == "warning"
    assert after is not None and after.severity == "error"


def test_the_stand_in_which_has_its_own_tables_has_the_same_dates():
    assert {version: end for version, end in standin.GRAPH_API.items() if end} == GRAPH_API
    assert {version: end for version, end in standin.MARKETING_API.items() if end} == MARKETING_API
    assert standin.NEWEST == NEWEST


def test_the_newest_is_the_default():
    assert Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x"}).graph_version == NEWEST
