"""POST /events and its siblings where an event has copies: rows tell per dataset; one dataset keeps its shape."""

import hashlib
import json

import pytest

from conversion_relay import Relay
from conversion_relay.collector.app import create_app
from tests import asgi
from tests.copies import AGENCY, BRAND, KEY, MARKET, SHOP, brand, settings, table

PERSON = {"email": "a@example.org"}
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


class Here:
    """A collector, asked as a backend or as a page."""

    def __init__(self, folder, *tables: str) -> None:
        self.folder = folder
        self.relay = Relay(settings(folder, *tables))
        self.app = create_app(self.relay)

    def ask(self, path: str, body: object, **headers: str) -> tuple[int, dict]:
        answer = asgi.ask(self.app, path, json.dumps(body).encode(), **headers)
        self.headers = answer.headers
        return answer.status, json.loads(answer.body)

    def backend(self, *events: dict, key: str = KEY, **beside: object) -> tuple[int, dict]:
        return self.ask("/events", {"data": list(events)} | beside, authorization=f"Bearer {key}")

    def page(self, *events: dict, agent: str = "Mozilla/5.0", **beside: object) -> tuple[int, dict]:
        return self.ask("/events", {"data": list(events)} | beside, origin=SHOP, user_agent=agent)

    def use(self, *tables: str) -> None:
        new = settings(self.folder, *tables)
        self.relay.use(new)
        self.app.use(new)

    def kept(self, event_id: str) -> list[str]:
        return sorted(story.dataset for story in self.relay.outbox.find(event_id))


@pytest.fixture
def here_of(tmp_path):
    opened: list[Here] = []

    def here_of(*tables: str) -> Here:
        opened.append(Here(tmp_path, *tables))
        return opened[-1]

    yield here_of
    for here in opened:
        here.relay.close()


def lead(event_id: str, **more: object) -> dict:
    return {"event_name": "Lead", "event_id": event_id, "user_data": PERSON} | more


def test_each_row_tells_what_became_of_the_copies(here_of):
    here = here_of(
        brand(copies=f'["{AGENCY}", "{MARKET}"]'), table(AGENCY), table(MARKET, 'RELAY_CONSENT = "withhold"')
    )
    status, answer = here.backend(lead("a"), lead("b", consent="granted"), {"event_name": 5})
    refused = {"dataset": MARKET, "reason": "consent_missing", "field": "consent"}
    assert status == 202 and [row["index"] for row in answer["refused"]] == [2]
    first, second = answer["accepted"]
    assert first["copies"][0] == {"dataset": AGENCY, "event_id": "a", "duplicate": False}
    assert first["copies"][1].items() >= refused.items() and "RELAY_CONSENT" in first["copies"][1]["message"]
    assert [copy["dataset"] for copy in second["copies"]] == [AGENCY, MARKET]
    assert (here.kept("a"), here.kept("b")) == ([BRAND, AGENCY], [BRAND, AGENCY, MARKET])


def test_an_event_of_one_dataset_is_answered_as_before(here_of):
    here = here_of(brand(copies="[]"), table(AGENCY))
    assert here.backend(lead("a"))[1] == {
        "accepted": [{"index": 0, "event_id": "a", "duplicate": False}],
        "refused": [],
    }


def test_many_events_in_one_request_and_one_alone_are_told_alike(here_of):
    here = here_of(brand(), table(AGENCY))
    status, answer = here.backend(*[lead(f"e{n}") for n in range(30)])
    assert status == 202
    rows = [(row["event_id"], row["copies"]) for row in answer["accepted"]]
    assert rows == [(f"e{n}", [{"dataset": AGENCY, "event_id": f"e{n}", "duplicate": False}]) for n in range(30)]


def test_what_its_own_dataset_refuses_a_further_one_may_take(here_of):
    here = here_of(brand('RELAY_CONSENT = "withhold"'), table(AGENCY))
    status, answer = here.backend(lead("a"))
    (row,) = answer["refused"]
    assert status == 202 and answer["accepted"] == [] and row["reason"] == "consent_missing"
    assert row["copies"] == [{"dataset": AGENCY, "event_id": "a", "duplicate": False}] and here.kept("a") == [AGENCY]
    status, answer = here.backend(lead("b", consent="denied"))
    assert status == 422 and answer["refused"][0]["copies"][0]["reason"] == "consent_denied" and here.kept("b") == []


def test_a_page_may_send_to_each_dataset_what_that_one_allows_pages(here_of):
    here = here_of(brand(), table(AGENCY, 'RELAY_PUBLIC_EVENTS = ["Search"]'), table(MARKET))
    status, answer = here.page(lead("a"))
    (row,) = answer["accepted"]
    assert status == 202 and row["copies"][0]["reason"] == "needs_api_key" and here.kept("a") == [BRAND]


def test_a_crawler_is_dropped_where_the_table_says_so(here_of):
    here = here_of(brand(), table(AGENCY, 'RELAY_BOTS = "drop"'))
    (row,) = here.page(lead("a"), agent=CRAWLER)[1]["accepted"]
    assert row["copies"][0]["reason"] == "bot" and here.kept("a") == [BRAND]


def test_the_pixels_report_counts_for_the_pages_own_dataset(here_of):
    here = here_of(brand(), table(AGENCY))
    assert here.page(lead("a", pixel=True), pixel=[["ViewContent", "p"]])[0] == 202
    sides = here.relay.outbox.deduplication()
    assert sides[BRAND]["Lead"].both == 1 and sides[AGENCY]["Lead"].both == 0
    assert sides[BRAND]["ViewContent"].browser_only == 1 and "ViewContent" not in sides[AGENCY]


def test_view_content_keeps_its_shape_and_has_copies(here_of):
    here = here_of(brand(), table(AGENCY))
    body = {"content_data": {"content_name": "Kintsugi"}, "event_id": "v"}
    assert here.ask("/view-content", body, origin=SHOP) == (200, {"message": "tracked", "event_id": "v"})
    assert here.kept("v") == [BRAND, AGENCY]


def test_a_visitor_takes_back_the_copies_too(here_of):
    here = here_of(brand(), table(AGENCY))
    here.page(lead("a"))
    assert here.ask("/withdraw", {"event_ids": ["a"]}, origin=SHOP) == (202, {"withdrawn": 2})


def test_a_caller_names_datasets_whose_tables_list_its_key(here_of):
    here = here_of(brand(copies="[]"), table(AGENCY, f'RELAY_API_KEYS = "{KEY}"'), table(MARKET))
    status, answer = here.backend(lead("a"), datasets=[AGENCY, int(BRAND)])
    assert (status, here.kept("a")) == (202, [BRAND, AGENCY])
    assert answer["accepted"][0]["copies"] == [{"dataset": BRAND, "event_id": "a", "duplicate": False}]
    assert here.backend(lead("b"), datasets=[AGENCY])[0] == 202 and here.kept("b") == [AGENCY]
    assert here.backend(lead("c"), dataset=AGENCY)[0] == 202 and here.kept("c") == [AGENCY]
    for names in ([BRAND, MARKET], [MARKET], ["999"]):
        status, answer = here.backend(lead("d"), datasets=names)
        assert (status, answer["reason"], answer["field"]) == (403, "unknown_dataset", "datasets")
    for odd in ([], ["x"], "1", {}, [None], [-1], ["1"] * 11, ["1" * 21]):
        status, answer = here.backend(lead("d"), datasets=odd)
        assert (status, answer["reason"]) == (400, "wrong_type"), odd
    assert here.kept("d") == []


def test_a_key_may_stand_in_the_file_as_its_digest(here_of):
    digest = hashlib.sha256(b"agency-key").hexdigest()
    here = here_of(table(BRAND, f'RELAY_API_KEYS = ["sha256:{digest}", "{KEY}"]'))
    assert here.backend(lead("a"), key="agency-key")[0] == here.backend(lead("b"))[0] == 202
    assert here.backend(lead("c"), key=f"sha256:{digest}")[0] == here.backend(lead("c"), key=digest)[0] == 401


def test_a_datasets_limit_stops_its_callers_and_nobody_else(here_of):
    here = here_of(brand("RELAY_MOST_PER_DAY = 3", copies="[]"), table(AGENCY, 'RELAY_API_KEYS = "agency-key"'))
    assert here.backend(*[lead(f"a{n}") for n in range(3)])[0] == 202
    status, answer = here.backend(lead("b"))
    assert (status, answer["reason"]) == (429, "over_limit") and int(here.headers["retry-after"]) >= 1
    assert here.page(lead("b"))[0] == 429 and here.kept("b") == []
    assert here.backend(lead("b"), key="agency-key")[0] == 202


def test_a_copy_over_the_limit_of_its_dataset_is_refused_by_itself(here_of):
    here = here_of(brand(), table(AGENCY, "RELAY_MOST_PER_DAY = 1"))
    status, answer = here.backend(lead("a"), lead("b"))
    assert status == 202 and [row.get("event_id") for row in answer["accepted"]] == ["a", "b"]
    assert answer["accepted"][1]["copies"][0]["reason"] == "over_limit"
    assert (here.kept("a"), here.kept("b")) == ([BRAND, AGENCY], [BRAND])


def test_new_settings_hold_from_the_next_request_on(here_of):
    here = here_of(brand(copies="[]"), table(AGENCY))
    assert here.backend(lead("a"))[0] == 202 and here.page(lead("a2"))[0] == 202
    here.use(brand(), table(AGENCY, 'RELAY_API_KEYS = "agency-key"'))
    assert here.backend(lead("b"))[0] == 202 and here.kept("b") == [BRAND, AGENCY]
    assert here.backend(lead("c"), key="agency-key")[0] == 202
    here.use(table(AGENCY, f'RELAY_ALLOWED_ORIGINS = "{SHOP}"', 'RELAY_CONSENT = "withhold"'))
    assert here.backend(lead("d"))[0] == 401
    assert here.page(lead("d"))[1]["refused"][0]["reason"] == "consent_missing"
    assert here.headers["x-relay-policy"] == "gpc=limit, consent=required"
    here.use(table(AGENCY))
    assert here.page(lead("d"))[0] == 403 and here.kept("d") == []
    assert here.kept("a") == [BRAND]  # what was kept for a removed dataset waits for it


def test_what_a_head_said_before_is_asked_again_under_new_settings(here_of):
    here = here_of(brand(), table(AGENCY))
    whole, told = here.app.whole[b"/events"], {"authorization": f"Bearer {KEY}"}
    head = whole.head(told, "198.51.100.7", "http")
    assert whole.still_says(head) and head.caller.sender == "backend"
    here.use(brand().replace(KEY, "another-key"), table(AGENCY))
    assert not whole.still_says(head) and whole.head(told, "198.51.100.7", "http").caller.status == 401
