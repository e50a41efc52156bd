"""docs/library.md: its snippets, one after the other in one program."""

import os
import subprocess
import sys

from tests.processes import Installation, until
from tests.test_documents import ROOT, blocks


def test_the_pages_program_runs_and_what_it_tracked_arrives(tmp_path):
    here = Installation(tmp_path)
    try:
        program = "\n".join(blocks("docs/library.md", "python"))
        env = os.environ | {"PYTHONPATH": str(ROOT)} | here.env
        program += '\nlogging.getLogger("conversion_relay").error("Told", extra={"reason": "dns", "count": 1})\n'
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "ERROR Told dns\n" in done.stderr, done.stderr
        here.command("deliver", "--once")
        expected = {"purchase_1001", *(f"lead-{n}" for n in range(1, 6))}
        until(lambda: {one["event"]["event_id"] for one in here.arrived()} == expected)
    finally:
        here.end()
