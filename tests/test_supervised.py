"""What looks after the process: the container's health check, and what an abort leaves behind."""

import json
import re
import subprocess
import sys

from tests.processes import free_port, installation, until
from tests.rooms import ROOT

UNIT = ROOT / "deploy" / "conversion-relay.service"


def test_the_container_looks_at_itself_and_not_through_the_companys_proxy(tmp_path):
    """Docker hands its client's proxy to each container, often without a NO_PROXY for this machine."""
    steps = (ROOT / "deploy" / "Containerfile").read_text()
    _, *look = json.loads(re.findall(r"^HEALTHCHECK .+ CMD (.+)", steps, re.MULTILINE)[0])

    def health(port: int) -> int:
        command = [sys.executable, *(word.replace("8000", str(port)) for word in look)]
        nobody = dict.fromkeys(("http_proxy", "HTTP_PROXY"), f"http://127.0.0.1:{free_port()}")
        return subprocess.run(command, env=nobody, check=False).returncode

    with installation(tmp_path) as here:
        assert health(here.port) == 1, "nobody answers yet"
        here.start()
        assert health(here.port) == 0
        here.database.rename(tmp_path / "away.db")
        until(lambda: health(here.port) == 1)


def test_a_process_that_is_aborted_leaves_no_dump_of_its_memory():
    """The watchdog ends a process by SIGABRT, and systemd-coredump would keep visitors and token for two weeks."""
    assert "LimitCORE=0" in UNIT.read_text().splitlines()
