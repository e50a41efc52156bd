"""When the configured version of Meta's API ends: two tables, because Meta has two.

Meta keeps a version of the Graph API for two years and one of the Marketing API for less than one. The page of the
Conversions API promises the two years, but its errors, limits and packages are the Marketing API's; which of the tables
binds `/events` is written nowhere that we found. So both dates are named, and an operator who stays within the shorter
one has nothing to fear. A version that is in neither table is newer than this file, and nothing is said about it.

https://developers.facebook.com/docs/graph-api/changelog/versions
https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api
"""

from datetime import UTC, date, datetime

from conversion_relay.meta.finding import Finding

NEWEST = "v27.0"
"""Released on 2026-11-04; the default of META_GRAPH_VERSION."""
GRAPH_API = {
    "v20.0": date(2026, 9, 24),
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
}
"""The day on which a version ends; not announced yet for those that are not listed."""
MARKETING_API = {"v24.0": date(2026, 11, 10), "v25.0": date(2027, 2, 23)}
SET_ANOTHER = f"set META_GRAPH_VERSION={NEWEST}, or leave it out"
_DEPRECATED = 2635
_UNKNOWN_PATH = 2500
"""What an unknown version is to Meta, and what some refused tokens are: https://github.com/arsduo/koala/issues/611"""
WARN_DAYS = 183
"""Half a year before the end: an upgrade is one setting, but somebody has to read the changelog."""


def version_finding(version: str, now: float) -> Finding | None:
    """What an operator should know about META_GRAPH_VERSION; None where it is far from its end. `now` in Unix seconds.

    An error where the Graph API's table says that it has ended, else a warning: it goes on working.

    >>> version_finding("v27.0", 1_795_651_200) is None
    True
    >>> finding = version_finding("v24.0", 1_795_651_200)
    >>> finding.severity, finding.message
    ('warning', 'version v24.0 ended on 2026-11-10 for the Marketing API and ends on 2028-02-18 for the Graph API')
    """
    today = datetime.fromtimestamp(now, UTC).date()
    number = _number(version)
    if number is None or number > max(map(_number_of, GRAPH_API)):
        return None
    if number < min(map(_number_of, GRAPH_API)):
        return _finding("error", f"version {version} ended before {min(GRAPH_API.values())}")
    if version not in GRAPH_API:
        return _finding("error", f"version {version} is none of Meta's")
    ends = {"Graph API": GRAPH_API[version]}
    # Older versions had ended there before the first line of the table.
    ends = {"Marketing API": MARKETING_API.get(version, min(MARKETING_API.values()))} | ends
    if all((end - today).days > WARN_DAYS for end in ends.values()):
        return None
    told = " and ".join(
        f"{'ended' if end <= today else 'ends'} {'on' if version in MARKETING_API or api == 'Graph API' else 'before'}"
        f" {end} for the {api}"
        for api, end in ends.items()
    )
    return _finding("error" if ends["Graph API"] <= today else "warning", f"version {version} {told}")


def is_served(version: str, now: float) -> bool | None:
    """Whether Meta still serves this version; None for one that is newer than this file.

    >>> is_served("v27.0", 1_795_651_200), is_served("v20.0", 1_795_651_200), is_served("v99.0", 1_795_651_200)
    (True, False, None)
    """
    if _number_of(version) > _number_of(NEWEST) or (_number_of(version) == _number_of(NEWEST) and version != NEWEST):
        return None
    finding = version_finding(version, now)
    return finding is None or finding.severity != "error"


def is_of_version(code: int | None, version: str, now: float) -> bool:
    """Whether an error with this code means the version of the request, and not its token: nobody would find a wrong
    digit in META_GRAPH_VERSION by renewing tokens.

    >>> now = 1_795_651_200
    >>> is_of_version(2500, "v99.0", now), is_of_version(2500, "v27.0", now), is_of_version(190, "v99.0", now)
    (True, False, False)
    """
    return code == _DEPRECATED or (code == _UNKNOWN_PATH and not is_served(version, now))


def _finding(severity: str, message: str) -> Finding:
    return Finding(
        "version_ends",
        "META_GRAPH_VERSION",
        "error" if severity == "error" else "warning",
        message,
        f"set {NEWEST}, or leave META_GRAPH_VERSION out",
        "https://developers.facebook.com/docs/graph-api/changelog/versions",
    )


def _number(version: str) -> int | None:
    whole = version[1:].partition(".")[0]
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) <= 3 else None


def _number_of(version: str) -> int:
    return _number(version) or 0
