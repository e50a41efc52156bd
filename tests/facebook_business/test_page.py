"""docs/from-facebook-business.md: its code before the switch is the SDK's, after its command it keeps events."""

import os
import subprocess
import sys

import pytest

from tests.processes import Installation
from tests.test_documents import ROOT, blocks

PAGE = "docs/from-facebook-business.md"


@pytest.fixture
def here(tmp_path):
    here = Installation(tmp_path)
    yield here
    here.end()


def test_the_pages_command_is_the_whole_switch(here, tmp_path):
    before, own_relay = blocks(PAGE, "python")
    (sh,) = blocks(PAGE, "sh")
    shop = tmp_path / "shop" / "checkout.py"
    shop.parent.mkdir()
    shop.write_text(before)
    switch = sh.splitlines()[1]
    subprocess.run(["sh", "-c", switch], cwd=shop.parent, check=True)
    assert (
        shop.read_text().count("from conversion_relay.facebook_business") == before.count("from facebook_business") == 7
    )
    outbox = f"sqlite:///{here.database}"
    # Neither a pixel nor a token: the code says both.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("META_", "RELAY_"))}
    env |= {"PYTHONPATH": str(ROOT), "META_GRAPH_URL": here.meta, "RELAY_OUTBOX": outbox, "RELAY_BALLAST": "false"}
    for expected in ("1", "1"):
        done = subprocess.run(
            [sys.executable, str(shop)], env=env, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stdout.strip() == expected, done.stderr
    here.command("deliver", "--once")
    assert [one["event"]["event_id"] for one in here.arrived()] == ["purchase_1001"], "the second run is the same event"
    shop.write_text(own_relay)
    subprocess.run([sys.executable, str(shop)], env=env | here.env, check=True, timeout=60)
