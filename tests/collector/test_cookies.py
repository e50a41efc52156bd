"""Where consent is asked for and the server sets the cookies: a running collector, end to end."""

import json
import re
import urllib.error
import urllib.request

import pytest

from tests.collector.test_visitors import FBC, FBP, PAGE, kept, purchase
from tests.processes import call, installation

pytestmark = pytest.mark.xdist_group("the collector")


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """An installation that asks for consent and sets cookies."""
    with installation(tmp_path_factory.mktemp("strict")) as here:
        here.env |= {"RELAY_CONSENT": "withhold", "RELAY_SET_COOKIES": "true"}
        here.env |= {"RELAY_TRUSTED_PROXIES": "127.0.0.1/32", "RELAY_ALLOWED_ORIGINS": "https://www.shop.example"}
        here.start("--no-worker")
        yield here


class TestConsent:
    PAGE = PAGE | {"Origin": "https://www.shop.example", "Host": "relay.shop.example", "X_Forwarded_Proto": "https"}

    def post(self, strict, event: dict, **headers) -> tuple[int, dict, list[str], str]:
        page = {name.replace("_", "-"): value for name, value in (self.PAGE | headers).items()}
        body = json.dumps({"event_name": "ViewContent"} | event).encode()
        try:
            answer = urllib.request.urlopen(urllib.request.Request(f"{strict.url}/events", body, page), timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        headers_ = answer.headers
        cookies, credentials = headers_.get_all("set-cookie") or [], headers_.get("access-control-allow-credentials")
        return answer.status, json.loads(answer.read()), cookies, credentials

    def test_silence_is_refused_where_consent_is_asked_for(self, strict):
        status, answer, cookies, _ = self.post(strict, {"event_id": "silent"})
        assert status == 422 and answer["refused"][0]["reason"] == "consent_missing" and cookies == []

    def test_who_agreed_gets_the_two_cookies_and_the_event_has_them(self, strict):
        event = {"event_id": "c1", "consent": "granted", "event_source_url": "https://www.shop.example/?fbclid=AbC"}
        status, _, cookies, credentials = self.post(strict, event)
        assert (status, credentials) == (202, "true")
        sent = kept(strict, "c1")["user_data"]
        ends = "; Domain=shop.example; Max-Age=7776000; Path=/; SameSite=Lax; Secure"
        assert sorted(cookies) == [f"_fbc={sent['fbc']}{ends}", f"_fbp={sent['fbp']}{ends}"]
        assert re.fullmatch(r"fb\.1\.\d{13}\.AbC", sent["fbc"]) and re.fullmatch(r"fb\.1\.\d{13}\.\d+", sent["fbp"])

    def test_who_has_them_keeps_them_for_longer_and_whose_page_says_them_gets_no_cookie(self, strict):
        event = {"event_id": "c2", "consent": "granted"}
        (cookie,) = self.post(strict, event, Cookie=f"_fbp={FBP}")[2]
        assert cookie.startswith(f"_fbp={FBP}; Domain=shop.example; Max-Age=7776000; ")
        assert kept(strict, "c2")["user_data"]["fbp"] == FBP
        assert self.post(strict, event | {"event_id": "c3", "user_data": {"fbp": FBP, "fbc": FBC}})[2] == []

    @pytest.mark.parametrize(
        ("event", "headers"),
        [
            ({"consent": "granted", "gpc": True}, {}),
            ({"consent": "granted"}, {"Sec-GPC": "1"}),
            ({"consent": "denied"}, {}),
            ({"consent": "granted"}, {"Host": "relay.elsewhere.example"}),
        ],
        ids=["the page read GPC", "the header", "declined", "a third party's cookie"],
    )
    def test_otherwise_no_cookie_is_set(self, strict, event, headers):
        assert self.post(strict, event, **headers)[2] == []
        assert self.post(strict, event, Cookie=f"_fbp={FBP}", **headers)[2] == []

    def test_without_https_the_cookie_is_not_secure(self, strict):
        (cookie,) = self.post(strict, {"consent": "granted"}, X_Forwarded_Proto="http")[2]
        assert cookie.startswith("_fbp=") and "Secure" not in cookie

    def test_a_visitor_who_agreed_lets_the_webhooks_purchase_through(self, strict):
        url = f"{strict.url}/visitors"
        assert call("POST", url, {"key": "o1"}, **self.PAGE)[1]["remembered"] is False
        assert call("POST", url, {"key": "o1", "consent": "granted"}, **self.PAGE)[1]["remembered"] is True
        assert strict.post(purchase(event_id="purchase_o1"))[0] == 202
        assert strict.post(purchase(event_id="purchase_o2"))[1]["refused"][0]["reason"] == "consent_missing"
