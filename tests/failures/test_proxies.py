"""The configurations of docs/proxies.md under the real nginx and the real Caddy, in front of a running relay."""

import contextlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.failures.conditions import need_command
from tests.processes import API_KEY, call, free_port, installation, until

PAGE = Path(__file__).parents[2] / "docs" / "proxies.md"


def documented(kind: str) -> str:
    """The file for a relay with a name of its own; the other one, for a path of the site: test_own_path.py."""
    block, _ = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return block


@contextlib.contextmanager
def nginx(folder: Path, relay: int):
    need_command("nginx")
    port = free_port()
    server = documented("nginx").replace("listen 80;", f"listen 127.0.0.1:{port};").replace(":8000;", f":{relay};")
    server = server.replace("/var/log/nginx/", f"{folder}/")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx-error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}}}\n"
    )
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def caddy(folder: Path, relay: int):
    need_command("caddy")
    port = free_port()
    text = documented("caddy").replace("relay.example {", f"http://127.0.0.1:{port} {{").replace(":8000", f":{relay}")
    config = folder / "Caddyfile"
    config.write_text(text.replace("{\n", "{\n\tadmin off\n", 1))
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(
            ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"],
            stdout=log,
            stderr=log,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        )
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_behind_the_documented_proxy_visitors_are_told_apart_and_the_dashboard_is_not_open(proxy, tmp_path):
    with installation(tmp_path) as here:
        here.env["RELAY_TRUSTED_PROXIES"] = "127.0.0.1/32"
        here.start("--no-worker")
        with proxy(tmp_path, here.port) as (process, port):
            url = f"http://127.0.0.1:{port}"
            until(lambda: process.poll() is not None or call("GET", f"{url}/livez")[0] == 200)
            key = {"Authorization": f"Bearer {API_KEY}"}
            event = {"event_name": "Lead", "user_data": {"email": "a@example.org", "client_user_agent": "Mozilla/5.0"}}
            assert call("POST", f"{url}/events", [event] * 2, **key)[0] == 202
            assert call("POST", f"{url}/events", [event] * 900, **key)[0] == 202, "what a backend may send gets through"
            for path in ("/dashboard", "/dashboard/data", "/metrics", "/metrics/", "/dashboard/static/dashboard.js"):
                assert call("GET", url + path)[0] == 404
            assert call("POST", f"{url}/events", b" " * 5_000_000, **key)[0] in (413, 502)
            assert call("GET", f"{url}/livez", X_Padding="x" * 100_000)[0] in (0, 400, 431, 494)
            claimed = {"Origin": "https://shop.example", "X_Forwarded_For": "203.0.113.9"}
            assert call("POST", f"{url}/events", event, **claimed)[0] == 202
            assert here.is_ready()


@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_the_documented_proxys_logs_hold_no_visitor_also_while_the_relay_is_away(proxy, tmp_path):
    with proxy(tmp_path, free_port()) as (process, port):
        url = f"http://127.0.0.1:{port}/events?email=canary%40example.org"
        page = "https://shop.example/thanks?email=canary%40example.org"
        told = {"Referer": page, "User_Agent": "Mozilla/5.0 (canary)", "Cookie": "_fbp=fb.1.1596403881668.canary"}
        until(lambda: process.poll() is not None or call("POST", url, {}, **told)[0] == 502)
        assert call("POST", url, {}, **told)[0] == 502
    logs = "".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert "canary" not in logs
    assert proxy is nginx or "connection refused" in logs


BARE_NGINX = """daemon off; {process} pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}
http {{ access_log off; {temporary}
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{relay}; {more} }} }} }}"""


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("more", "process"),
    [
        # What nginx does by itself up to 1.29.6.
        ("proxy_http_version 1.0;", "master_process off;"),
        ("proxy_set_header X-Real-IP $remote_addr;", "master_process off;"),
        (
            "proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Forwarded for=$remote_addr;",
            "master_process off;",
        ),
        # And from 1.29.7 on. Its user tells it from the operator's programs.
        ('proxy_http_version 1.1; proxy_set_header Connection "";', "user nobody nogroup;"),
    ],
)
def test_a_proxy_that_says_little_does_not_open_the_dashboard(more, process, tmp_path):
    need_command("nginx")
    if "user" in process and os.geteuid() != 0:
        pytest.skip("only root starts a proxy of another user")
    with installation(tmp_path) as here:
        here.start("--no-worker")
        port = free_port()
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in kinds)
        config = tmp_path / "nginx.conf"
        where = {"folder": tmp_path, "temporary": temporary, "port": port, "relay": here.port}
        config.write_text(BARE_NGINX.format(**where, more=more, process=process))
        running = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            until(lambda: call("GET", f"http://127.0.0.1:{port}/livez")[0] == 200)
            for path in ("/dashboard", "/dashboard/data", "/metrics"):
                assert call("GET", f"http://127.0.0.1:{port}{path}")[0] == 403
                assert call("GET", f"{here.url}{path}")[0] == 200
        finally:
            running.terminate()  # ends those that it has started, too
            running.wait()
