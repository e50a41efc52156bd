"""A person in forty disguises through every door: nothing of them in file, log, metric, page, or at Meta's stand-in."""

import hashlib
import json
import time

import pytest

from conversion_relay import Event, Relay, RequestFacts, Settings, UserData
from tests import canary
from tests.payments.signing import stripe_header
from tests.processes import Process, call, free_pair, installation, until

pytestmark = pytest.mark.xdist_group("the canary")
PAGE = {"Origin": "https://shop.example", "User_Agent": "Mozilla/5.0 (canary.zz@example.org)"}
SEALED = hashlib.sha256(b"canary.zz@example.org").hexdigest()


def everywhere(folder, url: str, meta: str) -> dict[str, bytes]:
    """All that is kept and shown, by where."""
    kept = {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and "registrations" not in path.name
    }
    shown = {
        path: json.dumps(call("GET", url + path)[1], ensure_ascii=False).encode()
        for path in ("/metrics", "/dashboard", "/dashboard/data", "/dashboard/event?id=lead", "/openapi.json")
    }
    sent = {
        path: json.dumps(call("GET", meta + path)[1], ensure_ascii=False).encode()
        for path in ("/_emulator/events", "/_emulator/requests")
    }
    return kept | shown | sent


def test_nothing_of_a_person_passes_the_collector_the_command_line_or_a_program(tmp_path):
    answers: list[object] = []
    many = range(len(canary.DISGUISES))
    with installation(tmp_path) as here:
        here.start()
        for number in many:
            text = canary.DISGUISES[number]
            answers.append(here.post(canary.event(number))[1])
            answers.append(call("POST", f"{here.url}/events", canary.event(number + 100, "Contact"), **PAGE)[1])
            answers.append(
                call("POST", f"{here.url}/events", {"data": [], "pixel": [["Lead", text], [text, "a"]]}, **PAGE)[1]
            )
            visit = {
                "key": f"order-{number}",
                "event_source_url": f"https://shop.example/{text}",
                "client_user_agent": text,
            }
            answers.append(call("POST", f"{here.url}/visitors", visit, **PAGE)[1])
            assert call("POST", f"{here.url}/visitors", {"key": text}, **PAGE)[0] == 400
            answers.append(call("POST", f"{here.url}/withdraw", {"event_ids": [f"lead_{text}_{number}"]}, **PAGE)[1])
        lines = "\n".join(json.dumps(canary.event(number + 200)) for number in many).encode()
        done = here.command("send", "-", stdin=lines)
        answers.append((done.stdout + done.stderr).decode())
        with Relay(Settings.from_env(here.env)) as relay:
            for number in many:
                given = canary.event(number + 300)
                event = Event(**given | {"user_data": UserData(**given["user_data"])})
                tracked = relay.track(event, RequestFacts(referrer=canary.DISGUISES[number]))
                assert "custom_data.content_name" in " ".join(tracked.dropped)
                answers.append(repr(tracked))
                relay.remember(canary.DISGUISES[number], RequestFacts(url="https://shop.example/"))
        found = json.dumps(canary.event(1)) + "\n"
        answers.append(here.command("validate", "-", stdin=found.encode()).stdout.decode())
        book = until(here.settled, 60)
        # A withdrawn event that still waits never reaches Meta: only those that nobody withdrew must arrive.
        assert book["accepted"] == 4 * len(many) and book["imbalance"] == 0
        assert len(here.arrived()) == book["delivered"] >= 3 * len(many)
        assert {row["event"]["user_data"]["em"][0] for row in here.arrived()} == {SEALED}
        seen = everywhere(tmp_path, here.url, here.meta)
        assert 'relay_personal_data_removed_total{kind="phone",member="custom_data"}' in seen[
            "/metrics"
        ].decode().replace('\\"', '"')
        assert here.stop() == 0
        seen |= everywhere(tmp_path, here.url, here.meta)
        assert SEALED not in here.logs(), "a digest is shortened in the log"
    seen["the answers"] = json.dumps(answers, ensure_ascii=False).encode()
    assert [(where, trace) for where, content in seen.items() for trace in canary.traces_in(content)] == []


def test_nothing_of_a_person_passes_the_course_site_or_a_payment(tmp_path):
    port = free_pair()
    environ = {
        "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db",
        "META_ACCESS_TOKEN": "EAAcanary",
        "STRIPE_WEBHOOK_SECRET": "whsec_canary",
    }
    demo = Process("demo", "--port", str(port), log=tmp_path / "demo.log", env=environ, cwd=tmp_path)
    url, meta = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
    try:
        until(lambda: call("GET", f"{url}/readyz")[0] == 200)
        for number, text in enumerate(canary.DISGUISES):
            person = {"name": "Canariazz Personszz", "email": "canary.zz@example.org", "phone": "+1 650 555 0199"}
            more = {"course_id": "watercolour", "note": text, "event_source_url": f"https://shop.example/{text}"}
            call("POST", f"{url}/register", person | more)
            form = {"name": person["name"], "email": person["email"], "message": text, "mobile": "+1 650 555 0199"}
            call("POST", f"{url}/contact", form | {"event_id": f"contact_{text}_{number}"})
            page = {
                "content_data": {"content_name": text, "content_category": text},
                "user_data": {"email": person["email"]},
            }
            call(
                "POST",
                f"{url}/view-content",
                page | {"event_source_url": f"https://shop.example/{text}", "event_id": text},
            )
            session = {
                "id": f"cs_{number}", "object": "checkout.session", "payment_status": "paid", "amount_total": 1200,
                "currency": "eur", "client_reference_id": text, "metadata": {"note": text, **canary.MEMBERS},
                "customer_details": {"email": person["email"], "phone": "+16505550199", "name": person["name"]},
            }  # fmt: skip
            body = json.dumps(
                {"id": f"evt_{number}", "type": "checkout.session.completed", "data": {"object": session}}
            ).encode()
            call(
                "POST",
                f"{url}/payment-webhook",
                body,
                Stripe_Signature=stripe_header(body, "whsec_canary", int(time.time())),
            )
        until(lambda: len(call("GET", f"{meta}/_emulator/events")[1]["events"]) > 40)
        seen = everywhere(tmp_path, url, meta)
    finally:
        demo.stop()
        demo.end()
    seen |= {"demo.log": (tmp_path / "demo.log").read_bytes()}
    assert [(where, trace) for where, content in seen.items() for trace in canary.traces_in(content)] == []
