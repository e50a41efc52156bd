"""Variables of the environment that look like settings and are none.

What could go wrong. A variable with a slip in its name is silently not read: pages are refused, or nobody delivers. But
an environment also holds what other programs put there, and a start must not fail for that.

The rule. A name that is nearly a setting which is not set ends the start. Others that begin like ours are warned about
once. Kubernetes writes variables for each Service into every container, so that one with the name `relay` is
RELAY_PORT, RELAY_SERVICE_HOST and so on: these are nobody's mistake.
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""

import re
from collections.abc import Mapping
from functools import cache

from conversion_relay.errors import SettingsError
from conversion_relay.patterns import seldom
from conversion_relay.payments import configured
from conversion_relay.settings.file import nearest
from conversion_relay.settings.names import ENVIRONMENT_ONLY, OF_A_DATASET, OF_ALL
from conversion_relay.telemetry import logger

_OF_A_SERVICE = seldom(r"\w+_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)", re.ASCII)
_IN_A_FILE = "_FILE"
"""Images of databases read `NAME_FILE` for any NAME; here the token alone has a file of its own."""


def refuse_misspelt(environ: Mapping[str, str]) -> None:
    """SettingsError for a variable that is nearly a setting which is not set; a warning for others like ours."""
    known = OF_ALL | OF_A_DATASET | ENVIRONMENT_ONLY
    for name in environ:
        if name in known:
            continue
        if name.endswith(_IN_A_FILE) and not environ.get(setting := name.removesuffix(_IN_A_FILE)):
            _refuse_file(name, setting)
        if not name.startswith(("RELAY_", "META_")) or _is_of_a_service(name, environ[name]):
            continue
        near = nearest(name, known)
        if near and not environ.get(near):
            raise SettingsError(f"{name}: there is no such setting; {near} is the nearest one")
        _warn(name, f"; {near} is the nearest one" if near else "")


def _refuse_file(name: str, setting: str) -> None:
    """For a setting that is looked for in a file. A shop may have a payment provider's for itself: that is no error."""
    remedy = f"{setting} may stand in the TOML file that RELAY_CONFIG names"
    if setting in OF_ALL | OF_A_DATASET and setting.startswith(("RELAY_", "META_")):
        raise SettingsError(f"{name}: there is no such setting; {remedy}")
    if configured.is_one(setting):
        _warn(name, f"; {remedy}")


def _is_of_a_service(name: str, value: object) -> bool:
    is_address = name.endswith("_PORT") and isinstance(value, str) and "://" in value
    return is_address or _OF_A_SERVICE.fullmatch(name) is not None


@cache
def _warn(name: str, hint: str) -> None:
    """Once in a process, however often settings are read."""
    logger.warning(f"{name} is no setting of the relay and is not read{hint}", extra={"setting": name})
