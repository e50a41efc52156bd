"""The page of datasets: which are shown, how each is doing, its token and keys, and who delivers."""

import re
import time

import msgspec

from conversion_relay.collector.door import KEY_USED
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.delivery.sign_of_life import SignsOfLife
from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from conversion_relay.http_client import Response
from conversion_relay.outbox import SignOfLife
from conversion_relay.outbox.story import AtWork
from conversion_relay.telemetry import Secret, counter
from tests.dashboard.here import Here
from tests.processes import until


def test_a_dataset_tells_of_its_token_and_of_each_key_when_it_was_used_last(tmp_path):
    now = time.time()
    meta = Server(create_app(), "127.0.0.1", 0)
    meta.start()
    try:
        settings = {
            "META_GRAPH_URL": f"http://127.0.0.1:{meta.port}",
            "RELAY_API_KEYS": "key-canary-one,key-canary-two",
        }
        here = Here(tmp_path, now, **settings)
        used = counter(KEY_USED, dataset="1", key="2")
        here.counters.latest(used, now - 180)
        here.counters.latest(used, now - 500)
        until(lambda: "valid, does not end" in here.page("/dashboard/datasets"))
        page = here.page("/dashboard/datasets")
        here.relay.close()
    finally:
        meta.stop()
    assert "key 1: <small>not used since this server began" in page
    assert "key 2: <small>used 3 min ago" in page and "canary" not in page


def test_of_many_datasets_those_that_are_asked_for_are_shown(tmp_path):
    table = '[[dataset]]\nMETA_PIXEL_ID = "{0}"\nMETA_ACCESS_TOKEN = "t"\nRELAY_ALLOWED_ORIGINS = ["https://s{0}.example"]\n'
    names = [str(number) for number in range(700, 712)]
    (tmp_path / "relay.toml").write_text("\n".join(table.format(name) for name in names))
    now = time.time()
    here = Here(tmp_path, now, META_PIXEL_ID="", META_ACCESS_TOKEN="", RELAY_CONFIG=f"{tmp_path}/relay.toml")
    parked = AtWork(why="unauthorized", parked_until=now + 60, error_share=0.0, clock_skew_seconds=0.0, in_flight=0)
    here.outbox.note_worker(SignOfLife(worker="w-1-a", at=now, datasets={"703": parked}))

    def shown(query: str) -> list[str]:
        page = here.page(f"/dashboard/datasets{query}")
        assert 'role="search"' in page
        return sorted(re.findall(r'<tr data-key="(\d+)"', page))

    try:
        assert shown("") == names
        assert shown("?q=71") == ["710", "711"] and shown("?q=HTTPS://S705.") == ["705"] and shown("?q=%3Cb%3E") == []
        assert shown("?state=held") == ["703"] and shown("?state=delivered&q=703") == []
        assert shown("?state=other") == names
    finally:
        here.relay.close()


def test_each_worker_is_told_once_and_what_this_process_knows_is_told_as_its_own(tmp_path):
    """Whatever order their signs come in: a fleet's page blamed another machine for what happened here."""
    now, pace = time.time(), PaceNow(parked_seconds=60, why="unauthorized", in_flight=0, most_in_flight=4)
    here = Here(tmp_path, now, paces={"1": pace})
    own = SignsOfLife(here.outbox, dict, lambda: now - 5)
    own()
    open_ = AtWork(why=None, parked_until=0.0, error_share=0.0, clock_skew_seconds=0.0, in_flight=0)
    here.outbox.note_worker(SignOfLife(worker="other-1-a", at=now, datasets={"1": open_}))
    try:
        page = here.page("/dashboard/datasets")
    finally:
        own.stop()
        here.relay.close()
    (mine,) = re.findall(r"<li>([^:]*): last sign", page.replace("<li>other-1-a: last sign", ""))
    assert page.count("last sign") == 2 and f"so says {mine} alone" in page


class OneGoodToken:
    """Meta, asked about tokens."""

    def get(self, _: str, headers: dict[str, str], __: float) -> Response:
        is_valid = b"true" if headers["Authorization"] == "Bearer renewed" else b"false"
        return Response(200, {}, b'{"data":{"is_valid":%s}}' % is_valid)


def test_after_a_renewal_the_page_tells_of_the_new_token(here, monkeypatch):
    monkeypatch.setattr("conversion_relay.delivery.dataset_quality.HttpClient", OneGoodToken)
    here = Here(here.folder, here.now)
    until(lambda: "not valid: set a new one" in here.page("/dashboard/datasets"))
    (dataset,) = here.relay.settings.datasets
    renewed = msgspec.structs.replace(dataset, access_token=Secret("renewed"))
    here.relay.use(msgspec.structs.replace(here.relay.settings, datasets=(renewed,)))
    until(lambda: "valid, does not end" in here.page("/dashboard/datasets"))
    here.relay.close()
