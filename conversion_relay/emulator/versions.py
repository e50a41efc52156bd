"""Which versions of the Graph API answer, and until when.

Two tables of Meta's exist, and which of them binds `/events` is written nowhere that we found: the Graph API's, which
keeps a version for two years, and the Marketing API's, which keeps it for less than one. The page of the Conversions
API speaks of two years, so events are served by the first; `dataset_quality` belongs to the Marketing API.

https://developers.facebook.com/docs/graph-api/changelog/versions
https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api
"""

from datetime import UTC, date, datetime

from conversion_relay.emulator.graph_errors import GITHUB, GraphError

Table = dict[str, date | None]
GRAPH_API: Table = {
    "v27.0": None,
    "v26.0": None,
    "v25.0": date(2028, 7, 29),
    "v24.0": date(2028, 2, 18),
    "v23.0": date(2027, 10, 8),
    "v22.0": date(2027, 5, 20),
    "v21.0": date(2027, 1, 21),
    "v20.0": date(2026, 9, 24),
}
"""The day on which a version ends; None: not announced yet."""
MARKETING_API: Table = {
    "v27.0": None,
    "v26.0": None,
    "v25.0": date(2027, 2, 23),
    "v24.0": date(2026, 11, 10),
}
NEWEST = "v27.0"


def version_error(version: str, rest: str, now: float, table: Table = GRAPH_API) -> GraphError | None:
    """The refusal of a version that has ended, or that Meta does not know; None where it is served.

    `rest`: the path after the version; `now` in Unix seconds. A version older than the table has ended, too.

    >>> version_error("v27.0", "/1/events", 1_795_651_200) is None
    True
    >>> version_error("v19.0", "/1/events", 1_795_651_200).code, version_error("v99.0", "/", 0).code
    (2635, 2500)
    """
    if version in table:
        end = table[version]
        return None if end is None or datetime.fromtimestamp(now, UTC).date() < end else _ENDED
    # A version of the future is no version to Meta: it reads the number as the first part of a path.
    known = version.endswith(".0") and int(version[1:-2]) < int(NEWEST[1:-2])
    return _ENDED if known else GraphError(2500, message=f"Unknown path components: {rest}", recorded=_KOALA)


_KOALA = f"{GITHUB}/arsduo/koala/issues/611"
# Recorded for calls of the Marketing API; that `/events` answers alike is a guess.
_ENDED = GraphError(
    2635,
    message="(#2635) You are calling a deprecated version of the Ads API. Please update to the latest version: "
    f"{NEWEST}.",
)
