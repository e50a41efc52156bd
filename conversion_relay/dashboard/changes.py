"""What an operator may do from a page: send dead letters again, erase events. Each is written into the log.

What could go wrong. A page elsewhere on the web posts a form to this address, and the operator's browser adds the
password that it knows (CSRF). So a change needs a token that only our own pages hold, and an Origin that is ours.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html

The token is a keyed digest of the installation's secrets, so that every server process makes the same (`session.py`).
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from conversion_relay.dashboard.session import Renewed
from conversion_relay.outbox import Overview, Search
from conversion_relay.outbox.audit import Audit, Change
from conversion_relay.settings import Settings
from conversion_relay.telemetry import logger

MOST_BYTES = 64 * 1_024
MOST_KEYS = 50_000
_KEY = re.compile(r"\d{1,18}", re.ASCII)
"""Of PostgreSQL's keys, too, which have sixteen figures; always less than what a store takes for a number."""
_DONE = {"replay": "{} will be sent again", "erase": "{} erased"}


class Refused(Exception):
    """The form did not come from our own page."""


def token_of(settings: Settings) -> bytes:
    secret = "\0".join([settings.admin_password.reveal(), *(d.access_token.reveal() for d in settings.datasets)])
    return hmac.digest(secret.encode(), b"conversion-relay dashboard", "sha256").hex().encode()


def change(outbox: Overview, audit: Audit, tokens: Renewed, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Where to go on, a path under /dashboard. Raises Refused."""
    form = form_in(body, 2_000)
    if not is_ours(headers) or not tokens.is_one(_one(form, "token").encode()):
        raise Refused
    keys = [int(key) for key in form.get("key", []) if _KEY.fullmatch(key)]
    if not keys and _one(form, "reason"):
        keys = _of_group(outbox, _one(form, "dataset"), _one(form, "name"), _one(form, "reason"))
    action = _one(form, "do")
    n = 0
    if action == "replay":
        n = outbox.replay_chosen(keys, now)
    elif action == "erase":
        n = outbox.erase_chosen(keys, now)
    else:
        raise Refused
    logger.info(
        "An operator changed events from the dashboard", extra={"action": action, "asked": len(keys), "count": n}
    )
    what = " ".join(filter(None, (_one(form, part) for part in ("dataset", "name", "reason")))) or f"{len(keys)} chosen"
    audit.note(Change(now, "dashboard", action, n, what[:200]))
    back = _one(form, "back")
    path = back if re.fullmatch(r"/dashboard(?:[/?][^\s\\]*)?", back) else "/dashboard"
    return path + ("&" if "?" in path else "?") + urlencode({"done": f"{action}-{n}"})


def told(done: str) -> str | None:
    """The sentence for a page that comes after a change.

    >>> told("erase-0")
    'Nothing was changed: choose an event first, or those that were chosen are gone.'

    >>> told("replay-3"), told("<script>")
    ('3 events will be sent again', None)
    """
    found = re.fullmatch(r"(replay|erase)-(\d{1,9})", done)
    if found is None:
        return None
    n = int(found[2])
    if n == 0:
        return "Nothing was changed: choose an event first, or those that were chosen are gone."
    return _DONE[found[1]].format("1 event" if n == 1 else f"{n:,} events")


def form_in(body: bytes, most: int) -> dict[str, list[str]]:
    """A form's fields; none where there are more than `most`, as no form of ours has them."""
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=most)
    except ValueError:
        return {}


def is_ours(headers: Mapping[str, str]) -> bool:
    """Whether a page of ours sent it. What the browser says itself outranks a Host, which proxies rewrite (nginx's
    `$host` has no port); no page can set it, but browsers do not send it over plain HTTP."""
    if site := headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host", "")
    except ValueError:
        return False


def _of_group(outbox: Overview, dataset: str, name: str, reason: str) -> list[int]:
    asked = Search(state="dead", dataset=dataset, event_name=name, reason=reason, limit=5_000)
    keys: list[int] = []
    while len(keys) < MOST_KEYS:
        found = outbox.search(asked)
        keys += [story.key for story in found.stories if story.key is not None]
        if found.rest is None or not found.stories:
            break
        asked = msgspec.structs.replace(asked, before=found.rest)
    return keys


def _one(form: Mapping[str, Sequence[str]], name: str) -> str:
    return form.get(name, [""])[0]
