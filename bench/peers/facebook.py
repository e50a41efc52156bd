"""Meta's Python SDK as its README shows it: Event, UserData, CustomData; `normalize()`; JSON.

python -m bench.peers.facebook EVENTS N URL     posts N events, a thousand a request
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.user_data import UserData

PERSON = {
    "email": "email",
    "phone": "phone",
    "first_name": "first_name",
    "last_name": "last_name",
    "city": "city",
    "state": "state",
    "zip": "zip_code",
    "country": "country_code",
    "gender": "gender",
    "external_id": "external_id",
    "client_ip_address": "client_ip_address",
    "client_user_agent": "client_user_agent",
    "fbc": "fbc",
    "fbp": "fbp",
}
"""Its name of each key. It has an enumeration for `gender` and takes no date in one piece, so these are left out."""
LEFT_OUT = {"gender", "date_of_birth"}
CUSTOM = (
    "value",
    "currency",
    "content_name",
    "content_category",
    "content_ids",
    "content_type",
    "order_id",
    "num_items",
)


def event(raw: bytes) -> Event:
    given = json.loads(raw)
    person, custom = given["user_data"], given.get("custom_data") or {}
    keys = {PERSON[name]: value for name, value in person.items() if name in PERSON and name not in LEFT_OUT}
    built: dict[str, Any] = {name: custom[name] for name in CUSTOM if name in custom}
    if "contents" in custom:
        built["contents"] = [
            Content(
                product_id=line["id"],
                quantity=line["quantity"],
                item_price=line.get("item_price"),
                title=line.get("title"),
            )
            for line in custom["contents"]
        ]
    return Event(
        event_name=given["event_name"],
        event_time=given["event_time"],
        event_id=given["event_id"],
        event_source_url=given["event_source_url"],
        user_data=UserData(**keys),
        custom_data=CustomData(**built),
    )


def seal(raw: bytes) -> bytes:
    return json.dumps(event(raw).normalize()).encode()


def use(url: str) -> None:
    from facebook_business.api import FacebookAdsApi
    from facebook_business.session import FacebookSession

    FacebookSession.GRAPH = url
    FacebookAdsApi.init(access_token="EAAbench", crash_log=False)


def accepted(events: Path, kept: Path) -> None:
    """Leaves out the events that it refuses, as its caller would have to."""
    with kept.open("wb") as lines:
        for raw in events.read_bytes().splitlines():
            try:
                seal(raw)
            except (ValueError, TypeError, AttributeError):
                continue
            lines.write(raw + b"\n")


def post(events: Path, n: int, url: str) -> int:
    """How many were sent."""
    from facebook_business.adobjects.serverside.event_request import EventRequest

    use(url)
    raws = itertools.islice(itertools.cycle(events.read_bytes().splitlines()), n)
    while batch := [event(raw) for raw in itertools.islice(raws, 1_000)]:
        EventRequest(pixel_id="1", events=batch).execute()
    return n


if __name__ == "__main__":
    if sys.argv[1] == "accepted":
        accepted(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        print(post(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
