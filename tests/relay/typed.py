"""A user's program, for the type checkers: `make lint` gives it to mypy. Never run."""

import asyncio
import datetime
import decimal
import uuid
from collections.abc import Mapping

from conversion_relay import Content, CustomData, Event, InvalidEvent, Relay, RequestFacts, Settings, Tracked, UserData
from conversion_relay import facebook_business as sdk
from conversion_relay.facebook_business.adobjects.serverside.custom_data import CustomData as SdkCustomData
from conversion_relay.facebook_business.adobjects.serverside.event import Event as SdkEvent
from conversion_relay.facebook_business.adobjects.serverside.event_request import EventRequest
from conversion_relay.facebook_business.adobjects.serverside.user_data import UserData as SdkUserData


def tracks(relay: Relay, facts: RequestFacts) -> list[Tracked]:
    worth = CustomData(value=9.5, currency="EUR", contents=[Content(id="mug", quantity=1)], order_id="1001")
    event = Event(event_name="Purchase", user_data=UserData(email="jane@shop.example"), custom_data=worth)
    lead = Event(event_name="Lead", custom_data={"plan": "gold"})
    try:
        tracked = relay.track(event, facts)
    except InvalidEvent as error:
        print(error.field, error.reason)
        raise
    status: str = tracked.status
    print(status, tracked.event_id, tracked.dropped, tracked.is_durable)
    return [tracked, asyncio.run(tracks_in_a_loop(relay, lead)), *relay.track_many([event, lead])]


def tracks_what_its_own_libraries_gave(
    relay: Relay, order: uuid.UUID, total: decimal.Decimal, born: datetime.date
) -> None:
    skus: list[str] = ["mug", "tee"]
    row: Mapping[str, object] = {"email": "jane@shop.example"}
    lines = [Content(id=sku, item_price=total) for sku in skus]
    worth = CustomData(value=total, currency="EUR", order_id=order, content_ids=skus, contents=lines)
    person = UserData(email=b"jane@shop.example", external_id=skus, date_of_birth=born)
    now = datetime.datetime.now(datetime.UTC)
    paid = Event(event_name="Purchase", event_id=order, event_time=now, user_data=person, custom_data=worth)
    relay.track(paid, relay.facts_of(order))
    relay.track_many(Event(event_name="Lead", event_id=n, user_data=row, custom_data=row) for n in range(3))
    read: tuple[str | None, UserData] = paid.event_id, paid.user_data
    print(read)


async def tracks_in_a_loop(relay: Relay, event: Event) -> Tracked:
    return await relay.track_async(event)


def collects(relay: Relay) -> list[str]:
    with relay.testing() as collected, Relay.testing() as another:
        return [str(event["event_id"]) for event in [*collected.named("Purchase"), *another.events]]


def begins(environ: dict[str, str], headers: dict[str, str]) -> list[Tracked]:
    settings = Settings.from_env(environ)
    facts = RequestFacts.from_headers(headers, "198.51.100.7", settings.trusted_proxies)
    with Relay.from_env(environ, deliver=True) as relay:
        sdk.use_relay(relay)
        return tracks(relay, facts)


def with_the_sdks_names() -> int:
    event = SdkEvent("Lead", user_data=SdkUserData(email="jane@shop.example"), custom_data=SdkCustomData(value=1.0))
    return (
        EventRequest("1232612085335834", [event.set_request_context({"REQUEST_METHOD": "GET"})])
        .execute()
        .events_received
    )


def mistypes_a_name() -> object:
    from conversion_relay import Trackt as mistyped  # type: ignore[attr-defined]

    return mistyped
