"""The browser's script as a visitor meets it: one event for both sides, whatever becomes of collector and page."""

import contextlib
import socket
import time
from itertools import pairwise

import pytest

from tests.browser.site import HOSTS
from tests.browser.tab import COURSE, from_server, purchase, rows, sides, track, watched
from tests.processes import call, until

pytestmark = pytest.mark.xdist_group("browser")


# -- one id, both channels ---------------------------------------------------------------------------------------------


def test_browser_and_server_share_the_id_and_one_is_counted(page, relay, site):
    before = sides(relay, "ViewContent")["both"]
    page.goto(site.url("/course?utm_source=a?b&email=canary%40example.org&fbclid=IwAR0xY-z_1#top?utm_term=x"))
    event_id = track(page, "ViewContent", COURSE)
    until(lambda: len(rows(relay, event_id)) == 2)
    assert {row["source"] for row in rows(relay, event_id)} == {"browser", "server"}
    assert sorted(row["duplicate"] for row in rows(relay, event_id)) == [False, True]
    event = from_server(relay, event_id)
    assert event["custom_data"] == COURSE and event["action_source"] == "website"
    assert event["event_source_url"] == site.url("/course?utm_source=a%3Fb&fbclid=IwAR0xY-z_1")
    until(lambda: sides(relay, "ViewContent")["both"] == before + 1)
    assert "canary" not in str([request.post_data for request in page.sent])


def test_without_the_pixel_the_server_event_arrives(page, relay, site):
    site.has_pixel = False
    before = sides(relay, "Lead")["server_only"]
    page.goto(site.url())
    event_id = track(page, "Lead")
    from_server(relay, event_id)
    assert [row["source"] for row in rows(relay, event_id)] == ["server"]
    until(lambda: sides(relay, "Lead")["server_only"] == before + 1)
    assert any("no pixel" in line for line in page.evaluate("MetaTracking.debug"))


def test_a_pixel_that_is_blocked_behind_its_snippet_is_not_counted_as_told(page, relay, site):
    """Meta's snippet leaves a queue that its script would empty; an ad blocker takes the script alone."""
    site.has_pixel = False
    before = sides(relay, "Search")
    page.add_init_script("window.fbq = Object.assign(function () {}, {queue: []})")
    page.goto(site.url())
    from_server(relay, track(page, "Search"))
    until(lambda: sides(relay, "Search") == before | {"server_only": before["server_only"] + 1})
    # Its script came after all: the next request tells.
    page.evaluate("fbq.callMethod = () => {}")
    from_server(relay, track(page, "Lead"))
    until(lambda: sides(relay, "Search")["both"] == before["both"] + 1)


def test_what_only_the_pixel_hears_is_told_when_the_page_goes(page, relay, site):
    """A figure: the browser may drop the beacon of a page that goes, so several pages may go until one was heard."""
    before = sides(relay, "Purchase")

    def heard(n: int) -> bool:
        page.goto(site.url())
        track(page, "Purchase", {"value": 12, "currency": "EUR"}, {"eventId": f"purchase_b{n}", "pixelOnly": True})
        page.goto(site.url("/next"))
        with contextlib.suppress(AssertionError):
            return until(lambda: sides(relay, "Purchase")["browser_only"] > before["browser_only"], 10)
        return False

    told = next(n for n in range(5) if heard(n))
    until(lambda: [row["source"] for row in rows(relay, f"purchase_b{told}")] == ["browser"])
    assert relay.post(purchase(f"purchase_b{told}", email="joe@example.com"))[0] == 202
    until(lambda: sides(relay, "Purchase")["both"] == before["both"] + 1)


def test_while_the_collector_is_down_an_event_waits_with_its_time(page, relay, site):
    page.goto(site.url())
    relay.stop()
    at = time.time()
    event_id = track(page, "Lead")
    until(lambda: any("not reached" in line for line in page.evaluate("MetaTracking.debug")))
    until(lambda: time.time() > at + 3, every=0.2)  # so that another time could be told from its own
    relay.start()
    assert abs(from_server(relay, event_id)["event_time"] - at) <= 1
    until(lambda: page.evaluate("JSON.parse(localStorage._mt).q.length") == 0)


def test_what_waited_when_the_page_was_closed_is_sent_by_the_next_one(page, context, relay, site):
    page.goto(site.url())
    relay.stop()
    event_id = track(page, "Lead", None, {"userEmail": "canary.waiting@example.org"})
    until(lambda: any("not reached" in line for line in page.evaluate("MetaTracking.debug")))
    assert "canary" not in page.evaluate("localStorage._mt")
    relay.start()
    page.close()
    watched(context, relay, site).goto(site.url("/next"))
    from_server(relay, event_id)


def test_a_page_that_is_closed_at_once_has_sent_its_event(page, relay, site):
    page.goto(site.url())
    event_id = track(page, "Lead")
    page.close()
    from_server(relay, event_id)


def test_a_page_that_is_left_at_once_has_sent_its_event(page, relay, site):
    page.goto(site.url())
    event_id = page.evaluate("() => { const id = MetaTracking.track('Lead'); location.href = '/next'; return id }")
    page.wait_for_url("**/next")
    from_server(relay, event_id)


# -- the page comes first ----------------------------------------------------------------------------------------------


def test_a_collector_that_hangs_changes_nothing_on_the_page(page, relay, site):
    with socket.create_server(("127.0.0.1", 0), backlog=50) as hangs:
        site.endpoint = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        page.goto(site.url(), wait_until="load")
        track(page, "Lead")
        page.click("a")
        page.wait_for_url("**/next")
        assert page.evaluate("document.readyState") == "complete"


def test_without_beacon_storage_and_cookies_it_is_still_one_event(page, relay, site):
    page.add_init_script(
        """
        delete Navigator.prototype.sendBeacon;
        Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }});
        Object.defineProperty(Document.prototype, 'cookie', {get() { return '' }, set() {}});
        """
    )
    page.goto(site.url("/?fbclid=IwAR-blocked"))
    event_id = track(page, "Lead")
    event = from_server(relay, event_id)
    assert event["user_data"]["fbp"] and event["user_data"]["fbc"].endswith(".IwAR-blocked")
    page.goto(site.url("/next"))
    assert len([row for row in rows(relay, event_id) if row["source"] == "server"]) == 1


def test_no_call_throws_whatever_it_is_given(page, site):
    page.goto(site.url())
    calls = "[null, undefined, 7, '', {}, [], Symbol('x')].flatMap(odd => Object.values(MetaTracking)"
    answered = f"{calls}.filter(f => f && f.call).map(f => {{ f(odd); f(odd, odd, odd); return 1 }})).length"
    assert page.evaluate(answered) > 40


def test_ids_sort_by_their_time(page, site):
    page.goto(site.url())
    ids = [page.evaluate("MetaTracking.newEventId()") for _ in range(20)]
    times = [int(i.replace("-", "")[:12], 16) for i in ids]
    assert all(a <= b for a, b in pairwise(times)) and abs(times[0] / 1000 - time.time()) < 60
    assert len(set(ids)) == 20 and all(len(i) == 36 and i[14] == "7" and i[19] in "89ab" for i in ids)


def test_every_host_of_the_tests_may_post(relay, site):
    for host in HOSTS:
        answer = call("OPTIONS", f"{relay.url}/events", Origin=f"http://{host}:{site.port}")
        assert answer[0] == 204


def test_what_is_clicked_twice_is_one_event_and_again_a_moment_later_another(page, site):
    page.goto(site.url())
    first = [track(page, "Contact"), track(page, "Contact")]
    page.evaluate("new Promise((done) => setTimeout(done, 1_100))")
    assert first[0] == first[1] != track(page, "Contact")
