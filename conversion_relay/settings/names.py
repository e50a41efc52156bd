"""Which settings there are: where each may stand, and what kind of value the file may hold for it.

Once each, here. Payments have more, which come with their providers (`payments/configured.py`); how the text of one is
read is in `values.py`.
"""

from typing import Literal, NamedTuple

from conversion_relay.payments import configured

Place = Literal["dataset", "either", "all", "environment"]
"""In the file: a [[dataset]] table, where there are any; there, or at the top for all datasets; the top alone; nowhere.
"""
Kind = Literal["text", "list", "number", "switch"]


class Setting(NamedTuple):
    place: Place
    kind: Kind = "text"


SETTINGS = {
    "META_ACCESS_TOKEN": Setting("dataset"),
    "META_ACCESS_TOKEN_FILE": Setting("dataset"),
    "META_ACCESS_TOKEN_PARAMETER": Setting("environment"),
    "META_ACCESS_TOKEN_SECRET_ARN": Setting("environment"),
    "META_APP_SECRET": Setting("dataset"),
    "META_APP_SECRET_ARN": Setting("environment"),
    "META_APP_SECRET_PARAMETER": Setting("environment"),
    "META_GRAPH_URL": Setting("all"),
    "META_GRAPH_VERSION": Setting("all"),
    "META_PIXEL_ID": Setting("dataset", "number"),
    "META_TEST_EVENT_CODE": Setting("dataset"),
    "RELAY_ADMIN_PASSWORD": Setting("all"),
    "RELAY_ALLOWED_ORIGINS": Setting("dataset", "list"),
    "RELAY_API_KEYS": Setting("dataset", "list"),
    "RELAY_BALLAST": Setting("all", "switch"),
    "RELAY_BOTS": Setting("dataset"),
    "RELAY_CONFIG": Setting("environment"),
    "RELAY_CONSENT": Setting("either"),
    "RELAY_COPIES_TO": Setting("dataset", "list"),
    "RELAY_DEFAULT_COUNTRY": Setting("either"),
    "RELAY_GPC": Setting("either"),
    "RELAY_HOLD_LATE": Setting("all", "list"),
    "RELAY_LOG_FORMAT": Setting("all"),
    "RELAY_MAX_VALUE": Setting("either", "number"),
    "RELAY_MOST_CALLS": Setting("all", "number"),
    "RELAY_MOST_CONNECTIONS": Setting("all", "number"),
    "RELAY_MOST_PER_DAY": Setting("dataset", "number"),
    "RELAY_MOST_PER_SECOND": Setting("dataset", "number"),
    "RELAY_NOTIFY": Setting("all"),
    "RELAY_NO_WORKER": Setting("environment"),
    "RELAY_OUTBOX": Setting("all"),
    "RELAY_PUBLIC_EVENTS": Setting("either", "list"),
    "RELAY_SET_COOKIES": Setting("all", "switch"),
    "RELAY_TOGETHER": Setting("environment"),
    "RELAY_TRUSTED_PROXIES": Setting("all", "list"),
    "RELAY_VARIANTS": Setting("all", "switch"),
    "RELAY_VIEWER_HEADER": Setting("all"),
}


def _at(*places: Place) -> frozenset[str]:
    return frozenset(name for name, setting in SETTINGS.items() if setting.place in places)


OF_A_DATASET, OF_EITHER = _at("dataset"), _at("either")
OF_ALL = configured.names() | _at("all", "either")
"""What may stand at the top of the file, beside [[dataset]] tables."""
ENVIRONMENT_ONLY = _at("environment")


def is_setting(name: str) -> bool:
    """A value of ours: variables of other programs stand beside them."""
    return name in OF_ALL or name in OF_A_DATASET or configured.is_one(name)


def kind_of(name: str) -> Kind:
    """Of a name that `is_setting`."""
    if name in SETTINGS:
        return SETTINGS[name].kind
    return "list" if configured.is_list(name) else "text"
