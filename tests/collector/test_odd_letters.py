"""Letters that no store can hold as they came: half of an emoji, a byte of another charset, a NUL.

They cost the event that has them nothing that is not theirs, and the others of its batch nothing at all.
"""

import json
from urllib.parse import quote

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from conversion_relay.outbox import Search
from tests import asgi
from tests.outbox.postgres.backend import url_of
from tests.outbox.postgres.server import needs_postgres

KEY = "Bearer key-one"
PERSON = {"email": "canary.person@example.org"}
STORES = ["sqlite", pytest.param("postgres", marks=[needs_postgres, pytest.mark.xdist_group("postgres")])]
TEXTS = {"half of an emoji": "\\ud83d", "a byte of another charset": "\xe9", "a NUL": "\\u0000"}
"""As they stand in the JSON of a body in Latin-1."""


@pytest.fixture(params=STORES)
def app(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'outbox.db'}" if request.param == "sqlite" else url_of("odd")
    told = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": url, "RELAY_API_KEYS": "key-one"}
    with Relay(Settings.from_env(told | {"RELAY_ADMIN_PASSWORD": "pass"})) as relay:
        app = create_app(relay)
        app.store = relay.outbox
        yield app


def post(app, path: str, document: object, odd: str) -> tuple[int, dict]:
    """`~` stands for the odd letter."""
    answer = asgi.ask(app, path, json.dumps(document).replace("~", odd).encode("latin-1"), authorization=KEY)
    return answer.status, json.loads(answer.body)


def purchase(event_id: str, order: str) -> dict:
    money = {"value": 9, "currency": "EUR", "order_id": order}
    return {"event_name": "Purchase", "event_id": event_id, "user_data": PERSON, "custom_data": money}


@pytest.mark.parametrize("odd", TEXTS.values(), ids=TEXTS)
def test_an_orders_id_with_one_costs_no_event_while_visitors_are_known(app, odd):
    assert post(app, "/visitors", {"key": "order-1", "client_user_agent": "UA/1"}, "")[0] == 202
    status, answer = post(app, "/events", [purchase("a", "order-1"), purchase("b", "kurs-~"), purchase("c", "2")], odd)
    assert (status, [row["event_id"] for row in answer["accepted"]]) == (202, ["a", "b", "c"])


@pytest.mark.parametrize("odd", TEXTS.values(), ids=TEXTS)
def test_its_visitor_is_known_by_it(app, odd):
    assert post(app, "/visitors", {"key": "kurs-~", "client_user_agent": "UA/of this one"}, odd)[0] == 202
    assert post(app, "/events", purchase("a", "kurs-~"), odd)[0] == 202
    assert b"UA/of this one" in body_of(app, "a")


@pytest.mark.parametrize("both", [("\xe9", "\xe8"), ("\\ud83d", "\\ud83e")])
def test_two_that_differ_in_it_are_two_visitors(app, both):
    for odd in both:
        assert post(app, "/visitors", {"key": "kurs-~", "client_user_agent": f"UA/{ord(odd[-1])}"}, odd)[0] == 202
    for odd in both:
        by_its_end = {**purchase("purchase_kurs-~", ""), "custom_data": {"value": 9, "currency": "EUR"}}
        for event in (purchase(f"a{ord(odd[-1])}", "kurs-~"), by_its_end):
            (row,) = post(app, "/events", event, odd)[1]["accepted"]
            assert f"UA/{ord(odd[-1])}".encode() in body_of(app, row["event_id"])


@pytest.mark.parametrize("odd", ["a\0b", "\0"])
def test_a_page_that_searches_for_one_finds_nothing(app, odd):
    post(app, "/events", purchase("a", "1"), "")
    for name in ("q", "name", "reason", "dataset"):
        asked = asgi.ask(
            app, "/dashboard/events", method="GET", query=f"{name}={quote(odd)}", authorization="Basic dTpwYXNz"
        )
        assert asked.status == 200


def body_of(app, event_id: str) -> bytes:
    (story,) = app.store.search(Search(text=event_id)).stories
    return app.store.details(story.key).body or b""
