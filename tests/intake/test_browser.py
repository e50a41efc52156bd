"""A browser at a door: whose page calls, what it may read, and which ids Meta will know the browser by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay import BrowserIds, CookieSite, RequestFacts, cors_headers, is_own_page, listed_origin, shared_site
from conversion_relay.event import Event, UserData

NOW, NUMBER = 1_700_000_000.0, 42
ALLOWED = frozenset({"https://shop.example", "http://localhost:3000"})
PAGE = "https://shop.example/course?fbclid=AbC"
FBP, FBC = "fb.1.1596403881668.1116446470", "fb.1.1554763741205.XyZ"
NEW_FBP, NEW_FBC = "fb.1.1700000000000.42", "fb.1.1700000000000.AbC"


def ids(facts: RequestFacts, site=CookieSite(), silence="send", is_secure=True, renews=False) -> BrowserIds:  # noqa: B008
    return BrowserIds(facts, site, NOW, NUMBER, is_secure=is_secure, silence=silence, renews=renews)


def registrable(host: str) -> str | None:
    labels = host.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


class TestOrigins:
    @pytest.mark.parametrize(
        ("origin", "known"),
        [
            ("https://shop.example", "https://shop.example"),
            ("HTTPS://Shop.Example", "https://shop.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://localhost:30000", None),
            ("http://shop.example", None),
            ("https://shop.example/", None),
            ("https://shop.example.evil.example", None),
            ("https://evil.example/https://shop.example", None),
            ("https://user@shop.example", None),
            ("https://\u212ahop.example", None),
            ("null", None),
            ("", None),
            (None, None),
        ],
    )
    def test_an_origin_is_on_the_list_or_not_to_the_letter(self, origin, known):
        assert listed_origin(origin, ALLOWED) == known
        assert ("Access-Control-Allow-Origin" in cors_headers(origin, ALLOWED)) is (known is not None)

    def test_the_kelvin_sign_is_no_k(self):
        assert listed_origin("https://boo\u212a.example", {"https://book.example"}) is None

    @pytest.mark.parametrize(
        ("origin", "host", "own"),
        [
            ("https://shop.example", "shop.example", True),
            ("http://shop.example:8000", "Shop.example:8000", True),
            ("http://shop.example", "shop.example:8000", False),
            ("http://[::1]:8000", "[::1]:8000", True),
            ("http://[::1", "[::1", False),
            ("null", "", False),
            ("null", "null", False),
            ("", "", False),
        ],
    )
    def test_a_page_of_the_very_host_that_it_calls(self, origin, host, own):
        assert is_own_page(origin, host) is own

    @given(origin=st.text(max_size=40), host=st.text(max_size=20))
    def test_whatever_an_origin_is_it_is_judged_and_raises_nothing(self, origin, host):
        assert listed_origin(origin, ALLOWED) in {None, *ALLOWED}
        is_own_page(origin, host)
        shared_site(host, origin, registrable)

    def test_a_page_that_may_read_is_told_so_by_its_own_name(self):
        headers = cors_headers("https://Shop.example", ALLOWED, request_headers="authorization", credentials=True)
        assert headers["Access-Control-Allow-Origin"] == "https://Shop.example", "compared letter by letter"
        assert headers["Access-Control-Allow-Headers"] == "authorization"
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert "Access-Control-Allow-Credentials" not in cors_headers("https://shop.example", ALLOWED)

    @pytest.mark.parametrize("origin", [None, "https://shop.example", "https://evil.example"])
    def test_every_answer_says_that_it_depends_on_the_origin(self, origin):
        assert cors_headers(origin, ALLOWED)["Vary"] == "Origin"


class TestIds:
    def test_a_new_visitor_gets_both_and_the_event_carries_what_the_cookies_say(self):
        visitor = ids(RequestFacts(url=PAGE))
        facts = visitor.facts_for(None)
        assert (facts.fbp, facts.fbc, facts.url) == (NEW_FBP, NEW_FBC, PAGE)
        ends = "; Max-Age=7776000; Path=/; SameSite=Lax; Secure"
        assert sorted(visitor.cookies()) == [f"_fbc={NEW_FBC}{ends}", f"_fbp={NEW_FBP}{ends}"]

    def test_events_of_one_request_share_one_browser_id(self):
        visitor = ids(RequestFacts())
        first, second = visitor.facts_for(None), visitor.facts_for(None, url=PAGE)
        assert first.fbp == second.fbp and (first.fbc, second.fbc) == (None, NEW_FBC)
        assert len(visitor.cookies()) == 2

    @pytest.mark.parametrize(
        ("facts", "said", "fbp", "fbc", "set_for"),
        [
            (RequestFacts(fbp=FBP, fbc=FBC), {}, FBP, FBC, []),
            (RequestFacts(fbp=FBP), {}, FBP, None, []),
            (RequestFacts(fbp=FBP, fbc=FBC, url=PAGE), {}, FBP, NEW_FBC, ["_fbc"]),
            (RequestFacts(fbp=FBP, fbc="fb.1.1554763741205.AbC", url=PAGE), {}, FBP, "fb.1.1554763741205.AbC", []),
            (RequestFacts(url=PAGE), {"fbp": FBP}, None, NEW_FBC, ["_fbc"]),
            (RequestFacts(url=PAGE), {"fbp": FBP, "fbc": FBC}, None, None, []),
            (RequestFacts(), {"url": PAGE}, NEW_FBP, NEW_FBC, ["_fbc", "_fbp"]),
            (RequestFacts(url="http://[::1"), {}, NEW_FBP, None, ["_fbp"]),
            (RequestFacts(url="https://shop.example/?fbclid=a%20b"), {}, NEW_FBP, None, ["_fbp"]),
            (RequestFacts(url=f"https://shop.example/?fbclid={'x' * 501}"), {}, NEW_FBP, None, ["_fbp"]),
        ],
    )
    def test_only_what_is_missing_is_made(self, facts, said, fbp, fbc, set_for):
        """What the page's script says of an id stands: it rides on the event, so the request's facts need none."""
        visitor = ids(facts)
        filled = visitor.facts_for(None, **said)
        assert (filled.fbp, filled.fbc) == (fbp, fbc)
        assert sorted(cookie.partition("=")[0] for cookie in visitor.cookies()) == set_for

    @pytest.mark.parametrize("consent", ["granted", "denied", None])
    @pytest.mark.parametrize("silence", ["send", "limited_data_use", "withhold"])
    @pytest.mark.parametrize("gpc", ["the header", "the page", "no"])
    def test_a_visitor_who_did_not_agree_is_given_nothing(self, consent, silence, gpc):
        visitor = ids(RequestFacts(url=PAGE, gpc=gpc == "the header"), silence=silence)
        facts = visitor.facts_for(consent, gpc == "the page")
        allowed = gpc == "no" and (consent == "granted" or (consent is None and silence != "withhold"))
        assert (facts.fbp is not None, len(visitor.cookies())) == ((True, 2) if allowed else (False, 0))

    def test_an_event_is_read_for_what_it_says(self):
        event = Event(event_name="Lead", event_source_url=PAGE, user_data=UserData(fbp=FBP))
        visitor = ids(RequestFacts())
        assert visitor.facts_for_event(event).fbc == NEW_FBC
        assert [cookie.partition("=")[0] for cookie in visitor.cookies()] == ["_fbc"]
        declined = Event(event_name="Lead", consent="denied", event_source_url=PAGE)
        assert ids(RequestFacts()).facts_for_event(declined) == RequestFacts()

    @pytest.mark.parametrize("broken", ["undefined", "fb.1.1596403881.42", "GA1.2.42.7"])
    def test_a_cookie_that_nobody_can_read_is_replaced_as_the_pixel_would(self, broken):
        visitor = ids(RequestFacts(fbp=broken), renews=True)
        assert visitor.facts_for(None).fbp == NEW_FBP
        assert [cookie.partition(";")[0] for cookie in visitor.cookies()] == [f"_fbp={NEW_FBP}"]
        said = ids(RequestFacts(), renews=True)
        assert said.facts_for(None, fbp=broken).fbp == NEW_FBP
        known = ids(RequestFacts(fbp=FBP), renews=True)
        assert known.facts_for(None, fbp=broken).fbp == FBP

    def test_an_event_that_waited_in_the_page_was_after_its_click(self):
        for when, fbc in (
            (1_699_999_400, "fb.1.1699999400000.AbC"),
            ("1699999400", "fb.1.1699999400000.AbC"),
            (None, NEW_FBC),
            ("no time", NEW_FBC),
            (5, NEW_FBC),
        ):
            visitor = ids(RequestFacts(url=PAGE))
            assert visitor.facts_for_event(Event(event_name="Lead", event_time=when)).fbc == fbc
            assert f"_fbc={fbc};" in visitor.cookies()[1]

    def test_where_the_cookie_is_kept(self):
        visitor = ids(RequestFacts(), CookieSite("shop.co.uk", 2), is_secure=False)
        assert visitor.facts_for(None).fbp == "fb.2.1700000000000.42"
        (cookie,) = visitor.cookies()
        assert "; Domain=shop.co.uk; " in cookie and "Secure" not in cookie and "HttpOnly" not in cookie


@pytest.mark.parametrize(
    ("host", "origin", "site"),
    [
        ("relay.shop.example", "https://www.shop.example", CookieSite("shop.example", 1)),
        ("shop.example", "https://shop.example:8443", CookieSite("shop.example", 1)),
        ("shop.example:8000", "https://a.b.shop.example", CookieSite("shop.example", 1)),
        ("relay.other", "https://shop.example", None),
        ("localhost:8000", "http://localhost:3000", CookieSite(None, 0)),
        ("127.0.0.1:8000", "http://127.0.0.1", CookieSite(None, 0)),
        ("127.0.0.1", "http://10.0.0.1", None),
        ("[::1]:8000", "http://[::1]", CookieSite(None, 0)),
        ("shop.example", "http://127.0.0.1", None),
        ("127.0.0.1", "http://shop.example", None),
        ("shop.example", "null", None),
        ("shop.example", "", None),
        ("", "https://shop.example", None),
        ("[::1", "http://[::1", None),
    ],
)
def test_the_site_that_a_door_and_a_page_share(host, origin, site):
    assert shared_site(host, origin, registrable) == site


class TestRenewal:
    """RELAY_SET_COOKIES: Safari drops what a script wrote; a cookie of the server's own stays."""

    @staticmethod
    def renewed(facts: RequestFacts, *said, silence="send", site=CookieSite("shop.example", 1)) -> list[str]:  # noqa: B008
        made = ids(facts, site, silence, renews=True)
        made.facts_for(*said)
        return sorted(made.cookies())

    def test_the_same_values_are_set_again_for_ninety_days(self):
        ends = "; Domain=shop.example; Max-Age=7776000; Path=/; SameSite=Lax; Secure"
        for said in ((None,), (None, None, None, FBP, FBC)):
            assert self.renewed(RequestFacts(fbp=FBP, fbc=FBC), *said) == [f"_fbc={FBC}{ends}", f"_fbp={FBP}{ends}"]

    def test_a_new_click_takes_the_place_of_the_old_one(self):
        lines = self.renewed(RequestFacts(fbp=FBP, fbc=FBC, url=PAGE), None)
        assert [line.partition(";")[0] for line in lines] == [f"_fbc={NEW_FBC}", f"_fbp={FBP}"]

    def test_the_click_of_the_page_that_is_known_keeps_its_time(self):
        known = "fb.1.1554763741205.AbC"
        lines = self.renewed(RequestFacts(fbp=FBP, fbc=known, url=PAGE), None)
        assert lines[0].startswith(f"_fbc={known};")

    def test_where_the_page_knows_another_value_the_cookies_is_not_renewed(self):
        assert self.renewed(RequestFacts(fbp=FBP, fbc=FBC), None, None, None, NEW_FBP, NEW_FBC) == []

    @pytest.mark.parametrize(
        ("said", "gpc", "silence"),
        [
            (("denied",), False, "send"),
            ((None,), True, "send"),
            ((None, True), False, "send"),
            ((None,), False, "withhold"),
        ],
        ids=["declined", "GPC as header", "GPC as the page says", "not asked"],
    )
    def test_nothing_is_renewed_for_who_did_not_allow_it(self, said, gpc, silence):
        assert self.renewed(RequestFacts(fbp=FBP, fbc=FBC, gpc=gpc), *said, silence=silence) == []

    @pytest.mark.parametrize(
        "text", ["x", "fb.1.2.3; Domain=evil.example", "fb.1.1596403881668.abc\r\nSet-Cookie: a=b"]
    )
    def test_what_is_no_id_is_not_set(self, text):
        lines = self.renewed(RequestFacts(fbp=text, fbc=text), None)
        assert not [line for line in lines if f"={text}" in line]

    def test_a_door_that_does_not_know_the_domain_renews_nothing(self):
        made = ids(RequestFacts(fbp=FBP, fbc=FBC))
        made.facts_for(None)
        assert made.cookies() == ()
