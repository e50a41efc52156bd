"""docs/alerts.yml: every rule is about a metric that /metrics shows, says how bad it is and what to do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.test_verbs import lead
from tests.processes import call, installation, until
from tests.test_documents import ROOT, blocks

RULES = [
    rule
    for group in yaml.safe_load((Path(__file__).parents[1] / "docs" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]

CASES = Path(__file__).parent / "alerts.yml"
"""Series of numbers, and at which minute which alert is there: read by `promtool test rules`."""


def test_every_rule_says_how_bad_it_is_and_what_to_do():
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 10
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"] and rule["annotations"]["action"]


@pytest.fixture(scope="module")
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs promtool; tests/system_packages.sh installs it")
        pytest.skip("no promtool on this machine (apt-get install prometheus)")
    return path


def test_prometheus_itself_reads_the_rules_and_each_fires_when_it_should(promtool):
    done = subprocess.run([promtool, "test", "rules", str(CASES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    for rule in RULES:
        cases = [case for case in told if case["alertname"] == rule["alert"]]
        assert any(case["exp_alerts"] for case in cases), f"{rule['alert']} never fires"
        assert any(not case["exp_alerts"] for case in cases), f"{rule['alert']} is never silent"


def test_prometheus_takes_the_configuration_of_the_page(promtool, tmp_path):
    (config,) = (text for text in blocks("docs/operations.md", "yaml") if text.startswith("# prometheus.yml"))
    (tmp_path / "prometheus.yml").write_text(config)
    shutil.copy(ROOT / "docs" / "alerts.yml", tmp_path)
    check = [promtool, "check", "config", "--syntax-only", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


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
        until(lambda: not wanted - shown(here))
        text = call("GET", f"{here.url}/metrics")[1]
        assert 'relay_delivery_delay_seconds{event="Purchase",quantile="0.5"}' in text


def shown(here) -> set[str]:
    return set(re.findall(r"^(relay_[a-z0-9_]+)[ {]", call("GET", f"{here.url}/metrics")[1], re.MULTILINE))
