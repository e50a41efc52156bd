"""Events of crawlers: counted and sent, or dropped, as the dataset says; people and backends are left alone."""

import re

import pytest

from conversion_relay.collector import bots
from tests.cli.test_verbs import lead
from tests.processes import DATASET, call, installation, until

GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
PERSON = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"
PAGE = {"Origin": "https://shop.example"}


def test_a_crawlers_event_is_counted_and_dropped_only_where_the_dataset_says_so(tmp_path):
    with installation(tmp_path) as here:
        other = "222222222222222"
        (tmp_path / "relay.toml").write_text(
            f'[[dataset]]\nMETA_PIXEL_ID = "{DATASET}"\nMETA_ACCESS_TOKEN = "a"\nRELAY_ALLOWED_ORIGINS = "https://shop.example"\n'
            f'RELAY_API_KEYS = "key"\n[[dataset]]\nMETA_PIXEL_ID = "{other}"\nMETA_ACCESS_TOKEN = "b"\n'
            'RELAY_ALLOWED_ORIGINS = "https://strict.example"\nRELAY_BOTS = "drop"\n'
        )
        here.env = {"RELAY_CONFIG": str(tmp_path / "relay.toml")} | {
            name: here.env[name] for name in ("META_GRAPH_URL", "RELAY_OUTBOX", "RELAY_BALLAST")
        }
        here.start()

        def post(event_id: str, agent: str, **headers: str) -> tuple[int, dict]:
            return call("POST", f"{here.url}/events", lead(event_id), **{"User-Agent": agent, **headers})

        assert post("bot", GOOGLE, **PAGE)[0] == 202 and post("person", PERSON, **PAGE)[0] == 202
        assert post("backend", GOOGLE, Authorization="Bearer key")[0] == 202
        status, answer = post("bot-2", GOOGLE, Origin="https://strict.example")
        assert (status, answer["refused"][0]["reason"]) == (422, "bot")
        assert post("person-2", PERSON, Origin="https://strict.example")[0] == 202
        metrics = call("GET", f"{here.url}/metrics")[1]
        assert f'relay_bot_events_total{{dataset="{DATASET}",policy="mark"}} 1.0' in metrics
        assert f'relay_bot_events_total{{dataset="{other}",policy="drop"}} 1.0' in metrics
        page = call("GET", f"{here.url}/dashboard/datasets")[1]
        assert "marked" in page and "dropped" in page and "1 since this server began" in page
        ids = {"bot", "person", "backend", "person-2"}
        until(lambda: {row["event"]["event_id"] for row in here.arrived()} == ids)


@pytest.mark.parametrize("agent", ["x" * 60_000, "a-" * 30_000, "crawl" * 12_000, "(" * 60_000, "Mozilla/5.0 " * 5_000])
def test_a_text_made_to_be_slow_is_cut_to_what_a_browser_has(agent):
    """A word of 512 letters takes the list's patterns 50 ms, and eight times as many take 64 times as long."""
    looked_at = bots.shortened(agent)
    assert len(looked_at) <= 300 and all(len(word) <= 40 for word in re.split(r"[\s;()/,]", looked_at))
    assert bots.is_bot(agent) in (True, False)
