"""POST /visitors, POST /withdraw and what a page's pixel reports: a running collector, end to end."""

import json
import re
import urllib.error
import urllib.request

import apsw
import pytest

from tests.processes import API_KEY, call, installation, until

pytestmark = pytest.mark.xdist_group("the collector")
ORIGIN = "https://shop.example"
FBP, FBC = "fb.1.1596403881668.1116446470", "fb.1.1596403881668.IwAR2F4"
PAGE = {"Origin": ORIGIN, "User_Agent": "Mozilla/5.0 (the visitor's)", "X_Forwarded_For": "8.8.4.4"}
KEY = {"Authorization": f"Bearer {API_KEY}"}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with installation(tmp_path_factory.mktemp("visitors")) as here:
        here.env["RELAY_TRUSTED_PROXIES"] = "127.0.0.1/32"
        here.start("--no-worker")
        yield here


def visit(here, body, **headers):
    return call("POST", f"{here.url}/visitors", body, **(headers or PAGE))


def kept(here, event_id: str) -> dict:
    """Meta's JSON of a stored event."""
    db = apsw.Connection(str(here.database), flags=apsw.SQLITE_OPEN_READONLY)
    ((body,),) = db.execute("SELECT body FROM body JOIN event USING (key) WHERE event_id = ?", (event_id,)).fetchall()
    db.close()
    return json.loads(body)


def purchase(**more) -> dict:
    person = {"email": "canary.person@example.org"}
    return {"event_name": "Purchase", "user_data": person, "custom_data": {"value": 9, "currency": "EUR"}} | more


class TestVisitors:
    def test_the_purchase_that_comes_later_has_the_visitors_address_browser_and_click(self, here):
        told = {"key": "order-1", "fbp": FBP, "event_source_url": "https://shop.example/?fbclid=AbC&email=a@b.example"}
        assert visit(here, told) == (202, {"key": "order-1", "remembered": True})
        assert here.post(purchase(event_id="purchase_order-1"))[0] == 202
        event = kept(here, "purchase_order-1")
        person = event["user_data"]
        assert (person["client_ip_address"], person["client_user_agent"]) == ("8.8.4.4", "Mozilla/5.0 (the visitor's)")
        assert person["fbp"] == FBP and re.fullmatch(r"fb\.1\.\d{13}\.AbC", person["fbc"])
        assert event["event_source_url"] == "https://shop.example/?fbclid=AbC"

    def test_the_order_id_finds_the_visitor_too_and_what_the_event_says_stands(self, here):
        visit(here, {"key": "77", "fbp": FBP, "fbc": FBC})
        given = purchase(event_id="x", custom_data={"value": 9, "currency": "EUR", "order_id": "77"})
        given["user_data"] = given["user_data"] | {"fbp": "fb.1.1700000000000.42"}
        assert here.post(given)[0] == 202
        person = kept(here, "x")["user_data"]
        assert (person["fbp"], person["fbc"], person["client_ip_address"]) == ("fb.1.1700000000000.42", FBC, "8.8.4.4")

    def test_an_order_that_nobody_was_seen_under_gets_nobodys_facts(self, here):
        visit(here, {"key": "somebody", "fbp": FBP})
        assert here.post(purchase(event_id="purchase_nobody"))[0] == 202
        assert "fbp" not in kept(here, "purchase_nobody")["user_data"]

    def test_a_stranger_cannot_overwrite_an_order(self, here):
        visit(here, {"key": "mine", "fbp": FBP})
        stranger = PAGE | {"X_Forwarded_For": "9.9.9.9", "User_Agent": "Mozilla/5.0 (a stranger's)"}
        assert visit(here, {"key": "mine", "fbp": "fb.1.1700000000000.666"}, **stranger)[0] == 202
        here.post(purchase(event_id="purchase_mine"))
        person = kept(here, "purchase_mine")["user_data"]
        assert (person["fbp"], person["client_ip_address"]) == (FBP, "8.8.4.4")

    def test_a_backend_says_the_address_itself_and_a_browser_does_not(self, here):
        visit(here, {"key": "b1", "client_ip_address": "1.1.1.1", "client_user_agent": "Mozilla/5.0"}, **KEY)
        visit(here, {"key": "b2", "client_ip_address": "1.1.1.1"})
        for key, address in (("b1", "1.1.1.1"), ("b2", "8.8.4.4")):
            here.post(purchase(event_id=f"purchase_{key}"))
            assert kept(here, f"purchase_{key}")["user_data"]["client_ip_address"] == address

    def test_of_who_declined_the_refusal_alone_is_remembered_and_their_order_is_withheld(self, here):
        assert visit(here, {"key": "no", "fbp": FBP, "consent": "denied"})[1] == {"key": "no", "remembered": False}
        assert here.post(purchase(event_id="purchase_no"))[1]["refused"][0]["reason"] == "consent_denied"

    @pytest.mark.parametrize(
        ("body", "key", "is_limited"),
        [
            (b'{"key": 10421, "consent": "Granted"}', "10421", False),
            (b'\xef\xbb\xbf{"key": "bom", "gpc": "1"}', "bom", True),
            (b'{"key": "cut", "event_source_url": "https://shop.example/\\ud83d", "consent": true}', "cut", False),
        ],
    )
    def test_what_an_events_door_reads_this_one_reads(self, here, body, key, is_limited):
        """A shop's numbers are numbers, and a page that reports its order does so once."""
        assert visit(here, body) == (202, {"key": key, "remembered": True})
        here.post(purchase(event_id=f"purchase_{key}"))
        event = kept(here, f"purchase_{key}")
        assert event["user_data"]["client_ip_address"] == "8.8.4.4"
        assert event.get("data_processing_options", []) == ["LDU"] * is_limited

    @pytest.mark.parametrize("consent", ["DENIED", False])
    def test_a_refusal_counts_however_it_is_written(self, here, consent):
        assert visit(here, {"key": f"no {consent}", "consent": consent})[1]["remembered"] is False

    def test_who_asks_not_to_be_sold_is_limited_in_the_later_event_too(self, here):
        assert visit(here, {"key": "gpc", "fbp": FBP, "gpc": True})[1]["remembered"] is True
        here.post(purchase(event_id="purchase_gpc"))
        assert kept(here, "purchase_gpc")["data_processing_options"] == ["LDU"]

    @pytest.mark.parametrize(
        ("body", "reason", "field"),
        [
            ({}, "missing_field", "key"),
            ({"key": ""}, "wrong_type", "key"),
            ({"key": [5]}, "wrong_type", "key"),
            ({"key": True}, "wrong_type", "key"),
            ({"key": "x" * 257}, "wrong_type", "key"),
            ({"key": "order_canary.person@example.org"}, "holds_email", "key"),
            ({"key": "order_+1 (650) 555-1212 (canary)"}, "holds_phone", "key"),
            ({"key": "k", "colour": "red"}, "unknown_field", "colour"),
            ({"key": "k", "fbp": 1}, "wrong_type", "fbp"),
            ({"key": "k", "consent": "maybe"}, "wrong_type", "consent"),
            (b"{", "unreadable", "body"),
        ],
    )
    def test_what_cannot_be_read_names_the_field_and_never_the_value(self, here, body, reason, field):
        status, answer = visit(here, body)
        assert (status, answer["reason"], answer["field"]) == (400, reason, field)
        assert "canary" not in json.dumps(answer)

    def test_what_is_no_browser_id_is_not_kept(self, here):
        visit(here, {"key": "junk", "fbp": "canary.person@example.org", "client_user_agent": "me@canary.example"})
        files = b"".join(path.read_bytes() for path in here.folder.iterdir() if path.is_file())
        assert b"canary.person" not in files and b"me@canary" not in files

    def test_the_same_door_stands_before_it(self, here):
        body = {"key": "k"}
        assert visit(here, body, Origin="https://evil.example")[0] == 403
        assert visit(here, body, Authorization="Bearer wrong")[0] == 401
        assert call("GET", f"{here.url}/visitors")[0] == 405
        assert call("OPTIONS", f"{here.url}/withdraw", Origin=ORIGIN)[0] == 204

    @pytest.mark.parametrize(
        ("path", "body"),
        [("visitors", {"key": "l"}), ("withdraw", {"event_ids": ["l"]}), ("events", {"event_name": "ViewContent"})],
    )
    def test_when_it_cannot_be_made_durable_the_answer_is_503_and_says_when_to_come_again(self, here, path, body):
        page = {name.replace("_", "-"): value for name, value in PAGE.items()}
        other = apsw.Connection(str(here.database))
        other.set_busy_timeout(20_000)  # the relay may be writing
        other.execute("BEGIN IMMEDIATE")
        ask = urllib.request.Request(f"{here.url}/{path}", json.dumps(body).encode(), page)
        try:
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(ask, timeout=30)
        finally:
            other.execute("ROLLBACK")
            other.close()
        with refused.value as answer:
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert json.loads(answer.read())["reason"] == "not_durable"


class TestWithdraw:
    def test_what_has_not_left_is_withdrawn_and_counted_once(self, here):
        url = f"{here.url}/withdraw"
        for name in ("w1", "w2"):
            call("POST", f"{here.url}/events", {"event_name": "ViewContent", "event_id": name}, **PAGE)
        here.post(purchase(event_id="w3"))
        assert call("POST", url, {"event_ids": ["w1", "w2", "w3", "unknown"]}, **PAGE) == (202, {"withdrawn": 2})
        assert call("POST", url, {"event_ids": ["w1"]}, **PAGE) == (202, {"withdrawn": 0})
        assert "erased (withdrawn)" in here.command("explain", "w1").stdout.decode()

    @pytest.mark.parametrize("body", [{}, {"event_ids": "w"}, {"event_ids": [{}]}, {"event_ids": ["x"] * 101}])
    def test_a_wrong_list_names_the_field(self, here, body):
        status, answer = call("POST", f"{here.url}/withdraw", body, **PAGE)
        assert status == 400 and answer["field"].startswith("event_ids")

    @pytest.mark.parametrize("odd", [7, None, "x" * 300, "\ud83d", ["a"]])
    def test_an_id_that_is_none_keeps_no_other_from_being_withdrawn(self, here, odd):
        """A visitor who denies says it once, of all that the page sent."""
        name = f"beside {odd!r:.9}".encode("ascii", "replace").decode()
        call("POST", f"{here.url}/events", {"event_name": "ViewContent", "event_id": name}, **PAGE)
        assert call("POST", f"{here.url}/withdraw", {"event_ids": [odd, name]}, **PAGE) == (202, {"withdrawn": 1})

    def test_an_older_script_takes_back_what_a_newer_one_wrote_down(self, here):
        """It reads an id and its event's name, parted by a line break, as one id."""
        call("POST", f"{here.url}/events", {"event_name": "ViewContent", "event_id": "n1"}, **PAGE)
        taken_back = {"event_ids": ["n1\nViewContent", "1001\nundefined"]}
        assert call("POST", f"{here.url}/withdraw", taken_back, **PAGE) == (202, {"withdrawn": 1})
        assert "erased (withdrawn)" in here.command("explain", "n1").stdout.decode()

    @pytest.mark.parametrize("event_id", ["long " + "x" * 300, "half \ud83d", 5])
    def test_an_id_is_withdrawn_as_it_was_accepted(self, here, event_id):
        event = {"event_name": "ViewContent", "event_id": event_id}
        assert call("POST", f"{here.url}/events", event, **PAGE)[0] == 202
        assert call("POST", f"{here.url}/withdraw", {"event_ids": [event_id]}, **PAGE) == (202, {"withdrawn": 1})


class TestPixelReports:
    def meter(self, here, name: str) -> dict:
        (book,) = json.loads(here.command("status", "--json").stdout)["datasets"]
        return book["deduplication"].get(name, {})

    def test_what_both_sides_sent_is_told_by_status_and_metrics(self, here):
        post = f"{here.url}/events"
        event = {"event_name": "Search", "event_id": "s1", "pixel": True}
        assert call("POST", post, event, **PAGE)[0] == 202
        assert call("POST", post, {"event_name": "Search", "event_id": "s2"}, **PAGE)[0] == 202
        reported = {"data": [], "pixel": [["Search", "s3"], ["Search", "a@canary.example"], ["Own Name", "1"]]}
        assert call("POST", post, reported, **PAGE) == (202, {"accepted": [], "refused": []})
        figures = {"both": 1, "server_only": 1, "browser_only": 1}
        assert until(lambda: self.meter(here, "Search") == figures)
        assert until(lambda: self.meter(here, "Own Name")) == {"both": 0, "server_only": 0, "browser_only": 1}
        text = call("GET", f"{here.url}/metrics")[1]
        assert 'relay_deduplication_events{event="Search",side="both"} 1.0' in text
        assert 'event="other",side="browser_only"' in text and "Own Name" not in text
        assert "pixel" not in kept(here, "s1")
        assert "Search by" in here.command("status").stdout.decode()

    @pytest.mark.parametrize(
        "pixel", [{}, [["Search"]], [["Search", 1]], [["", "x"]], [["Search", "x" * 257]], [["Search", "x"]] * 101]
    )
    def test_a_wrong_report_is_refused_and_names_the_field(self, here, pixel):
        status, answer = call("POST", f"{here.url}/events", {"data": [], "pixel": pixel}, **PAGE)
        assert (status, answer["reason"]) == (400, "wrong_type") and answer["field"].startswith("pixel")

    @pytest.mark.parametrize("pixel", [None, {}, [["x" * 101, "a"]], [["Search", "\ud83d"]], [["Search", 1]]])
    def test_a_wrong_report_costs_no_event_beside_it(self, here, pixel):
        """A page's pixel takes names and ids that are none, and the report of one comes with the next event."""
        body = {"data": [{"event_name": "Lead"}], "pixel": pixel}
        status, answer = call("POST", f"{here.url}/events", body, **PAGE)
        assert status == 202 and len(answer["accepted"]) == 1
