"""Anybody can forge what a page sends: money that pages report has bounds, and a third copy at Meta is said."""

import json
import time

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from conversion_relay.collector.hosted_mirror import HostedMirror
from conversion_relay.collector.limits import DailyBound
from conversion_relay.telemetry import Counters
from tests import asgi
from tests.processes import installation

PAGE = {"origin": "https://shop.example", "user_agent": "Mozilla/5.0 (X11)"}
KEY = {"authorization": "Bearer key"}
DAY = 86_400.0


@pytest.fixture
def environment(tmp_path):
    return {
        "META_PIXEL_ID": "1",
        "META_ACCESS_TOKEN": "EAA",
        "RELAY_API_KEYS": "key",
        "RELAY_ALLOWED_ORIGINS": PAGE["origin"],
        "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db",
    }


@pytest.fixture
def app(environment):
    opened = []

    def with_(counters: Counters | None = None, **more: str):
        opened.append(Relay(Settings.from_env(environment | more)))
        return create_app(opened[-1], counters=counters)

    yield with_
    for relay in opened:
        relay.close()


def purchase(event_id: str, **custom_data: object) -> dict:
    paid = {"value": 12.5, "currency": "EUR", **custom_data}
    return {"event_name": "Purchase", "event_id": event_id, "user_data": {"email": "a@b.example"}, "custom_data": paid}


def post(app, body: object, **headers: str) -> tuple[int, dict]:
    answer = asgi.ask(app, "/events", json.dumps(body).encode(), **(headers or PAGE))
    return answer.status, json.loads(answer.body)


def reason(answer: tuple[int, dict]) -> str:
    return answer[1]["refused"][0]["reason"]


class TestTheMostMoney:
    def test_a_page_reports_at_most_this_much(self, app):
        shop = app(RELAY_PUBLIC_EVENTS="Purchase", RELAY_MAX_VALUE="500")
        assert post(shop, purchase("a", value=500))[0] == 202
        answer = post(shop, purchase("b", value=500.01))
        assert (answer[0], reason(answer)) == (422, "value_too_high")
        assert answer[1]["refused"][0]["field"] == "custom_data.value"

    @pytest.mark.parametrize("custom_data", [{"value": "501"}, {"value": 1e300}, {"predicted_ltv": 501}])
    def test_in_whatever_form_it_comes(self, app, custom_data):
        shop = app(RELAY_PUBLIC_EVENTS="Purchase", RELAY_MAX_VALUE="500")
        assert reason(post(shop, purchase("a", **custom_data))) == "value_too_high"

    def test_an_event_that_is_sealed_at_one_look_is_no_way_around(self, app):
        shop = app(RELAY_PUBLIC_EVENTS="Purchase", RELAY_MAX_VALUE="500")
        common = {"event_time": int(time.time()) - 5, "event_source_url": "https://shop.example/thanks"}
        assert post(shop, purchase("a", value=500) | common)[0] == 202
        assert reason(post(shop, purchase("b", value=501) | common)) == "value_too_high"

    def test_it_holds_for_every_event_of_a_page_and_for_no_backend(self, app):
        shop = app(RELAY_MAX_VALUE="500")
        lead = purchase("a", value=501) | {"event_name": "Lead"}
        assert reason(post(shop, lead)) == "value_too_high"
        assert post(shop, purchase("b", value=501), **KEY)[0] == 202

    def test_without_the_setting_there_is_no_such_bound(self, app):
        assert post(app(RELAY_PUBLIC_EVENTS="Purchase"), purchase("a", value=1_000_000))[0] == 202

    def test_a_purchase_is_no_public_event_unless_it_is_listed(self, app):
        assert reason(post(app(RELAY_MAX_VALUE="500"), purchase("a"))) == "needs_api_key"


class TestTheBoundOfADay:
    def test_a_network_reports_a_hundred_purchases_and_as_many_leads_as_it_likes(self, app):
        shop = app(RELAY_PUBLIC_EVENTS="Purchase,Lead")
        for start in (0, 50):
            status, answer = post(shop, [purchase(f"p{n}") for n in range(start, start + 50)])
            assert (status, len(answer["accepted"])) == (202, 50)
        answer = post(shop, purchase("one more"))
        assert (answer[0], reason(answer)) == (422, "too_many_paid")
        assert post(shop, purchase("a lead") | {"event_name": "Lead"})[0] == 202
        assert post(shop, purchase("of the server"), **KEY)[0] == 202

    def test_the_next_day_begins_anew_and_each_network_has_its_own(self):
        now = [DAY * 20_000]
        bound = DailyBound(2, lambda: now[0])
        assert [bound.take("198.51.100.7") for _ in range(3)] == [True, True, False]
        assert bound.take("198.51.100.8")
        now[0] += DAY - 1
        assert not bound.take("198.51.100.7")
        now[0] += 1
        assert bound.take("198.51.100.7")


class TestVisits:
    def test_pages_of_a_network_fill_no_disk_by_visits_day_after_day(self, app, monkeypatch):
        monkeypatch.setattr("conversion_relay.collector.dataset_limits.MOST_VISITS", 3)
        shop = app()
        told = [asgi.ask(shop, "/visitors", json.dumps({"key": f"order {n}"}).encode(), **PAGE) for n in range(5)]
        assert [answer.status for answer in told] == [202, 202, 202, 429, 429]
        assert (told[4].headers["x-relay-reason"], told[4].headers["retry-after"]) == ("too_many_visits", "3600")
        assert asgi.ask(shop, "/visitors", b'{"key": "order 9"}', **KEY).status == 202
        assert post(shop, purchase("a lead") | {"event_name": "Lead"})[0] == 202


class TestTheWarning:
    @pytest.mark.parametrize(
        ("listed", "most", "said"),
        [("Purchase,Lead", "", "Purchase: anybody can forge"), ("Purchase", "500", "Purchase"), ("Lead", "", None)],
    )
    def test_serve_says_at_its_start_what_can_be_forged(self, tmp_path, listed, most, said):
        with installation(tmp_path) as here:
            here.env |= {"RELAY_PUBLIC_EVENTS": listed, "RELAY_MAX_VALUE": most}
            here.start("--no-worker")
            log = (tmp_path / "relay.log").read_text().splitlines()
        warnings = [line for line in log if "RELAY_PUBLIC_EVENTS" in line]
        assert len(warnings) == (said is not None)
        assert all(said in text and ("set RELAY_MAX_VALUE" in text) == (not most) for text in warnings)


class TestMetasHostedMirror:
    def test_a_pages_report_is_counted_and_said_once(self, app, caplog):
        counters = Counters()
        shop = app(counters)
        for n in range(3):
            body = {"data": [purchase(f"{n}") | {"event_name": "Lead"}], "hosted_mirror": True}
            status, answer = post(shop, body)
            assert status == 202 and "ignored" not in answer
        assert [text for text in caplog.messages if "a third copy of each event" in text] != []
        assert sum("a third copy of each event" in text for text in caplog.messages) == 1
        counted = {str(key): n for key, n in counters.read().items() if "hosted_mirror" in str(key)}
        assert list(counted.values()) == [3]

    @pytest.mark.parametrize("more", [{}, {"hosted_mirror": False}, {"hosted_mirror": "yes"}, {"hosted_mirror": None}])
    def test_otherwise_nothing_is_said(self, app, caplog, more):
        assert post(app(), {"data": [purchase("a") | {"event_name": "Lead"}], **more})[0] == 202
        assert "third copy" not in caplog.text

    def test_each_dataset_is_said_once_a_day(self, caplog):
        now = [DAY * 20_000]
        mirror = HostedMirror(Counters(), lambda: now[0])
        for dataset in ("1", "2", "1"):
            mirror.reported(dataset)
        now[0] += DAY
        mirror.reported("1")
        assert [record.dataset for record in caplog.records] == ["1", "2", "1"]
