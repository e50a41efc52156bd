"""docs/alerts.yml: every rule is about a metric that /metrics shows, says how bad it is and what to do."""

import re
from pathlib import Path

import yaml

from tests.cli.test_verbs import lead
from tests.processes import call, installation, until

RULES = [
    rule
    for group in yaml.safe_load((Path(__file__).parents[1] / "docs" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def test_every_rule_says_how_bad_it_is_and_what_to_do():
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 10
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"] and rule["annotations"]["action"]


def test_every_metric_of_a_rule_is_shown(tmp_path):
    with installation(tmp_path) as here:
        here.misbehave(mode="poison", event_id_contains="bad")
        here.start()
        purchase = {"custom_data": {"value": 1, "currency": "EUR"}}
        here.post([lead("bad"), lead("good"), lead("p", event_name="Purchase", **purchase)])
        until(lambda: here.books()["delivered"] == 2 and here.books()["dead"] == 1)
        here.misbehave(mode="down")
        here.post(lead("waits"))
        wanted = {name for rule in RULES for name in re.findall(r"relay_[a-z0-9_]+", rule["expr"])}
        wanted |= {"relay_send_total", "relay_send_duration_seconds_bucket", "relay_db_bytes", "relay_wal_bytes"}
        # relay_needs has a row where something is needed, and an event in a worker's hands has no age.
        until(lambda: not wanted - shown(here), seconds=20)
        text = call("GET", f"{here.url}/metrics")[1]
        assert 'relay_delivery_delay_seconds{event="Purchase",quantile="0.5"}' in text


def shown(here) -> set[str]:
    return set(re.findall(r"^(relay_[a-z0-9_]+)[ {]", call("GET", f"{here.url}/metrics")[1], re.MULTILINE))
