"""The relay behind `/m/` of the site itself: the files of docs/proxies.md under the real nginx and the real Caddy."""

import contextlib
import json
import re
import subprocess
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import apsw
import pytest

from tests.failures.conditions import need_command
from tests.failures.test_proxies import PAGE
from tests.processes import call, free_port, installation, until

FBP = "fb.1.1596403881668.1116446470"
LEAD = {"event_name": "Lead", "event_id": "lead-1", "user_data": {"email": "a@example.org"}}


def documented(kind: str) -> str:
    _, block = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return block


@contextlib.contextmanager
def nginx(folder: Path, port: int, site: int, relay: int):
    need_command("nginx")
    text = documented("nginx").replace("listen 80;", f"listen 127.0.0.1:{port};")
    text = text.replace(":8000", f":{relay}").replace(":3000", f":{site}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx-error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}}}\n"
    )
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def caddy(folder: Path, port: int, site: int, relay: int):
    need_command("caddy")
    text = documented("caddy").replace("www.shop.example {", f"http://:{port} {{\n\tbind 127.0.0.1", 1)
    config = folder / "Caddyfile"
    config.write_text("{\n\tadmin off\n}\n" + text.replace(":8000", f":{relay}").replace(":3000", f":{site}"))
    command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
    with (folder / "caddy.log").open("wb") as log:
        environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Shop(BaseHTTPRequestHandler):
    """The site behind the proxy."""

    cookies: ClassVar[list[str | None]] = []
    passwords: ClassVar[list[str | None]] = []
    """Of the requests so far, as `cookies`."""

    def do_GET(self) -> None:
        body = b"the shop"
        self.cookies.append(self.headers["Cookie"])
        self.passwords.append(self.headers["Authorization"])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def post(url: str, body: object, **headers: str) -> tuple[int, list[str]]:
    """(status, cookies)"""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, json.dumps(body).encode(), named)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers.get_all("set-cookie") or []
    except urllib.error.HTTPError as error:
        return error.code, []


def kept(here, event_id: str) -> dict:
    db = apsw.Connection(str(here.database), flags=apsw.SQLITE_OPEN_READONLY)
    ((body,),) = db.execute("SELECT body FROM body JOIN event USING (key) WHERE event_id = ?", (event_id,)).fetchall()
    db.close()
    return json.loads(body)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_the_script_and_its_endpoints_are_of_the_site_itself_and_nothing_else_of_the_relay_is(proxy, tmp_path, site):
    with installation(tmp_path) as here:
        here.env |= {"RELAY_TRUSTED_PROXIES": "127.0.0.1/32", "RELAY_SET_COOKIES": "true"}
        here.env |= {"RELAY_ALLOWED_ORIGINS": "https://www.shop.example"}
        here.start("--no-worker")
        port = free_port()
        with proxy(tmp_path, port, site, here.port) as process:
            url = f"http://127.0.0.1:{port}"
            until(lambda: process.poll() is not None or call("GET", f"{url}/")[0] == 200)
            page = {"Host": "www.shop.example", "Origin": "https://www.shop.example", "User_Agent": "Mozilla/5.0"}
            assert call("GET", f"{url}/courses", **page)[1] == "the shop"
            script = call("GET", f"{url}/m/meta-tracking.min.js?v=1", **page)
            assert script[0] == 200 and "MetaTracking" in script[1]

            told = {"X_Forwarded_For": "203.0.113.9", "Cookie": f"session=secret; _fbp={FBP}"}
            status, cookies = post(
                f"{url}/m/events", LEAD | {"event_source_url": "https://www.shop.example/"}, **page, **told
            )
            assert status == 202
            assert [cookie.split("; ")[:2] for cookie in cookies] == [[f"_fbp={FBP}", "Domain=shop.example"]]
            assert kept(here, "lead-1")["user_data"]["fbp"] == FBP
            assert "client_ip_address" not in kept(here, "lead-1")["user_data"], "what a visitor claims is not believed"
            assert call("POST", f"{url}/m/visitors", {"key": "1001"}, **page)[0] == 202
            assert call("POST", f"{url}/m/withdraw", {"event_ids": ["lead-1"]}, **page)[0] == 202
            seen = {"content_data": {"content_name": "Kintsugi"}}
            assert call("POST", f"{url}/m/view-content", seen, **page)[0] == 200
            for path in ("/m/dashboard", "/m/metrics", "/m/readyz", "/m/", "/m/events/x"):
                assert call("GET", url + path, **page)[0] == 404
            assert call("POST", f"{url}/m/events", b" " * 300_000, **page)[0] in (413, 502)


@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_of_the_sites_cookies_only_metas_two_reach_the_relay_and_no_password(proxy, tmp_path, site):
    port = free_port()
    with proxy(tmp_path, port, site, relay=site) as process:
        url = f"http://127.0.0.1:{port}"
        until(lambda: process.poll() is not None or call("GET", f"{url}/")[0] == 200)
        told = {"Host": "www.shop.example", "Cookie": f"session=secret; _fbp={FBP}; cart=9"}
        told["Authorization"] = "Basic dTpw"
        assert call("POST", f"{url}/m/events", {}, **told)[0] == 200
        assert (Shop.cookies[-1], Shop.passwords[-1]) == (f"_fbp={FBP}; _fbc=", None)
        assert call("GET", f"{url}/courses", **told)[0] == 200
        site_got = Shop.cookies[-1], Shop.passwords[-1]
        assert site_got == (told["Cookie"], told["Authorization"]), "the site itself gets all"
