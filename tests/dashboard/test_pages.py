"""What the pages say and do, asked without a browser."""

import asyncio
import time
from urllib.parse import urlencode

import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event_id import without_email
from conversion_relay.outbox import Attempt, SignOfLife
from conversion_relay.outbox.export import dead_csv
from conversion_relay.outbox.story import AtWork
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.dashboard.here import REFUSED
from tests.hostile_texts import PATTERNS


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


@pytest.mark.parametrize(
    "back",
    [
        *("https://evil.example", "//evil.example", "/dashboardx", "javascript:alert(1)"),
        *("/dashboard/\r\nSet-Cookie: relay_session=x", "/dashboard\n", "/dashboard/\\evil.example"),
    ],
)
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


def test_the_table_for_a_spreadsheet_is_not_written_on_the_event_loop(here, monkeypatch):
    """Fifty thousand rows took it seconds, in which no event was taken."""
    loops = []

    def write(stories: list[object]) -> str:
        try:
            loops.append(asyncio.get_running_loop())
        except RuntimeError:
            return dead_csv(stories)
        return ""

    monkeypatch.setattr("conversion_relay.dashboard.routes.dead_csv", write)
    here.put("lead-1")
    here.settle(Dead("x"), REFUSED)
    assert b"lead-1" in here.client.get("/dashboard/dead.csv").content and loops == []


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


def test_the_first_sentence_says_no_arrival_while_nothing_is_sent_and_why(here):
    here.put("a")
    here.settle(Delivered())
    here.put("b", "c")
    here.outbox.note_worker(SignOfLife(worker="w", at=here.now, datasets={"1": AtWork(why="unauthorized")}))
    page = here.page("/dashboard")
    assert "2 events wait: the access token is refused by Meta" in page and "Purchase arrives" not in page
    assert "Purchase: 1 in 24 hours, 10.00 EUR" in page
    here.outbox.note_worker(SignOfLife(worker="w", at=here.now, datasets={"1": AtWork(why="closed")}))
    assert "Purchase arrives" in here.page("/dashboard"), "most of these are over within a minute"


def test_events_that_were_all_refused_are_not_called_none(here):
    here.put("a", "b")
    here.settle(Dead("meta_100_2804009"), REFUSED)
    page = here.page("/dashboard")
    assert "Nothing was delivered in 24 hours. 2 events were refused." in page and "No event yet" not in page


@pytest.mark.parametrize("end", [Delivered(), Dead("meta_100_2804009")])
def test_that_no_purchase_came_today_is_said_before_what_came(here, end):
    here.put("a", ago=3 * 86_400)
    here.now -= 3 * 86_400 if isinstance(end, Delivered) else 0
    here.settle(end)
    here.now = time.time()
    here.put("b", name="Lead")
    here.settle(Delivered())
    page = here.page("/dashboard")
    assert "No Purchase was delivered in 24 hours" in page
    assert page.index("No Purchase") < page.index("Lead arrives. 1 in 24 hours")


def test_an_event_with_a_wrong_field_is_not_said_to_be_mended_by_sending_it_again(here):
    here.put("a")
    here.settle(Dead("meta_100_2804009"), REFUSED)
    assert "send this event anew with another id" in here.page("/dashboard/life?id=a")
    assert "sent as it is kept" in here.page("/dashboard/dead")
