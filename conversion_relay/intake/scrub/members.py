"""Members with a rule of their own: ids, URLs, and match keys that are sent as they came."""

from typing import Any

from conversion_relay.event_id import without_email
from conversion_relay.intake.scrub.url import LONGEST_URL, careful_url, quick_url
from conversion_relay.intake.scrub.walk import HOLDS, Removed, kind_inside, personal_name
from conversion_relay.meta.customer_information.keys import NEVER_HASHED
from conversion_relay.meta.customer_information.network import is_of_a_browser
from conversion_relay.meta.customer_information.nothing import is_nothing
from conversion_relay.personal_data import held

_NO_URL = "no URL of a page; send it with https:// and the host"
VERBATIM = NEVER_HASHED.keys() - {"client_ip_address", "fbc", "fbp", "lead_id", "fb_login_id", "madid"}
"""Match keys that are sent as they came and have no form of their own to be judged by."""


def scrub_event_id(event_id: str, removed: list[Removed]) -> str:
    """The id with a person in it replaced by a digest."""
    scrubbed = without_email(event_id)
    if scrubbed != event_id:
        removed.append(_removed("event_id", event_id, "; its SHA-256 stands in its place"))
    return scrubbed


def scrub_page(name: str, url: str | None, removed: list[Removed]) -> str | None:
    """`scrub_url`, and told where it held a person. That a query was cut is the rule and needs no word."""
    if not url or (quick := quick_url(url)):
        return quick if url else None
    scrubbed = careful_url(url)
    if scrubbed != url and held(url[:LONGEST_URL]):
        removed.append(_removed(name, url[:LONGEST_URL]))
    elif scrubbed is None and not is_nothing(url.strip()):
        removed.append(Removed(name, _NO_URL, ""))
    return scrubbed


def scrub_match_keys(user_data: dict[str, Any], removed: list[Removed], harmless: frozenset[str] = frozenset()) -> None:
    """Takes out of Meta's `user_data` what would be sent unhashed and holds a person. `harmless`: keys that were looked
    at."""
    for name in sorted((VERBATIM & user_data.keys()) - harmless):  # two copies are told the same
        value = user_data[name]
        if not isinstance(value, str) or is_of_a_browser(value):
            continue
        if held(value):
            del user_data[name]
            removed.append(_removed(f"user_data.{name}", value))
        elif name != "client_user_agent" and (kind := kind_inside(value)):
            del user_data[name]
            removed.append(Removed(f"user_data.{name}", f"holds {personal_name(kind)}", "name"))


def _removed(field: str, text: str, then: str = "") -> Removed:
    what = held(text) or "encoded"
    return Removed(field, HOLDS[what] + then, what)
