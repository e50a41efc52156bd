"""What the pages say and do, asked without a browser."""

import json
import re
import time
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from conversion_relay.collector.door import KEY_USED
from conversion_relay.dashboard import dashboard_routes
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.delivery.sign_of_life import SignsOfLife
from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import SealedEvent
from conversion_relay.event_id import without_email
from conversion_relay.http_client import Response
from conversion_relay.outbox import Attempt, SignOfLife
from conversion_relay.outbox.story import AtWork
from conversion_relay.outbox.verdict import Dead, Delivered
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings
from conversion_relay.telemetry import Counters, Secret, counter
from tests.hostile_texts import PATTERNS
from tests.processes import until

REFUSED = Attempt(
    at=1.0,
    outcome="refused",
    code=100,
    subcode=2804009,
    title="Missing Value",
    sentence="Enter a value.",
    field="custom_data.value",
)


class Here:
    def __init__(self, folder, now: float, paces: Any = (), **settings: str) -> None:
        env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "token", "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db"}
        env["RELAY_ADMIN_PASSWORD"] = "a-password"
        self.folder, self.now, self.relay, self.counters = (
            folder,
            now,
            Relay(Settings.from_env(env | settings)),
            Counters(),
        )
        self.outbox = self.relay.outbox
        routes = dashboard_routes(self.relay, lambda: dict(paces), counters=lambda: self.counters)
        app = Litestar(routes, openapi_config=None)
        self.client = TestClient(app, base_url="http://127.0.0.1:8000")
        self.client.auth = ("", "a-password")

    def put(self, *ids: str, name: str = "Purchase", dataset: str = "1", ago: float = 0.0) -> None:
        body = {
            "user_data": {"em": ["a" * 64], "client_ip_address": "8.8.4.4"},
            "custom_data": {"value": 10, "currency": "EUR"},
        }
        self.outbox.put(
            [
                SealedEvent(
                    dataset=dataset, event_name=name, event_id=i, event_time=int(self.now - ago),
                    expires_at=int(self.now) + 500_000, body=json.dumps(body).encode(),
                )
                for i in ids
            ],
            self.now - ago,
        )  # fmt: skip

    def settle(self, verdict, attempt=None, dataset: str = "1") -> None:
        lease = self.outbox.claim(dataset, 1_000, 60, self.now)
        self.outbox.settle(lease, [(verdict, lease.events)], attempt, self.now)

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def change(self, **form: str) -> int:
        token = self.page("/dashboard/dead").partition('name="token" value="')[2].partition('"')[0]
        body = urlencode({"token": token, "back": "/dashboard/dead"} | form)
        return self.client.post("/dashboard/change", content=body, follow_redirects=False).status_code


@pytest.fixture
def here(tmp_path):
    here = Here(tmp_path, time.time())
    yield here
    here.relay.close()


def test_the_first_sentence_says_whether_sales_arrive_and_for_how_much(here):
    here.put("a", "b")
    here.settle(Delivered())
    here.put("c")
    here.settle(Dead("meta_100_2804009"), REFUSED)
    page = here.page("/dashboard")
    assert "Purchase arrives. 2 in 24 hours, 20.00 EUR" in page and "1 event was refused" in page


def test_an_empty_outbox_teaches_how_to_send_the_first_event(here):
    page = here.page("/dashboard")
    assert "No event yet" in page and "http://127.0.0.1:8000/events" in page
    assert "test events as real ones" in page and '/events" defer' not in page
    assert 'data-endpoint="http://127.0.0.1:8000/events"' in page, "a page that posts to the root would be told 404"


def test_it_is_said_when_nobody_delivers_and_not_called_sending(here):
    here.put("a", ago=300)
    assert "Nobody delivers" in here.page("/dashboard") and "waits; nobody delivers" in here.page("/dashboard/events")
    here.outbox.note_worker(SignOfLife(worker="w", at=here.now))
    assert "Nobody delivers" not in here.page("/dashboard")


def test_events_that_share_an_id_are_told_apart(here):
    here.put("same")
    here.put("same", name="Lead")
    assert "2 events share this id" in here.page("/dashboard/life?id=same")
    page = here.page("/dashboard/life?id=same&name=Lead&dataset=1")
    assert "<h1>Lead " in page and "Purchase" not in page


def test_an_event_that_waits_tells_what_it_waits_for(here):
    here.put("a", "b", dataset="7")
    assert "Its dataset is not configured" in here.page("/dashboard/life?id=a")
    here.put("c")
    assert "<b>Start <code>conversion-relay deliver</code>.</b>" in here.page("/dashboard/life?id=c")


def test_one_event_tells_metas_sentence_the_field_and_what_to_do(here):
    here.put("a")
    here.settle(Dead("meta_100_2804009"), REFUSED)
    page = here.page("/dashboard/life?id=a")
    for part in (
        "Enter a value.",
        "field custom_data.value",
        "Send custom_data.value, for example 299.99",
        "Send it again",
    ):
        assert part in page
    assert "a" * 64 not in page and "8.8.4.4" not in page


def test_dead_letters_are_grouped_replayed_and_erased(here):
    here.put("a", "b", "c")
    here.settle(Dead("meta_100_2804009"), REFUSED)
    page = here.page("/dashboard/dead")
    assert "3 &times; Purchase" in page and "can still be sent" in page and "Enter a value." in page
    (key, *_) = [story.key for story in here.outbox.dead()]
    assert here.change(do="erase", key=str(key)) == 303
    assert here.change(do="replay", dataset="1", name="Purchase", reason="meta_100_2804009") == 303
    book = here.outbox.counts()["1"]
    assert (book.erased, book.pending, book.dead, book.imbalance) == (1, 2, 0, 0)


@pytest.mark.parametrize("do", ["erase", "replay"])
def test_when_nothing_was_chosen_nothing_is_changed_and_that_is_said(here, do):
    here.put("a")
    here.settle(Dead("x"), REFUSED)
    assert here.change(do=do) == 303
    assert here.outbox.counts()["1"].dead == 1
    assert "Nothing was changed" in here.page(f"/dashboard/dead?done={do}-0")


@pytest.mark.parametrize("path", ["/dashboard/change", "/dashboard/sign-in", "/dashboard/sign-out"])
def test_a_form_with_more_fields_than_ours_is_refused(here, path):
    assert here.client.post(path, content="a=1&" * 2_000 + "a=1").status_code in (401, 403)


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_a_form_of_another_site_changes_nothing(here, headers):
    here.put("a")
    here.settle(Dead("x"), REFUSED)
    token = here.page("/dashboard/dead").partition('name="token" value="')[2].partition('"')[0]
    body = urlencode({"token": token, "do": "erase", "key": str(here.outbox.dead()[0].key)})
    assert here.client.post("/dashboard/change", content=body, headers=headers).status_code == 403
    assert here.client.post("/dashboard/change", content=body.replace(token, "x")).status_code == 403
    assert here.outbox.counts()["1"].dead == 1


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/dashboardx", "javascript:alert(1)"])
def test_a_form_leads_back_to_the_dashboard_alone(here, back):
    here.put("a")
    here.settle(Dead("x"), REFUSED)
    token = here.page("/dashboard/dead").partition('name="token" value="')[2].partition('"')[0]
    body = urlencode({"token": token, "do": "replay", "key": "1", "back": back})
    answer = here.client.post("/dashboard/change", content=body, follow_redirects=False)
    assert answer.headers["location"].startswith("/dashboard?done=")


def test_hostile_texts_stay_text_on_every_page(here):
    texts = [f"<script>alert({n})</script>" for n in range(5)] + [
        '"><img src=x onerror=alert(1)>',
        "{{7*7}}",
        "'-alert(1)-'",
    ]
    texts += [str(pattern)[:200] for pattern in PATTERNS][:40]
    for n, text in enumerate(texts):
        here.put(text or str(n), name=text[:50] or "x")
    here.settle(
        Dead("<b>reason</b>"), Attempt(at=1.0, outcome="refused", title="<script>t</script>", sentence="<img src=y>")
    )
    for path in ("/dashboard", "/dashboard/events", "/dashboard/dead", "/dashboard/keys", "/dashboard/datasets"):
        page = here.page(path)
        assert "<script>alert" not in page and "<img" not in page and "<b>reason" not in page, path
    page = here.page(
        "/dashboard/events?" + urlencode({"q": '"><script>alert(1)</script>', "name": "<i>", "reason": "'\"<u>"})
    )
    assert "<script>alert" not in page and "<i>" not in page and "<u>" not in page


def test_the_table_for_a_spreadsheet_holds_no_formula(here):
    here.put("=HYPERLINK(1)")
    here.settle(Dead("x"), REFUSED)
    table = here.client.get("/dashboard/dead.csv").content
    assert b"'=HYPERLINK(1)" in table
    assert table.startswith(b"\xef\xbb\xbfdataset,"), "without the mark Excel takes UTF-8 for something else"


def test_an_event_is_found_by_the_id_that_its_site_gave_it(here):
    given = "contact_canary.person@example.org_7"
    here.put(without_email(given))
    here.put("another")
    page = here.page("/dashboard/events?" + urlencode({"q": given}))
    assert (urlencode({"id": without_email(given)}) in page, "id=another" in page) == (True, False)


@pytest.mark.parametrize(
    "query", ["before=abc", "since=99999999999", "state=nonsense", "before=-1", "q=%00", "q=%F0%9F%98%80"]
)
def test_a_link_that_makes_no_sense_is_still_a_page(here, query):
    here.put("a")
    here.page(f"/dashboard/events?{query}")


def test_a_dataset_tells_of_its_token_and_of_each_key_when_it_was_used_last(tmp_path):
    now = time.time()
    meta = Server(create_app(), "127.0.0.1", 0)
    meta.start()
    try:
        settings = {
            "META_GRAPH_URL": f"http://127.0.0.1:{meta.port}",
            "RELAY_API_KEYS": "key-canary-one,key-canary-two",
        }
        here = Here(tmp_path, now, **settings)
        used = counter(KEY_USED, dataset="1", key="2")
        here.counters.latest(used, now - 180)
        here.counters.latest(used, now - 500)
        until(lambda: "valid, does not end" in here.page("/dashboard/datasets"))
        page = here.page("/dashboard/datasets")
        here.relay.close()
    finally:
        meta.stop()
    assert "key 1: <small>not used since this server began" in page
    assert "key 2: <small>used 3 min ago" in page and "canary" not in page


def test_of_many_datasets_those_that_are_asked_for_are_shown(tmp_path):
    table = '[[dataset]]\nMETA_PIXEL_ID = "{0}"\nMETA_ACCESS_TOKEN = "t"\nRELAY_ALLOWED_ORIGINS = ["https://s{0}.example"]\n'
    names = [str(number) for number in range(700, 712)]
    (tmp_path / "relay.toml").write_text("\n".join(table.format(name) for name in names))
    now = time.time()
    here = Here(tmp_path, now, META_PIXEL_ID="", META_ACCESS_TOKEN="", RELAY_CONFIG=f"{tmp_path}/relay.toml")
    parked = AtWork(why="unauthorized", parked_until=now + 60, error_share=0.0, clock_skew_seconds=0.0, in_flight=0)
    here.outbox.note_worker(SignOfLife(worker="w-1-a", at=now, datasets={"703": parked}))

    def shown(query: str) -> list[str]:
        page = here.page(f"/dashboard/datasets{query}")
        assert 'role="search"' in page
        return sorted(re.findall(r'<tr data-key="(\d+)"', page))

    try:
        assert shown("") == names
        assert shown("?q=71") == ["710", "711"] and shown("?q=HTTPS://S705.") == ["705"] and shown("?q=%3Cb%3E") == []
        assert shown("?state=held") == ["703"] and shown("?state=delivered&q=703") == []
        assert shown("?state=other") == names
    finally:
        here.relay.close()


def test_each_worker_is_told_once_and_what_this_process_knows_is_told_as_its_own(tmp_path):
    """Whatever order their signs come in: a fleet's page blamed another machine for what happened here."""
    now, pace = time.time(), PaceNow(parked_seconds=60, why="unauthorized", in_flight=0, most_in_flight=4)
    here = Here(tmp_path, now, paces={"1": pace})
    own = SignsOfLife(here.outbox, dict, lambda: now - 5)
    own()
    open_ = AtWork(why=None, parked_until=0.0, error_share=0.0, clock_skew_seconds=0.0, in_flight=0)
    here.outbox.note_worker(SignOfLife(worker="other-1-a", at=now, datasets={"1": open_}))
    try:
        page = here.page("/dashboard/datasets")
    finally:
        own.stop()
        here.relay.close()
    (mine,) = re.findall(r"<li>([^:]*): last sign", page.replace("<li>other-1-a: last sign", ""))
    assert page.count("last sign") == 2 and f"so says {mine} alone" in page


class OneGoodToken:
    """Meta, asked about tokens."""

    def get(self, _: str, headers: dict[str, str], __: float) -> Response:
        is_valid = b"true" if headers["Authorization"] == "Bearer renewed" else b"false"
        return Response(200, {}, b'{"data":{"is_valid":%s}}' % is_valid)


def test_after_a_renewal_the_page_tells_of_the_new_token(here, monkeypatch):
    monkeypatch.setattr("conversion_relay.delivery.dataset_quality.HttpClient", OneGoodToken)
    here = Here(here.folder, here.now)
    until(lambda: "not valid: set a new one" in here.page("/dashboard/datasets"))
    (dataset,) = here.relay.settings.datasets
    renewed = msgspec.structs.replace(dataset, access_token=Secret("renewed"))
    here.relay.use(msgspec.structs.replace(here.relay.settings, datasets=(renewed,)))
    until(lambda: "valid, does not end" in here.page("/dashboard/datasets"))
    here.relay.close()


def test_before_the_first_event_nobody_is_told_to_choose_a_dataset_where_there_is_one(here):
    assert "choose one" not in here.page("/dashboard/keys")


@pytest.mark.parametrize("path", ["", "/keys", "/events", "/life?id=a", "/dead", "/datasets", "/changes"])
def test_an_outbox_that_cannot_be_read_is_said_by_the_page(here, monkeypatch, path):
    def fail(*_: object) -> None:
        raise OutboxUnavailable("the disk under outbox.db fails <b>to read</b>")

    monkeypatch.setattr(here.outbox, "counts", fail)
    answer = here.client.get(f"/dashboard{path}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "The disk under outbox.db fails &lt;b&gt;to read" in answer.text and "doctor" in answer.text
