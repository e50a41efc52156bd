"""The dashboard: whether conversions count, why an event did not, and what to do, for a person.

In come an opened `Relay` and a look at each dataset's pace; out come `routes.py`'s routes, which the collector serves
under /dashboard. `look.py` reads what a page needs, `figures.py` and `words.py` make figures and sentences of it,
`changes.py` is the operator's hand. It may not know a person: the outbox holds none, and what is sent is shown with
digests shortened.

Who may look is decided in `access.py`, and `refused.py` says what the others are told; neither needs a framework.
"""

from collections.abc import Callable

from conversion_relay.dashboard.access import Access
from conversion_relay.dashboard.session import Renewed, session_key
from conversion_relay.settings import Settings

__all__ = ["access_of"]


def access_of(settings: Callable[[], Settings], network_of: Callable[[str | None], str] = str) -> Access:
    """Who may look at an installation. `settings`: those in use now; the password is that of the start. Raises
    SettingsError for a hash that cannot be checked."""
    password, keys = settings().admin_password.reveal(), Renewed(settings, session_key)
    return Access(password, lambda: settings().trusted_proxies, network_of, keys=keys.all)
