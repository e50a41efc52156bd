"""POST /visitors: who stands behind an order, for the webhook that comes later. POST /withdraw: what a visitor takes
back before Meta has it."""

from typing import Annotated, Literal, TypeVar

import msgspec

from conversion_relay.collector.browser_ids import browser_ids
from conversion_relay.collector.door import Admitted
from conversion_relay.collector.limits import MOST_VISITS, DailyBound
from conversion_relay.collector.reply import HttpError, Reply, not_durable
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.intake.match_keys import said_or_known
from conversion_relay.intake.members import Refused, read_consent, read_event_id
from conversion_relay.intake.mending import decode_mended
from conversion_relay.intake.misshapen import wrong_shape
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.values import LeftOut
from conversion_relay.intake.visit import LONGEST_KEY
from conversion_relay.intake.wishes import read_wish
from conversion_relay.meta.customer_information.identifier import normalize_fbc, normalize_fbp
from conversion_relay.meta.customer_information.network import normalize_user_agent
from conversion_relay.personal_data import held
from conversion_relay.relay import Relay
from conversion_relay.relay.keeping import is_nobodys
from conversion_relay.relay.threads import in_thread
from conversion_relay.telemetry import Counters

MOST_WITHDRAWN = 100
_TOO_MANY = f"pages of one network may report {MOST_VISITS} visits a day; let your server send them, with an API key"
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_KEY)]
BrowserId = Annotated[str, msgspec.Meta(max_length=1_000)]
Shape = TypeVar("Shape")


class VisitorBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of POST /visitors; of a browser, the request itself says what is missing."""

    key: Key
    """The id of an order or a registration, as `custom_data.order_id` or the end of an event id will name it."""
    fbp: BrowserId | None = None
    fbc: BrowserId | None = None
    event_source_url: Annotated[str, msgspec.Meta(max_length=8192)] | None = None
    client_user_agent: Annotated[str, msgspec.Meta(max_length=2048)] | None = None
    client_ip_address: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    """A backend's word; a browser does not choose its own address."""
    consent: Literal["granted", "denied"] | None = None
    gpc: bool | None = None


class Remembered(msgspec.Struct, frozen=True):
    """`remembered` is false when the visitor's choice forbids it."""

    key: str
    remembered: bool


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /withdraw."""

    event_ids: Annotated[list[Key], msgspec.Meta(max_length=MOST_WITHDRAWN)]


class Withdrawn(msgspec.Struct, frozen=True):
    """How many events had not left yet; they never will."""

    withdrawn: int


class VisitorsEndpoint:
    """`post` and `withdraw` are the routes."""

    def __init__(self, relay: Relay, counters: Counters, visits: DailyBound) -> None:
        self._relay, self._counters, self._visits = relay, counters, visits

    async def post(self, admitted: Admitted) -> Reply:
        visitor = _visitor(admitted.body)
        if holds := held(visitor.key):
            message = "the key holds an e-mail address or a phone number; send an order's or registration's id"
            raise HttpError(400, f"holds_{holds}", "key", message)
        if admitted.sender == "browser" and not self._visits.take(admitted.facts.client_ip_address):
            raise HttpError(429, "too_many_visits", "key", _TOO_MANY, **{"retry-after": "3600"})
        ids = browser_ids(admitted, self._relay.settings)
        facts = admitted.facts
        if ids is not None:
            said = (visitor.consent, visitor.gpc, visitor.event_source_url, visitor.fbp, visitor.fbc)
            facts = ids.facts_for(*said)
        facts = _facts(visitor, facts, admitted)
        if is_nobodys(visitor.key):
            raise HttpError(
                400, "missing_field", "key", "this stands where an order has no id; give the id once it has one"
            )
        try:
            remembered = await in_thread(
                self._relay.remember,
                visitor.key,
                facts,
                visitor.consent,
                dataset=admitted.dataset,
                sender=admitted.sender,
            )
        except OutboxUnavailable:
            raise not_durable("the visitor could not be remembered") from None
        self._counters.add("relay_visitors_total", remembered=str(remembered).lower())
        cookies = ids.cookies() if ids and remembered else ()
        return Reply(status=202, answer=Remembered(visitor.key, remembered), cookies=cookies)

    async def withdraw(self, admitted: Admitted) -> Reply:
        event_ids = _withdrawn_ids(admitted.body)
        try:
            n = await in_thread(self._relay.withdraw, admitted.dataset, event_ids, admitted.datasets)
        except OutboxUnavailable:
            raise not_durable("nothing could be withdrawn now") from None
        self._counters.add("relay_events_withdrawn_total", n)
        return Reply(status=202, answer=Withdrawn(n))


def _visitor(body: bytes) -> VisitorBody:
    """What an event's door reads, this one reads, too: a shop's number as the key, a choice as people write it."""
    try:
        return _read(_visitor_decoder, body)
    except HttpError as refused:
        document = _object_in(body)
        if document is None:
            raise
        try:
            return msgspec.convert(_as_meant(document), VisitorBody)
        except msgspec.ValidationError as error:
            why = wrong_shape(error)
        except Refused as wish:
            (why,) = wish.args
        raise HttpError(400, why.reason, why.field, why.message) from refused


def _as_meant(document: dict[str, object]) -> dict[str, object]:
    key = document.get("key")
    meant = {"key": str(key)} if isinstance(key, int) and not isinstance(key, bool) else {}
    readers = {"consent": read_consent, "gpc": read_wish}
    wishes = {name: read(document[name]) for name, read in readers.items() if document.get(name) is not None}
    return {**document, **meant, **wishes}


def _object_in(body: bytes) -> dict[str, object] | None:
    try:
        document = decode_mended(body.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _facts(visitor: VisitorBody, facts: RequestFacts, admitted: Admitted) -> RequestFacts:
    """What was said outranks what the request shows, but for a browser's address and for a word for nothing."""
    address = facts.client_ip_address if admitted.sender == "browser" else visitor.client_ip_address
    return msgspec.structs.replace(
        facts,
        client_ip_address=address,
        client_user_agent=said_or_known(visitor.client_user_agent, facts.client_user_agent, normalize_user_agent),
        fbp=said_or_known(visitor.fbp, facts.fbp, normalize_fbp),
        fbc=said_or_known(visitor.fbc, facts.fbc, normalize_fbc),
        url=visitor.event_source_url or facts.url,
        gpc=facts.gpc or bool(visitor.gpc),
    )


def _withdrawn_ids(body: bytes) -> list[str]:
    """One id that is none must not keep the others from being taken back: the visitor is gone and says it once.
    A script of 2026-11-27 or before, from a cache, takes the id and the name that a newer one wrote down for one id."""
    try:
        ids = _read(_withdrawal_decoder, body).event_ids
    except HttpError:
        if not (ids := _ids_among(body)):
            raise
    return [one.partition("\n")[0] for one in ids]


def _ids_among(body: bytes) -> list[str]:
    given = (_object_in(body) or {}).get("event_ids")
    if not isinstance(given, list) or len(given) > MOST_WITHDRAWN:
        return []
    return [event_id for one in given if (event_id := _as_accepted(one))]


def _as_accepted(given: object) -> str | None:
    try:
        return read_event_id(given)
    except LeftOut:
        return None


def _read(decoder: "msgspec.json.Decoder[Shape]", body: bytes) -> Shape:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        refused = wrong_shape(error)
        raise HttpError(400, refused.reason, refused.field, refused.message) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise HttpError(400, "unreadable", "body", "the body is not valid JSON in UTF-8") from None


_visitor_decoder = msgspec.json.Decoder(VisitorBody)
_withdrawal_decoder = msgspec.json.Decoder(Withdrawal)
