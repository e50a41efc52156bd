"""What a person can do about a reason that an event or a dataset waits for, or ended with: one sentence, one remedy.

The reasons are those of the ledger: `meta_100_2804009` (code and subcode of Meta's), `corrupt`, `unauthorized` ... For
a subcode the remedy is the one that `validate` gives, since the same rule was broken. Of an error that nobody has
listed yet Meta's own sentence is all that is known.
"""

import re
from collections.abc import Iterator

import msgspec

from conversion_relay.meta import reasons
from conversion_relay.meta.finding import Finding
from conversion_relay.meta.versions import SET_ANOTHER

LINK = "https://developers.facebook.com/docs/marketing-api/conversions-api"


class Remedy(msgspec.Struct, frozen=True):
    what: str
    """What is wrong, in plain words."""
    fix: str
    field: str | None = None
    link: str | None = None


_WORDS = {
    "unauthorized": (
        "the access token is refused by Meta: it expired, was revoked, or is wrong",
        "set a new META_ACCESS_TOKEN (Events Manager > Settings > Conversions API > Generate access token)",
    ),
    "misconfigured": (
        "Meta refuses this token for this dataset",
        "check META_PIXEL_ID, and give the token's system user the dataset with 'Manage'",
    ),
    "unserved_version": (
        "Meta does not serve the version of META_GRAPH_VERSION",
        SET_ANOTHER,
    ),
    "throttled": ("Meta asks for a pause", "nothing to do; events are sent when the pause is over"),
    "near_limit": ("Meta's limit of calls is near", "nothing to do; events are sent a little later"),
    "all_refused": (
        "Meta refuses every event of this dataset",
        "look at the newest dead letters: one field is wrong in all of them",
    ),
    "unknown_error": ("Meta answers with an error that is not known", "read Meta's sentence; nothing is given up"),
    "foreign_answer": (
        "what answers is not Meta's Graph API, but a proxy or a login page on the way, or META_GRAPH_URL is wrong",
        "check META_GRAPH_URL and what stands between this machine and Meta; `conversion-relay explain` has the status",
    ),
    "tls": (
        "no TLS connection to Meta: its certificate is not trusted here",
        "check the machine's certificates and clock, and whether a proxy on the way opens connections",
    ),
    "proxy_address": ("HTTPS_PROXY is no address of a proxy", "set it to http://host:port, or unset it"),
    "proxy_unreached": (
        "the proxy of HTTPS_PROXY is not reached",
        "check its address, or name Meta's host in NO_PROXY",
    ),
    "proxy_refused": ("the proxy of HTTPS_PROXY lets nobody through to Meta", "allow graph.facebook.com:443 in it"),
    "proxy_login": ("the proxy of HTTPS_PROXY asks for a login", "set HTTPS_PROXY to http://user:password@host:port"),
    "dns": ("Meta's name is not found", "check the machine's DNS; events are sent when it is back"),
    "accounting_mismatch": (
        "Meta's answers do not say that all events were taken, time after time",
        "nothing is lost, and Meta drops copies by id; look for a proxy on the way that changes answers",
    ),
    "too_large": ("the event is too large for Meta or for a proxy on the way", "send fewer contents in one event"),
    "too_old": (
        "the event grew older than the 7 days that Meta takes while it waited",
        "it cannot be sent any more; keep `deliver` running and the token alive",
    ),
    "corrupt": (
        "the stored bytes are damaged, so they are not sent",
        "check the disk; send the event again from its source, with the same id",
    ),
    "ambiguous_late": (
        "Meta may have had it for over two days, and would count it twice",
        "look for it in Events Manager; replay it if it is not there",
    ),
    "suspect": ("Meta refused it together with others, so it is tried apart", "nothing to do"),
    "withheld": ("its visitor did not agree (RELAY_CONSENT)", "nothing to do"),
    "withdrawn": ("its visitor took it back", "nothing to do"),
    "erased": ("a person was erased", "nothing to do"),
    "clock_unknown": ("the clock may be wrong, and Meta did not tell the time", "nothing to do; it is asked again"),
}
_ADDS_UP = ("Meta's answer does not add up with what was sent", "nothing to do; Meta drops copies by id")
_TRIED_AGAIN = ("Meta does not answer as it should", "nothing to do; it is tried again")
_UNREACHED = (
    "Meta is not reached from this machine",
    "it is tried again; if it lasts, check network, firewall and META_GRAPH_URL",
)
_KINDS = {
    "short_count": _ADDS_UP,
    "long_count": _ADDS_UP,
    "unreadable": (
        "what answers does not say whether Meta has the events",
        "it is tried again; if it lasts, look for a proxy or a login page on the way",
    ),
    "http": _TRIED_AGAIN,
    "code": _TRIED_AGAIN,
    **dict.fromkeys(("deadline", "read_timeout", "closed", "reset", "cut_off"), _TRIED_AGAIN),
    # "refused": what older outboxes hold for a connection.
    **dict.fromkeys(("connection_refused", "refused", "connect_timeout", "network", "no_thread"), _UNREACHED),
}
"""By the reason, or by what stands before its number: http_503, code_2, unreadable_200."""
_META = re.compile(r"meta_(\d{1,10})(?:_(\d{1,10}))?")
_NUMBER = re.compile(r"_\d{1,10}\Z")


def remedy(reason: str | None, subcode: int | None = None, field: str | None = None) -> Remedy | None:
    """For a reason as the ledger keeps it; None where nothing is known that helps. `field`: what Meta named.

    >>> remedy("meta_100_2804009").fix
    'send custom_data.value, for example 299.99'
    >>> remedy("unauthorized").what
    'the access token is refused by Meta: it expired, was revoked, or is wrong'
    """
    found = _META.fullmatch(reason or "")
    if found is None:
        words = _WORDS.get(reason or "") or _KINDS.get(_NUMBER.sub("", reason or ""))
        return Remedy(*words) if words else None
    wanted = int(found[2]) if found[2] else subcode
    finding = _by_subcode(wanted, field)
    if finding is not None:
        return Remedy(finding.message, finding.fix, finding.path, finding.link)
    if field:
        return Remedy(f"Meta does not take {field}", "compare it with Meta's page", field, f"{LINK}/parameters")
    return None


def _by_subcode(subcode: int | None, field: str | None) -> Finding | None:
    """Of several with this subcode the one about the field."""
    if subcode is None:
        return None
    alike = [finding for finding in _FINDINGS if finding.subcode == subcode]
    about = [finding for finding in alike if field and finding.path == field]
    if about:
        return about[0]
    # One subcode for many mistakes: without the field nobody knows which.
    return alike[0] if len({finding.path for finding in alike}) == 1 else None


def _all() -> Iterator[Finding]:
    for value in vars(reasons).values():
        if isinstance(value, Finding):
            yield value
        elif isinstance(value, dict):
            yield from (finding for finding in value.values() if isinstance(finding, Finding))
    yield reasons.too_old(7)
    yield Finding(
        "missing_field",
        "event_source_url",
        "error",
        "website events must say which page they happened on",
        "send event_source_url, the page's URL",
        f"{LINK}/parameters/server-event",
        2804019,
    )
    yield Finding(
        "bad_lead_id",
        "user_data.lead_id",
        "error",
        "Meta does not know this lead id, or it was deleted",
        "send the 15 to 17 digits that Meta's lead form gave, as they came",
        f"{LINK}/conversion-leads-integration",
        2804036,
    )


_FINDINGS = tuple(_all())
