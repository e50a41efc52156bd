"""Checks the functions of meta_conversions_api.py against Meta's stand-in: `python test_meta_conversions.py`.

Plain Python: prints what it checked, exits 0 when all of it held. Needs no account and no network.
"""

import json
import os
import subprocess
import sys
import traceback
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PYTHON = ROOT / ".venv" / "bin" / "python"


def use_project_python() -> None:
    """From a fresh checkout: set up .venv once, then run under it."""
    try:
        import apsw  # noqa: F401
        import litestar  # noqa: F401
        import msgspec  # noqa: F401
    except ImportError:
        if Path(sys.prefix) == ROOT / ".venv":
            raise
        if (
            not PYTHON.exists()
            or subprocess.run([PYTHON, "-c", "import apsw, litestar, msgspec"], check=False).returncode
        ):
            print("setting up .venv (once) ...", flush=True)
            subprocess.run(["make", "--silent", "-C", str(ROOT), "setup"], check=True)
        os.execv(PYTHON, [str(PYTHON), str(Path(__file__).resolve())])


CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Meta:
    """The stand-in, and what it got."""

    def __init__(self) -> None:
        from conversion_relay.emulator.app import create_app
        from conversion_relay.emulator.server import Server

        self.server = Server(create_app(), "127.0.0.1", 0)
        self.server.start()
        self.url = f"http://127.0.0.1:{self.server.port}"

    def events(self) -> list[dict]:
        with urllib.request.urlopen(f"{self.url}/_emulator/events") as answer:
            return [row["event"] for row in json.load(answer)["events"]]

    def control(self, verb: str, **body: object) -> None:
        request = urllib.request.Request(f"{self.url}/_emulator/{verb}", json.dumps(body).encode(), method="POST")
        urllib.request.urlopen(request).close()


PERSON = {
    "email": " Test@Example.com ",
    "phone": "+1 (650) 555-1212",
    "client_user_agent": "Mozilla/5.0 Test",
}
EMAIL_SHA256 = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"
PHONE_SHA256 = "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"
URL = "https://yoursite.com/register"


@check
def a_registration_arrives_with_its_id_and_hashed_contact_data(capi, meta):
    result = capi.handle_complete_registration(PERSON, URL, registration_id="abc123")
    assert result == {"success": True, "event_id": "registration_abc123"}, result
    (event,) = meta.events()
    assert event["event_name"] == "CompleteRegistration" and event["action_source"] == "website"
    assert event["user_data"]["em"] == [EMAIL_SHA256] and event["user_data"]["ph"] == [PHONE_SHA256]
    assert event["user_data"]["client_user_agent"] == "Mozilla/5.0 Test" and event["event_source_url"] == URL


@check
def a_contact_carries_no_address_in_its_id(capi, meta):
    result = capi.handle_contact(PERSON, URL)
    assert result["success"] and result["event_id"].startswith(f"contact_{EMAIL_SHA256}_"), result


@check
def a_purchase_carries_value_and_currency(capi, meta):
    result = capi.handle_purchase(PERSON, {"value": 299.99, "currency": "usd"}, URL, order_id="abc123")
    assert result == {"success": True, "event_id": "purchase_abc123"}, result
    custom = meta.events()[0]["custom_data"]
    assert custom["value"] == 299.99 and custom["currency"] == "USD", custom


@check
def a_purchase_without_a_value_is_refused_before_it_is_sent(capi, meta):
    result = capi.handle_purchase(PERSON, {"currency": "USD"}, URL, order_id="abc124")
    assert not result["success"] and result["field"] == "custom_data.value", result
    assert meta.events() == []


@check
def a_wrong_argument_is_told_and_does_not_raise(capi, meta):
    itself = {}
    itself["itself"] = itself
    for wrong in (None, [1], "299.99", {("value",): 1}, itself):
        result = capi.handle_purchase(PERSON, wrong, URL, order_id="abc125")
        assert not result["success"] and result["field"], result
    assert not capi.send_conversion_event("Contact", {("email",): "x"}, URL)["success"]
    assert meta.events() == []


@check
def a_viewed_page_gets_an_id_of_its_own(capi, meta):
    content = {"content_name": "Course Landing Page", "content_category": "education"}
    visitor = {"client_user_agent": "Mozilla/5.0 Test", "fbp": "fb.1.1596403881668.1116446470"}
    result = capi.handle_view_content(visitor, URL, content)
    assert result["success"] and result["event_id"][14] == "7", result
    assert meta.events()[0]["custom_data"] == content


@check
def a_user_agent_alone_is_refused_as_meta_would(capi, meta):
    result = capi.handle_view_content({"client_user_agent": "Mozilla/5.0 Test"}, URL)
    assert not result["success"] and result["field"] == "user_data", result


@check
def the_test_console_document_works(capi, meta):
    document = {"event_type": "CompleteRegistration", "user_data": PERSON, "event_source_url": URL}
    assert capi.lambda_handler(document, None)["success"]
    assert capi.lambda_handler({"event_type": "Nonsense"}, None)["field"] == "event_type"
    misspelt = capi.lambda_handler({**document, "user_data": {"emial": "x"}}, None)
    assert misspelt["field"] == "user_data" and "emial" in misspelt["error"], misspelt


@check
def meta_being_down_is_told_and_does_not_raise(capi, meta):
    meta.control("misbehave", mode="http_500")
    result = capi.handle_contact(PERSON, URL)
    assert not result["success"] and "unreachable" in result["error"], result


@check
def missing_settings_are_named(capi, meta):
    token = os.environ.pop("META_ACCESS_TOKEN")
    capi._relay.cache_clear()
    result = capi.handle_contact(PERSON, URL)
    os.environ["META_ACCESS_TOKEN"] = token
    capi._relay.cache_clear()
    assert result["error"] == "Missing required environment variables: META_ACCESS_TOKEN", result


@check
def hash_data_trims_lowers_and_hashes(capi, meta):
    assert capi.hash_data(" Test@Example.com ") == EMAIL_SHA256 and capi.hash_data(None) is None


def main() -> int:
    os.chdir(HERE)
    sys.path.insert(0, str(HERE))
    import meta_conversions_api as capi

    meta = Meta()
    for name in [name for name in os.environ if name.startswith(("RELAY_", "META_"))]:
        del os.environ[name]
    os.environ |= {
        "META_PIXEL_ID": "1232612085335834",
        "META_ACCESS_TOKEN": "test-token",
        "META_GRAPH_URL": meta.url,
    }
    failed = 0
    for function in CHECKS:
        meta.control("reset")
        try:
            function(capi, meta)
            print(f"ok      {function.__name__.replace('_', ' ')}")
        except Exception:
            failed += 1
            print(f"FAILED  {function.__name__.replace('_', ' ')}\n{traceback.format_exc()}")
    meta.server.stop()
    print(f"\n{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    use_project_python()
    sys.exit(main())
