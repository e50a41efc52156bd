"""What the stand-in shows of what arrived: counted once, pointed out, and the quality of a dataset."""

import time
from urllib.parse import urlencode

import pytest

from conversion_relay.emulator import store
from tests.emulator.requests import DATASET, TOKEN, arrived, event, send
from tests.processes import call


def test_server_and_browser_with_one_id_are_counted_once(meta):
    pixel = urlencode({"id": DATASET, "ev": "Lead", "eid": "e1", "dl": "https://shop.example/"})
    assert call("GET", f"{meta}/tr?{pixel}")[0] == 200
    send(meta, [event(), event(event_id="e2"), event(event_name="Contact")])
    rows = arrived(meta)
    assert [(r["source"], r["event"]["event_name"], r["event"]["event_id"], r["duplicate"]) for r in rows] == [
        ("browser", "Lead", "e1", False),
        ("server", "Lead", "e1", True),
        ("server", "Lead", "e2", False),
        ("server", "Contact", "e1", False),
    ]
    assert call("GET", f"{meta}/_emulator/state")[1]["unique"] == 3


def test_plain_contact_data_is_refused_and_nothing_of_it_is_kept_or_shown(meta):
    status, answer = send(meta, [event(user_data={"em": "joe@example.com"})])
    assert (status, answer["error"]["error_subcode"]) == (400, 2804016)
    shown = [call("GET", f"{meta}/_emulator/{path}")[1] for path in ("events", "requests", "state")]
    assert "joe@example.com" not in repr([answer, shown])


APP = {
    "action_source": "app",
    "app_data": {"advertiser_tracking_enabled": True, "extinfo": ["i2", "", "", "", "17", *[""] * 11]},
}
DIAGNOSED = [
    ({"user_data": {"ph": "A" * 64}}, "ph is not a SHA-256 digest in small letters"),
    ({"custom_data": {"contents": [{"id": "a1"}]}}, "contents without quantity"),
    ({"custom_data": {"contents": [{"id": "a1", "quantity": 1, "delivery_category": "drone"}]}}, "delivery_category"),
    ({"custom_data": {"delivery_category": "In Store"}}, "delivery_category"),
    (APP, "tracking_enabled is true or false"),
    ({"user_data": {"em": ["0" * 64], "client_ip_address": "10.0.0.1"}}, "private address"),
    ({"user_data": {"em": ["0" * 64], "fbc": "fb.1.1554763741.AbCd"}}, "fbc has seconds"),
    (
        {"user_data": {"em": ["0" * 64], "fbc": "fb.1.1554763741205.abcdefghijklmnopqrstuvwxyz"}},
        "fbc looks lower-cased",
    ),
    ({"event_id": None}, "event_id is missing"),
]


@pytest.mark.parametrize(("odd", "said"), DIAGNOSED, ids=[said for _, said in DIAGNOSED])
def test_what_meta_takes_and_frowns_upon_is_a_diagnostic_and_no_error(meta, odd, said):
    assert send(meta, [event(**odd)])[0] == 200
    assert any(said in line for line in arrived(meta)[0]["diagnostics"])


def test_a_time_a_little_in_the_future_is_taken_and_pointed_out(meta):
    assert send(meta, [event(event_time=int(time.time()) + 300)])[0] == 200
    assert any("lies in the future" in line for line in arrived(meta)[0]["diagnostics"])


def test_without_ids_a_browser_event_and_a_later_server_event_of_one_browser_are_counted_once(meta):
    fbp = "fb.1.1596403881668.1116446470"
    pixel = urlencode({"id": DATASET, "ev": "Lead", "fbp": fbp, "dl": "https://shop.example/"})
    server_side = event(event_id=None, user_data={"fbp": fbp, "client_user_agent": "Mozilla/5.0"})
    call("GET", f"{meta}/tr?{pixel}")
    send(meta, [server_side])
    assert [row["duplicate"] for row in arrived(meta)] == [False, True]
    call("POST", f"{meta}/_emulator/reset")
    send(meta, [server_side])
    call("GET", f"{meta}/tr?{pixel}")
    send(meta, [event(event_name="Contact", event_id=None), event(event_name="Contact", event_id=None)])
    assert [row["duplicate"] for row in arrived(meta)] == [False] * 4, "browser first only; never two of one side"


def test_dataset_quality_is_computed_from_what_arrived(meta):
    send(meta, [event(event_id="a"), event(event_id="b", user_data={"em": ["0" * 64], "fbp": "fb.1.1596403881668.1"})])
    call("GET", f"{meta}/tr?" + urlencode({"id": DATASET, "ev": "Lead", "eid": "a"}))
    status, answer = call("GET", f"{meta}/v27.0/dataset_quality?dataset_id={DATASET}&access_token={TOKEN}")
    (lead,) = answer["web"]
    keys = {
        row["identifier"]: row["coverage"]["percentage"] for row in lead["event_match_quality"]["match_key_feedback"]
    }
    assert status == 200 and lead["event_name"] == "Lead" and 0 <= lead["event_match_quality"]["composite_score"] <= 10
    assert keys == {"email": 100.0, "user_agent": 50.0, "fbp": 50.0}
    dedupe = {
        row["dedupe_key"]: row["server_events_with_dedupe_key"]["percentage"] for row in lead["dedupe_key_feedback"]
    }
    assert dedupe == {"event_id": 100.0, "external_id": 0.0, "fbp": 50.0}


def test_browser_and_server_that_name_different_addresses_are_pointed_out(meta):
    pixel = urlencode({"id": DATASET, "ev": "Lead", "eid": "e1"})
    call("GET", f"{meta}/tr?{pixel}", X_Forwarded_For="8.8.4.4")
    same = {"em": ["0" * 64], "client_ip_address": "8.8.4.4"}
    send(meta, [event(user_data=same)])
    send(meta, [event(user_data=same | {"client_ip_address": "1.1.1.1"})])
    told = [any("different IP addresses" in line for line in row["diagnostics"]) for row in arrived(meta)]
    assert told == [False, False, True]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "http://[::1"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8001"},
        {"Host": "localhost@evil.example"},
        {"Host": "192.0.2.7:8001"},
        {"Host": "0.0.0.0"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["events", "requests", "state", "reset", "misbehave", "page.js"])
def test_the_controls_are_for_this_machines_own_pages(meta, headers, path):
    for method in ("GET", "POST", "OPTIONS"):
        assert call(method, f"{meta}/_emulator/{path}", {} if method == "POST" else None, **headers)[0] == 403
    assert call("GET", f"{meta}/_emulator/state")[0] == 200


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "127.0.0.9"])
def test_a_page_of_this_machine_may_use_them(meta, name):
    assert call("GET", f"{meta}/_emulator/state", Host=f"{name}:1", Origin=f"http://{name}:8000")[0] == 200


def test_the_pixels_limited_data_use_is_shown_as_the_servers_is(meta):
    pixel = {"id": DATASET, "ev": "Lead", "eid": "e1"}
    call("GET", f"{meta}/tr?" + urlencode(pixel | {"dpo": "LDU", "dpoco": "0", "dpost": "0"}))
    call("GET", f"{meta}/tr?" + urlencode(pixel | {"eid": "e2"}))
    names = ("data_processing_options", "data_processing_options_country", "data_processing_options_state")
    shown = [[row["event"].get(name) for name in names] for row in arrived(meta)]
    assert shown == [[["LDU"], 0, 0], [None, None, None]]


def test_the_oldest_go_which_is_told_once_and_the_figures_count_on(monkeypatch, caplog):
    monkeypatch.setattr(store, "MOST_EVENTS", 20)
    monkeypatch.setattr(store, "MOST_IDS", 30)
    kept = store.Store()
    for n in range(100):
        kept.take("1", [one(f"e{n}")], "server", 1_000.0)
    assert 20 <= len(kept.events) <= 22 and kept.events[-1].event["event_id"] == "e99"
    assert (kept.arrived, kept.unique, kept.forgotten) == (100, 100, 100 - len(kept.events))
    assert len([record for record in caplog.records if "forgotten" in record.message]) == 1
    kept.take("1", [one("e75"), one("e5")], "server", 1_000.0)
    assert [arrived.duplicate for arrived in kept.events[-2:]] == [True, False], "an id that is known is known still"
    kept.take("1", [one("e99")], "server", 1_000.0 + store.WINDOW + 1)
    assert not kept.events[-1].duplicate and len(kept._by_id) == 1


def test_requests_are_kept_by_what_they_name(monkeypatch):
    monkeypatch.setattr(store, "MOST_NAMED", 100)
    kept = store.Store()
    for n in range(50):
        kept.note({"at": n, "event_ids": ["e"] * 30})
    assert [request["at"] for request in kept.requests] == [47, 48, 49]
    kept.note({"at": 50, "event_ids": ["e"] * 1_000})
    assert [request["at"] for request in kept.requests] == [50]


def one(event_id):
    return event(event_id=event_id, event_time=1_000)
