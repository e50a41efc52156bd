"""The example's task, run by Celery in this process."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "celery_tasks"
FULL_TWICE = """
import tasks
from conversion_relay import OutboxUnavailable

answers = [OutboxUnavailable("the disk is full"), OutboxUnavailable("the disk is full"), None]

def track(event):
    if answer := answers.pop(0):
        raise answer
    print(event.event_id)

tasks.relay.track = track
tasks.tell_of_purchase.apply(("7", "jane@shop.example", 9.5))
"""


def test_an_order_for_which_nothing_could_be_stored_is_told_again(tmp_path):
    settings = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    env = {**os.environ, **settings, "BROKER_FOLDER": str(tmp_path), "PYTHONPATH": str(EXAMPLE)}
    done = subprocess.run([sys.executable, "-c", FULL_TWICE], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["purchase_7"], done.stderr
