"""What the demo sets where nothing is set, on this machine alone and open to others."""

import re

import pytest

from conversion_relay.cli.demo import _fill_in, _shown
from conversion_relay.settings import Settings
from tests.processes import Process, call, free_pair, until


def filled(tmp_path, host: str, **environ: str) -> tuple[dict[str, str], dict[str, str]]:
    made = _fill_in(environ, host, _shown(host), 8000, tmp_path)
    assert Settings.from_env(environ).datasets[0].api_keys
    return environ, made


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_this_machine_alone_the_key_is_the_readmes(tmp_path, host):
    environ, _ = filled(tmp_path, host)
    assert environ["RELAY_API_KEYS"] == "demo" and "RELAY_ADMIN_PASSWORD" not in environ


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "relay.example"])
def test_open_to_other_machines_key_and_password_are_made(tmp_path, host):
    (environ, made), (other, _) = filled(tmp_path, host), filled(tmp_path, host)
    for name in ("RELAY_API_KEYS", "RELAY_ADMIN_PASSWORD"):
        assert len(environ[name]) >= 16 and environ[name] != other[name] and made[name] == environ[name]
    assert environ["META_GRAPH_URL"] == "http://127.0.0.1:8001", "http is for loopback alone"
    assert (
        "0.0.0.0" not in environ["RELAY_ALLOWED_ORIGINS"]
        and "http://127.0.0.1:8000" in environ["RELAY_ALLOWED_ORIGINS"]
    )


def test_who_sends_to_meta_itself_has_no_key_that_everybody_knows(tmp_path):
    environ, made = filled(tmp_path, "127.0.0.1", META_GRAPH_URL="https://graph.facebook.com", META_ACCESS_TOKEN="x")
    assert environ["RELAY_API_KEYS"] != "demo" and len(environ["RELAY_API_KEYS"]) >= 16
    assert made["RELAY_API_KEYS"] == environ["RELAY_API_KEYS"] and "META_GRAPH_URL" not in made


def test_what_is_set_is_honoured(tmp_path):
    environ, made = filled(tmp_path, "0.0.0.0", RELAY_API_KEYS="mine", RELAY_ADMIN_PASSWORD="my own")
    assert (environ["RELAY_API_KEYS"], environ["RELAY_ADMIN_PASSWORD"]) == ("mine", "my own")
    assert not {"RELAY_API_KEYS", "RELAY_ADMIN_PASSWORD"} & set(made)


@pytest.mark.parametrize("host", ["0.0.0.0", "::1"])
def test_it_starts_on_any_address_and_an_event_gets_through(tmp_path, host):
    port = free_pair()
    demo = Process("demo", "--host", host, "--port", str(port), log=tmp_path / "demo.log", env={})
    url = f"http://127.0.0.1:{port}" if host == "0.0.0.0" else f"http://[::1]:{port}"
    try:
        until(lambda: demo.popen.poll() is not None or call("GET", f"{url}/readyz")[0] == 200)
        text = demo.log.read_text()
        key = found[1] if (found := re.search(r"API key\s+(\S+)", text)) else "demo"
        event = {"event_name": "Lead", "user_data": {"email": "a@example.org", "client_user_agent": "Mozilla/5.0"}}
        assert call("POST", f"{url}/events", event, Authorization=f"Bearer {key}")[0] == 202, text
        controls = f"{url[: -len(str(port))]}{port + 1}/_emulator"
        until(lambda: call("GET", f"{controls}/events")[1]["events"])
        if host == "0.0.0.0":
            assert call("POST", f"{url}/events", event, Authorization="Bearer demo")[0] == 401
            assert call("GET", f"{url}/dashboard")[0] == 401
        assert call("POST", f"{controls}/reset", {}, Origin="https://evil.example")[0] == 403
    finally:
        demo.end()
