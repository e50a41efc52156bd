"""One installation whose pages are asked without a browser."""

import json
from typing import Any
from urllib.parse import urlencode

from litestar import Litestar
from litestar.testing import TestClient

from conversion_relay.dashboard.routes import dashboard_routes
from conversion_relay.event import SealedEvent
from conversion_relay.outbox import Attempt
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings
from conversion_relay.telemetry import Counters

REFUSED = Attempt(
    at=1.0,
    outcome="refused",
    code=100,
    subcode=2804009,
    title="Missing Value",
    sentence="Enter a value.",
    field="custom_data.value",
)


class Here:
    def __init__(self, folder, now: float, paces: Any = (), **settings: str) -> None:
        env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "token", "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db"}
        env["RELAY_ADMIN_PASSWORD"] = "a-password"
        self.folder, self.now, self.relay, self.counters = (
            folder,
            now,
            Relay(Settings.from_env(env | settings)),
            Counters(),
        )
        self.outbox = self.relay.outbox
        routes = dashboard_routes(self.relay, lambda: dict(paces), counters=lambda: self.counters)
        app = Litestar(routes, openapi_config=None)
        self.client = TestClient(app, base_url="http://127.0.0.1:8000")
        self.client.auth = ("", "a-password")

    def put(self, *ids: str, name: str = "Purchase", dataset: str = "1", ago: float = 0.0) -> None:
        body = {
            "user_data": {"em": ["a" * 64], "client_ip_address": "8.8.4.4"},
            "custom_data": {"value": 10, "currency": "EUR"},
        }
        self.outbox.put(
            [
                SealedEvent(
                    dataset=dataset, event_name=name, event_id=i, event_time=int(self.now - ago),
                    expires_at=int(self.now) + 500_000, body=json.dumps(body).encode(),
                )
                for i in ids
            ],
            self.now - ago,
        )  # fmt: skip

    def settle(self, verdict, attempt=None, dataset: str = "1") -> None:
        lease = self.outbox.claim(dataset, 1_000, 60, self.now)
        self.outbox.settle(lease, [(verdict, lease.events)], attempt, self.now)

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def change(self, **form: str) -> int:
        token = self.page("/dashboard/dead").partition('name="token" value="')[2].partition('"')[0]
        body = urlencode({"token": token, "back": "/dashboard/dead"} | form)
        return self.client.post("/dashboard/change", content=body, follow_redirects=False).status_code
