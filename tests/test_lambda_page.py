"""docs/from-lambda.md: what a site of the first order calls still works, with its events kept."""

import os
import subprocess
import sys

from tests.processes import installation
from tests.test_documents import ROOT, blocks


def test_the_first_orders_calls_keep_their_events(tmp_path):
    (python,) = blocks("docs/from-lambda.md", "python")
    with installation(tmp_path) as here:
        command, env = [sys.executable, "-c", python], os.environ | here.env
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[1] == "{'success': True, 'event_id': 'purchase_abc123'}"
        assert here.books()["accepted"] == 2
