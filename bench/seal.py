"""From raw JSON to wire bytes: ours, Meta's SDKs, and the least that the work can cost.

All get the same documents: a purchase with 8 match keys and two contents. Ours and the floor begin at the bytes; the
SDKs begin at the parsed document, because they have no reader, and end at the JSON they would post.
"""

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from conversion_relay.intake.accept import Acceptance, Policy, Submission, accept
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import RequestFacts

NOW = 1_795_435_200
POLICY = Policy(dataset="1")
NOBODY = RequestFacts()
NODE = Path(__file__).parents[1] / "tests" / "node"
FIRST = ["Mary", "John", "Valéry", "Ana", "O'Neil", "Jürgen", "Li", "Zoë"]
LAST = ["Smith", "Garcia", "Müller", "van der Berg", "Lee", "O'Brien-Jones"]
PLACES = [("Menlo Park", "CA", "94025"), ("New York", "NY", "10001-1234"), ("St. Louis", "MO", "63101")]


def documents(n: int) -> list[bytes]:
    """`n` different people from a few places, as shops send them."""
    return [json.dumps(_document(number)).encode() for number in range(n)]


def _document(number: int) -> dict[str, Any]:
    city, state, zip_code = PLACES[number % 3]
    first, last = FIRST[number % 8], LAST[number % 6]
    return {
        "event_name": "Purchase",
        "event_time": NOW,
        "event_id": f"purchase_{number}",
        "action_source": "website",
        "event_source_url": "https://shop.example/thanks",
        "user_data": {
            "email": f" Mary.Jane{number}@Example.com",
            "phone": f"+1 (650) 55{number % 10}-{number % 10_000:04}",
            "first_name": first,
            "last_name": last,
            "city": city,
            "state": state,
            "zip": zip_code,
            "country": "US",
            "client_ip_address": "8.8.4.4",
            "client_user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
            "fbp": "fb.1.1596403881668.1116446470",
        },
        "custom_data": {
            "value": 299.99,
            "currency": "usd",
            "contents": [
                {"id": "a1", "quantity": 1, "item_price": 199.99},
                {"id": "b2", "quantity": 2, "item_price": 50},
            ],
        },
    }


def ours(raw: bytes) -> bytes:
    accepted = accept(Submission(event=read_event(raw)), NOBODY, POLICY, now=NOW, entropy=bytes(10))
    assert isinstance(accepted, Acceptance), accepted
    return accepted.event.body


_HASHED = ("email", "phone", "first_name", "last_name", "city", "state", "zip", "country")


def floor(raw: bytes) -> bytes:
    """Decode, eight SHA-256, encode; no rule of Meta's is looked at."""
    event = msgspec.json.decode(raw)
    person = event["user_data"]
    for key in _HASHED:
        person[key] = [hashlib.sha256(person[key].encode()).hexdigest()]
    return msgspec.json.encode(event)


def facebook_business(raw: bytes) -> bytes:
    from facebook_business.adobjects.serverside.content import Content
    from facebook_business.adobjects.serverside.custom_data import CustomData
    from facebook_business.adobjects.serverside.event import Event
    from facebook_business.adobjects.serverside.user_data import UserData

    event = msgspec.json.decode(raw)
    person, custom = event["user_data"], event["custom_data"]
    user_data = UserData(
        email=person["email"],
        phone=person["phone"],
        first_name=person["first_name"],
        last_name=person["last_name"],
        city=person["city"],
        state=person["state"],
        zip_code=person["zip"],
        country_code=person["country"],
        client_ip_address=person["client_ip_address"],
        client_user_agent=person["client_user_agent"],
        fbp=person["fbp"],
    )
    contents = [
        Content(product_id=c["id"], quantity=c["quantity"], item_price=c["item_price"]) for c in custom["contents"]
    ]
    built = Event(
        event_name=event["event_name"],
        event_time=event["event_time"],
        event_id=event["event_id"],
        event_source_url=event["event_source_url"],
        user_data=user_data,
        custom_data=CustomData(value=custom["value"], currency=custom["currency"], contents=contents),
    )
    return json.dumps(built.normalize()).encode()


def cpu_per_event(seal: Callable[[bytes], bytes], raws: list[bytes]) -> float:
    """Microseconds; the best of five rounds, after one to warm up."""
    best = float("inf")
    for _ in range(6):
        started = time.process_time()
        for raw in raws:
            seal(raw)
        best = min(best, time.process_time() - started)
    return best / len(raws) * 1e6


def node_cpu_per_event(raws: list[bytes]) -> float | None:
    """The same documents through facebook-nodejs-business-sdk; None without Node."""
    if not shutil.which("node") or not shutil.which("npm"):
        return None
    if not (NODE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=NODE, check=True, capture_output=True)
    done = subprocess.run(["node", "seal.js"], cwd=NODE, input=b"\n".join(raws), capture_output=True, check=True)
    return float(done.stdout)


def report(n: int = 4_000) -> None:
    raws = documents(n)
    figures = {
        "floor: decode, 8 x SHA-256, encode": cpu_per_event(floor, raws),
        "ours": cpu_per_event(ours, raws),
        "facebook-nodejs-business-sdk": node_cpu_per_event(raws),
        "facebook-business": cpu_per_event(facebook_business, raws[: n // 4]),
    }
    base = figures["floor: decode, 8 x SHA-256, encode"]
    print("raw JSON to wire bytes, CPU per event")
    for name, figure in figures.items():
        shown = (
            "        not measured: no Node here" if figure is None else f"{figure:10.1f} us{figure / base:8.1f} x floor"
        )
        print(f"  {name:40}{shown}")


if __name__ == "__main__":
    report()
