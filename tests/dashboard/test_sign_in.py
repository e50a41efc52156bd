"""Signing in: a page for people, Basic for scripts, a cookie that no other site's request carries, and a slow gate."""

import re
import time
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from conversion_relay.dashboard import access_of
from conversion_relay.dashboard.routes import dashboard_routes
from conversion_relay.dashboard.session import LASTS, issued, session_key
from conversion_relay.errors import SettingsError
from conversion_relay.outbox.audit import MOST_BYTES, Audit, Change
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings

PASSWORD = "correct-horse"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
BROWSER = {"accept": "text/html,application/xhtml+xml", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
OURS = BROWSER | {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8000"}


class FromElsewhere:
    """The test's requests come from an address on the internet."""

    def __init__(self, app: Litestar) -> None:
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        await self.app({**scope, "client": ("203.0.113.9", 5_000)}, receive, send)


@pytest.fixture
def opened(tmp_path):
    relays = []

    def make(setting: str = PASSWORD, **more: str) -> TestClient:
        env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "token", "RELAY_ADMIN_PASSWORD": setting}
        env |= {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"} | more
        relay = Relay(Settings.from_env(env))
        relays.append(relay)
        app = Litestar(dashboard_routes(relay, dict), openapi_config=None)
        client = TestClient(FromElsewhere(app), base_url="http://127.0.0.1:8000")
        client.settings, client.relay, client.env = relay.settings, relay, env
        return client

    yield make
    for relay in relays:
        relay.close()


def sign_in(client: TestClient, password: str = PASSWORD, to: str = "/dashboard", **headers: str):
    form = {"password": password, "to": to}
    return client.post("/dashboard/sign-in", data=form, headers=OURS | headers, follow_redirects=False)


@pytest.mark.parametrize("setting", [PASSWORD, HASH], ids=["plain", "hash"])
def test_a_person_signs_in_goes_on_where_they_were_and_signs_out(opened, setting):
    client = opened(setting)
    asked = client.get("/dashboard/events?state=dead", headers=BROWSER, follow_redirects=False)
    assert asked.status_code == 303
    page = client.get(asked.headers["location"], headers=BROWSER)
    assert page.status_code == 200 and 'value="/dashboard/events?state=dead"' in page.text
    done = sign_in(client, to="/dashboard/events?state=dead")
    assert (done.status_code, done.headers["location"]) == (303, "/dashboard/events?state=dead")
    page = client.get("/dashboard", headers=BROWSER)
    assert page.status_code == 200 and "Sign out" in page.text
    token = re.search(r'name="token" value="(\w+)"', page.text)[1]
    out = client.post("/dashboard/sign-out", data={"token": token}, headers=OURS, follow_redirects=False)
    assert out.status_code == 303 and "Max-Age=0" in out.headers["set-cookie"]
    assert client.get("/dashboard", headers=BROWSER, follow_redirects=False).status_code == 303


def test_a_form_whose_session_is_over_does_nothing_and_leads_to_sign_in_and_back(opened):
    client, form, here = opened(), {"token": "x", "do": "erase", "key": "1"}, "http://127.0.0.1:8000"
    pages = {f"{here}/dashboard/events?state=dead": "/dashboard/events?state=dead", f"{here}/": "/dashboard"}
    for page, to in (pages | {"http://[": "/dashboard"}).items():
        told = OURS | {"referer": page}
        answer = client.post("/dashboard/change", data=form, headers=told, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard/sign-in?{urlencode({'to': to})}")


def test_behind_a_proxy_that_leaves_out_its_port_a_browsers_own_word_is_enough(opened):
    """nginx with `Host $host` on 8443."""
    assert sign_in(opened(), origin="https://relay.example:8443", host="relay.example").status_code == 303


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/sign-in", "/dashboard/dead.csv"])
def test_the_charset_is_said_once(opened, path):
    answer = opened().get(path, headers={"authorization": "Basic " + b64encode(f"x:{PASSWORD}".encode()).decode()})
    assert answer.status_code == 200 and answer.headers["content-type"].count("charset") == 1


def test_the_cookie_is_out_of_reach_and_secure_behind_https(opened):
    client = opened(RELAY_TRUSTED_PROXIES="203.0.113.0/24")
    plain = sign_in(client).headers["set-cookie"]
    assert "HttpOnly" in plain and "SameSite=Strict" in plain and "Secure" not in plain
    assert "; Secure" in sign_in(client, **{"x-forwarded-proto": "https"}).headers["set-cookie"]
    other = opened()
    assert "Secure" not in sign_in(other, **{"x-forwarded-proto": "https"}).headers["set-cookie"], (
        "nobody trusted says so"
    )


def test_a_browser_that_says_it_came_by_https_gets_a_secure_cookie_whatever_the_proxy_says(opened):
    """A proxy that nobody named as trusted, or one that does not tell the scheme."""
    said = sign_in(opened(), origin="https://relay.example", host="relay.example").headers["set-cookie"]
    assert "; Secure" in said
    plain = sign_in(opened(), origin="http://relay.example", host="relay.example").headers["set-cookie"]
    assert "Secure" not in plain


def test_wrong_passwords_on_the_page_are_slowed_and_counted_with_those_of_scripts(opened):
    client = opened()
    told = [sign_in(client, f"guess-{n}").status_code for n in range(6)]
    assert told == [401, 401, 401, 401, 429, 429]
    assert sign_in(client).status_code == 429, "nor is the right one looked at meanwhile"
    assert client.get("/dashboard/data", auth=("", PASSWORD)).status_code == 429


def test_a_form_of_another_site_neither_signs_in_nor_out(opened):
    client = opened()
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "", "origin": "https://evil.example"}):
        assert sign_in(client, **headers).status_code == 403
    sign_in(client)
    assert client.post("/dashboard/sign-out", data={}, headers=OURS).status_code == 403


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/dashboard\\@evil", "/dashboardx", "/dashboard/sign-in"]
)
def test_signing_in_leads_nowhere_else(opened, to):
    assert sign_in(opened(), to=to).headers["location"] == "/dashboard"


def test_a_session_ends_and_cannot_be_made_or_prolonged_by_hand(opened):
    client = opened()
    key, now = session_key(client.settings), time.time()

    def status(cookie: str) -> int:
        return client.get("/dashboard/data", headers={"cookie": cookie}).status_code

    good = issued(key, now)
    assert status(good) == 200 and status(f"x=1; {good}; y=2") == 200
    assert status(issued(key, now - LASTS - 2)) == 401
    assert status(issued(b"another key", now)) == 401
    name, _, value = good.partition("=")
    ends_at, _, signature = value.partition(".")
    assert status(f"{name}={int(ends_at) + 1}.{signature}") == 401
    assert status(f"{name}=") == status(f"{name}=.{signature}") == 401
    changed = opened("another password")
    assert changed.get("/dashboard/data", headers={"cookie": good}).status_code == 401, "a new password ends them all"


def test_a_renewed_token_signs_nobody_out_and_a_process_that_starts_with_it_is_of_one_mind(opened):
    """Of several server processes one may have started after the renewal."""
    client = opened()
    assert sign_in(client).status_code == 303
    form = re.search(r'name="token" value="(\w+)"', client.get("/dashboard", headers=BROWSER).text)[1]
    renewed = {"META_ACCESS_TOKEN": "renewed"}
    client.relay.use(Settings.from_env(client.env | renewed))
    assert client.get("/dashboard", headers=BROWSER, follow_redirects=False).status_code == 200
    other = opened(**renewed)
    session = sign_in(other).headers["set-cookie"].partition(";")[0]
    client.cookies.clear()
    assert client.get("/dashboard/data", headers={"cookie": session}).status_code == 200
    out = client.post("/dashboard/sign-out", data={"token": form}, headers=OURS, follow_redirects=False)
    assert out.status_code == 303


def test_a_proxy_that_is_trusted_from_now_on_says_how_the_browser_came(opened):
    client = opened()
    https = {"x-forwarded-proto": "https"}
    assert "Secure" not in sign_in(client, **https).headers["set-cookie"]
    client.relay.use(Settings.from_env(client.env | {"RELAY_TRUSTED_PROXIES": "203.0.113.0/24"}))
    assert "Secure" in sign_in(client, **https).headers["set-cookie"]


def test_scripts_say_the_password_each_time_and_no_box_opens_over_a_page(opened):
    client = opened(HASH)
    assert client.get("/dashboard/data", auth=("any", PASSWORD)).status_code == 200
    asked = client.get("/dashboard/data")
    assert asked.status_code == 401 and "Basic" in asked.headers["www-authenticate"]
    patched = client.get("/dashboard", headers=BROWSER | {"x-patch": "1", "sec-fetch-mode": "cors"})
    assert patched.status_code == 401 and "www-authenticate" not in patched.headers


def test_a_link_from_elsewhere_is_asked_once_more_from_within(opened):
    page = opened().get("/dashboard/sign-in?to=/dashboard/dead", headers=BROWSER | {"sec-fetch-site": "cross-site"})
    assert 'http-equiv="refresh" content="0; url=/dashboard/dead"' in page.text


def test_a_hash_that_is_none_is_a_wrong_setting():
    settings = Settings.from_env(
        {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_ADMIN_PASSWORD": "$argon2id$nonsense"}
    )
    with pytest.raises(SettingsError, match="RELAY_ADMIN_PASSWORD"):
        access_of(lambda: settings)


def test_changes_by_hand_are_listed_the_newest_first(opened):
    client = opened()
    sign_in(client)
    page = client.get("/dashboard/changes", headers=BROWSER)
    assert "somebody signed in" in page.text
    audit = Audit(client.settings.outbox)
    audit.note(Change(time.time(), "command line", "erase", 3, "<b>what</b>"))
    text = client.get("/dashboard/changes", headers=BROWSER).text
    assert text.index("command line") < text.index("somebody signed in") and "<b>" not in text.partition("<main")[2]


def test_the_list_of_changes_stays_small_and_survives_a_line_cut_short(tmp_path):
    audit = Audit(f"sqlite:///{tmp_path}/outbox.db")
    for n in range(1_200):
        audit.note(Change(float(n), "dashboard", "replay", n, "x" * 1_000))
    file = tmp_path / "outbox.db-changes"
    assert file.stat().st_size <= MOST_BYTES + 2_000 and file.stat().st_mode & 0o077 == 0
    assert [change.count for change in audit.newest(2)] == [1_199, 1_198]
    file.write_bytes(file.read_bytes() + b'{"at":1')
    assert audit.newest(1)[0].count == 1_199
    assert Audit("sqs://sqs.eu-west-1.amazonaws.com/1/q").newest(5) == []
