"""`FacebookAdsApi.init(...)`, and the Relay behind all requests of this process.

The settings come from the environment as everywhere. Where it has no pixel and no token, the SDK's own places count:
the token of `init`, the pixel of the first request. The Relay delivers in this process; `use_relay` takes one that does
not.
"""

import os
import threading
from typing import Any

from conversion_relay.relay import Relay
from conversion_relay.settings import Dataset, Settings


class FacebookAdsApi:
    """Holds what `init` was given; there is no session, since delivery has its own."""

    _token: str | None = None
    _secret: str | None = None

    @classmethod
    def init(
        cls, app_id: str | None = None, app_secret: str | None = None, access_token: str | None = None, **_: Any
    ) -> type["FacebookAdsApi"]:
        """The environment's META_ACCESS_TOKEN and META_APP_SECRET come before these. Other arguments change nothing."""
        cls._token, cls._secret = access_token or cls._token, app_secret or cls._secret
        return cls

    @classmethod
    def get_default_api(cls) -> type["FacebookAdsApi"]:
        """What `init` returned; there is one for the whole process."""
        return cls

    @classmethod
    def environ(cls, pixel_id: str) -> dict[str, str]:
        """The process's environment, and what only the SDK was told."""
        told = {"META_PIXEL_ID": pixel_id, "META_ACCESS_TOKEN": cls._token, "META_APP_SECRET": cls._secret}
        if os.environ.get("RELAY_CONFIG"):  # datasets, with their tokens, stand in that file
            return dict(os.environ)
        return {name: value for name, value in told.items() if value} | dict(os.environ)


_NOBODYS = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "none"}
_ours: list[Relay] = []
_making = [threading.Lock()]
"""Two first requests in two threads would make two Relays, and each would deliver. In a list, since a child of a fork
needs a new one."""


def use_relay(relay: Relay | None) -> None:
    """All requests go through this one from now on; None: one is made when it is needed."""
    _ours[:] = [relay] if relay else []


def relay_for(pixel_id: str) -> tuple[Relay, Dataset]:
    """Raises SettingsError that names what is missing, and ValueError for a pixel that is not configured."""
    if not _ours:
        with _making[0]:
            if not _ours:
                _ours.append(Relay(Settings.from_env(FacebookAdsApi.environ(str(pixel_id))), deliver=True))
    relay = _ours[0]
    dataset = relay.settings.dataset(str(pixel_id))
    if dataset is None:
        raise ValueError("pixel_id: this pixel is not configured; add a [[dataset]] to the file of RELAY_CONFIG")
    return relay, dataset


def judge() -> Relay:
    """For what keeps nothing: the Relay of the requests; before the first of them, one that opens no outbox, by the
    same settings. A pixel and a token that nobody has named are not needed for it."""
    if _ours:
        return _ours[0]
    return Relay(Settings.from_env(_with_nobodys(FacebookAdsApi.environ(_NOBODYS["META_PIXEL_ID"]))))


def _with_nobodys(environ: dict[str, str]) -> dict[str, str]:
    return environ if environ.get("RELAY_CONFIG") else _NOBODYS | environ


def _after_fork() -> None:
    _making[0] = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
