"""What `doctor` looks at. Each check is one sentence and, where something is wrong, one line of remedy.

Nothing here changes anything: the token is tried with a request that holds no event, which Meta answers with
"(#100) param data must be non-empty." when token and dataset are good. The outbox is opened to be read.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Literal

import msgspec

from conversion_relay.cli.said_at_start import GUESSABLE, MAKE_ANOTHER, NOT_LOCAL, TO_A_DISK, guessable
from conversion_relay.delivery.attention import (
    LEAST_DISK,
    NO_TEST_CODE,
    TEST_CODE,
    Known,
    counted_waiting,
    is_delivered,
    needs,
)
from conversion_relay.delivery.exchange import post
from conversion_relay.delivery.installation import free_bytes, known, mounted_from_elsewhere
from conversion_relay.delivery.meta_clock import WRONG_SECONDS
from conversion_relay.delivery.retry import A_PERSONS, NOT_META
from conversion_relay.delivery.transport import Transport
from conversion_relay.errors import RelayError
from conversion_relay.meta.graph import Misconfigured, Outcome, Refused, Throttled, Unauthorized, Unlisted, Unreachable
from conversion_relay.meta.remedies import remedy
from conversion_relay.meta.versions import GRAPH_API, MARKETING_API, NEWEST, SET_ANOTHER, is_served, version_finding
from conversion_relay.outbox import file_of, open_outbox
from conversion_relay.outbox.special import Served
from conversion_relay.outbox.story import ServerFact
from conversion_relay.settings import Dataset, Settings

DEADLINE = 8.0
SOUND_SQLITE = (3, 51, 3)
"""Before it two connections could corrupt a log: https://sqlite.org/wal.html#walresetbug"""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: Literal["ok", "warning", "error", "skipped"]
    what: str
    fix: str | None = None


def checks(settings: Settings, transport: Transport) -> Iterator[Check]:
    """One after the other, as they are done."""
    skews: list[float] = []
    for dataset in settings.datasets:
        yield _token(settings, dataset, transport, skews)
    yield from _test_codes(settings)
    yield _clock(skews)
    yield _version(settings)
    yield from _store(settings)
    yield from _door(settings)


# -- Meta --------------------------------------------------------------------------------------------------------------


def _token(settings: Settings, dataset: Dataset, transport: Transport, skews: list[float]) -> Check:
    name = f"token of dataset {dataset.pixel_id}"
    if dataset.pixel_id == "0":
        return _bad("dataset", "no dataset is configured", "set META_PIXEL_ID, the id of your dataset (pixel)")
    if not dataset.access_token:
        fix = (
            "Events Manager > your dataset > Settings > Conversions API > Generate access token; set META_ACCESS_TOKEN"
        )
        return _bad(name, "no access token is set", fix)

    def note(date: float) -> None:
        # The header has whole seconds: on average the answer was made half a second later.
        skews.append(time.time() - date - 0.5)

    outcome = post(transport, settings, dataset, [], DEADLINE, time.time, note_date=note)
    if isinstance(outcome, Misconfigured) and outcome.of_version:
        what = f"Meta does not serve {settings.graph_version}{_what_meta_said(outcome)}"
        return _bad(name, what, SET_ANOTHER)
    return _told(name, outcome)


def _test_codes(settings: Settings) -> Iterator[Check]:
    for dataset in settings.datasets:
        if dataset.test_event_code:
            what = TEST_CODE % f"dataset {dataset.pixel_id}"
            yield Check(name="test code", state="warning", what=what, fix=NO_TEST_CODE)


def _what_meta_said(outcome: Outcome) -> str:
    said = ", ".join(str(part) for part in (outcome.said.title, outcome.said.sentence) if part)
    return f"; Meta said: {said}" if said else ""


def _told(name: str, outcome: Outcome) -> Check:
    said = _what_meta_said(outcome)
    match outcome:
        case Refused():
            return Check(name=name, state="ok", what="Meta takes the token for this dataset")
        case Unauthorized() | Misconfigured() | Unlisted() if not outcome.said.is_metas:
            said = f" (HTTP {outcome.said.status})"
            told = remedy(NOT_META)
        case Unauthorized():
            told = remedy("unauthorized")
        case Misconfigured():
            told = remedy("misconfigured")
        case Throttled():
            return Check(name=name, state="warning", what="Meta asks for a pause", fix="try again in some minutes")
        case Unreachable(why=why) if (told := remedy(why)) and (why in A_PERSONS or why.startswith("proxy_")):
            said = ""
        case Unreachable(why=why) if outcome.said.is_metas:
            what = f"Meta answers that it is in trouble ({why})"
            return _bad(name, what, "try again in some minutes; what waits is sent when it answers again")
        case Unreachable(why=why):
            return _bad(name, f"Meta cannot be reached: {why}", "look at network, DNS, proxy and META_GRAPH_URL")
        case _:
            return _bad(name, f"Meta gave an answer that is not known{said}", "check META_GRAPH_URL")
    assert told is not None
    return _bad(name, told.what + said, told.fix)


def _clock(skews: list[float]) -> Check:
    if not skews:
        return Check(name="clock", state="skipped", what="Meta did not tell the time")
    skew = skews[-1]
    if abs(skew) < WRONG_SECONDS:
        return Check(name="clock", state="ok", what=f"within {max(1, round(abs(skew)))} s of Meta's")
    way = "ahead of" if skew > 0 else "behind"
    return _bad("clock", f"{abs(skew):.0f} s {way} Meta's, which judges the age of events", "set the clock (NTP)")


def _version(settings: Settings) -> Check:
    version = settings.graph_version
    finding = version_finding(version, time.time())
    if finding is not None:
        state: Literal["error", "warning"] = "error" if finding.severity == "error" else "warning"
        return Check(name="version", state=state, what=finding.message, fix=finding.fix)
    if is_served(version, time.time()) is None:
        what = f"{version} is newer than {NEWEST}, the newest that this release knows"
        fix = f"set META_GRAPH_VERSION={NEWEST} unless Meta's changelog has {version}"
        return Check(name="version", state="warning", what=what, fix=fix)
    ends = {"Graph API": GRAPH_API.get(version), "Marketing API": MARKETING_API.get(version)}
    told = ", ".join(f"{api}: {end or 'no end announced'}" for api, end in ends.items())
    return Check(name="version", state="ok", what=f"{version} ({told})")


# -- this machine ------------------------------------------------------------------------------------------------------


def _store(settings: Settings) -> Iterator[Check]:
    yield from _disk(settings)
    try:
        with contextlib.closing(open_outbox(settings.outbox, "read")) as outbox:
            found = known(outbox, settings, time.time())
            if isinstance(outbox, Served):
                yield from map(_of_server, outbox.server())
    except RelayError as error:
        is_new = "no outbox" in str(error)
        closed = _closed_folder(settings) if is_new else None
        what, fix = closed or (str(error), "start `serve`: it makes one" if is_new else None)
        yield Check(name="outbox", state="warning" if is_new and not closed else "error", what=what, fix=fix)
        return
    yield from _outbox(found)


def _closed_folder(settings: Settings) -> tuple[str, str] | None:
    """Why `serve` could make no file there, and what to do."""
    file = file_of(settings.outbox)
    if file is None:
        return None
    if not file.parent.is_dir():
        return f"no folder for {file.name}", "create it, or set another RELAY_OUTBOX"
    if not os.access(file.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return f"the folder of {file.name} may not be written to", "let this user write into it"
    return None


def _of_server(fact: ServerFact) -> Check:
    state: Literal["error", "warning", "ok"] = "error" if fact.is_error else "warning" if fact.fix else "ok"
    return Check(name=fact.name, state=state, what=fact.what, fix=fact.fix)


def _disk(settings: Settings) -> Iterator[Check]:
    free = free_bytes(settings)
    if free is None:
        return
    what = f"{free // 1_048_576:,} MB free"
    if free < LEAST_DISK:
        yield _bad("disk", what, "free some space: below its reserve the outbox accepts nothing")
    else:
        yield Check(name="disk", state="ok", what=what)
    if kind := mounted_from_elsewhere(settings):
        yield _bad("disk", NOT_LOCAL % kind, TO_A_DISK)
    import apsw

    version = apsw.sqlite_lib_version()
    is_sound = tuple(int(part) for part in version.split(".")) >= SOUND_SQLITE
    fix = None if is_sound else "install a newer apsw: this one can corrupt its log"
    yield Check(name="sqlite", state="ok" if is_sound else "error", what=version, fix=fix)


def _outbox(found: Known) -> Iterator[Check]:
    waiting = sum(book.pending + book.leased for book in found.books.values())
    oldest = min((b.oldest_pending_at for b in found.books.values() if b.oldest_pending_at is not None), default=None)
    age = f", the oldest for {found.now - oldest:.0f} s" if waiting and oldest is not None else ""
    yield Check(name="outbox", state="ok", what=f"{counted_waiting(waiting)}{age}")
    delivered = is_delivered(found)
    if delivered is None:
        yield Check(name="delivery", state="skipped", what="this kind of outbox does not tell who delivers")
    elif delivered:
        yield Check(name="delivery", state="ok", what="a worker delivers")
    else:
        fix = "start `conversion-relay deliver` (or `serve` without --no-worker)"
        yield _bad("delivery", "nobody delivers now", fix)
    for need in needs(found):
        if need.cause not in ("nobody_delivers", "version", "disk"):
            yield Check(name=need.cause, state="error", what=need.what, fix=need.fix)


# -- the door ----------------------------------------------------------------------------------------------------------


def _door(settings: Settings) -> Iterator[Check]:
    origins = sorted({origin for dataset in settings.datasets for origin in dataset.allowed_origins})
    plain = [o for o in origins if o.startswith("http://") and not o.startswith(("http://localhost", "http://127."))]
    if not origins:
        fix = "set RELAY_ALLOWED_ORIGINS=https://www.your-shop.example if pages send events"
        yield Check(name="origins", state="warning", what="no page may send events", fix=fix)
    elif plain:
        what = f"{len(plain)} of {len(origins)} origins are http"
        yield Check(name="origins", state="warning", what=what, fix="use https: cookies and beacons need it")
    else:
        yield Check(name="origins", state="ok", what=", ".join(origins[:5]))
    if any(network.prefixlen == 0 for network in settings.trusted_proxies):
        what = "every address is a trusted proxy, so a visitor can claim any IP address"
        yield _bad("proxies", what, "set RELAY_TRUSTED_PROXIES to your proxy's own network")
    else:
        trusted = ", ".join(str(network) for network in settings.trusted_proxies) or "none; X-Forwarded-For is not read"
        yield Check(name="proxies", state="ok", what=trusted)
    keys = any(dataset.api_keys for dataset in settings.datasets) or any(settings.webhook_secrets.values())
    if not keys:
        fix = "set RELAY_API_KEYS for your backend, or a webhook's secret such as STRIPE_WEBHOOK_SECRET"
        what = "nobody may send a Purchase: there is neither an API key nor a webhook's secret"
        yield Check(name="purchases", state="warning", what=what, fix=fix)
    for name, fewest in guessable(settings).items():
        yield Check(name="secrets", state="warning", what=GUESSABLE % (name, fewest), fix=MAKE_ANOTHER)


def _bad(name: str, what: str, fix: str) -> Check:
    return Check(name=name, state="error", what=what, fix=fix)
