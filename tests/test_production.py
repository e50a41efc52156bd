"""docs/production.md: its commands, one after the other, in folders of our own and with Meta's stand-in; deploy/."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests import release
from tests.processes import Installation, call, free_port, until
from tests.test_documents import ROOT, blocks

PAGE = "docs/production.md"
UNIT = ROOT / "deploy" / "conversion-relay.service"
UV = f"{sys.executable} -m uv"


class Machine:
    """Where the page says /opt, /etc and /var/lib, and how its commands are run here."""

    def __init__(self, folder: Path, wheel: Path, port: int, meta: str) -> None:
        self.folder, self.wheel, self.port = folder, wheel, port
        ours = ("META_", "RELAY_", "PYTHONPATH", "PYTHONHOME")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.env |= {"META_GRAPH_URL": meta, "RELAY_BALLAST": "false"}
        (folder / "var").mkdir()

    def here(self, text: str) -> str:
        """pip is uv's here, which has the packages at hand; and the wheel is not the index's but ours."""
        pip = f"{UV} pip install --quiet --reinstall-package conversion-relay --python {self.folder}/opt/bin/python "
        text = text.replace("/opt/conversion-relay/bin/pip install ", pip)
        text = text.replace("'conversion-relay[server,phone]'", f"'{self.wheel}[server,phone]'")
        text = text.replace("python3 -m venv", f"{UV} venv --quiet")
        for theirs, ours in (("opt", "opt"), ("etc", "etc"), ("var/lib", "var")):
            text = text.replace(f"/{theirs}/conversion-relay", f"{self.folder}/{ours}")
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}").replace("--port 8000", f"--port {self.port}")

    def run(self, commands: str) -> str:
        command = ["bash", "-euo", "pipefail", "-c", self.here(commands)]
        done = subprocess.run(command, env=self.env, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def service(self, commands: str):
        """As systemd starts it: ready when it says so."""
        address = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(str(address))
            supervisor.settimeout(60)
            with (self.folder / "service.log").open("ab") as log:
                env = self.env | {"NOTIFY_SOCKET": str(address)}
                process = subprocess.Popen(["bash", "-c", self.here(commands)], env=env, stdout=log, stderr=log)
            try:
                assert supervisor.recv(100) == b"READY=1"
                assert call("GET", f"http://127.0.0.1:{self.port}/readyz")[0] == 200, "ready is ready"
                yield process
                process.send_signal(signal.SIGTERM)
                assert supervisor.recv(100) == b"STOPPING=1"
                assert process.wait(30) == 0
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
                address.unlink()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> tuple[Path, Path]:
    """(of the version before, of this one)"""
    folder = tmp_path_factory.mktemp("wheels")
    describe = ["git", "describe", "--tags", "--abbrev=0"]
    tag = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    before = tag or "HEAD~4"
    archive = folder / "before.tar"
    told = subprocess.run(["git", "archive", "-o", str(archive), before], cwd=ROOT, capture_output=True, check=False)
    new = release.build(folder / "new")
    if told.returncode:  # a shallow clone
        return new, new
    with tarfile.open(archive) as files:
        files.extractall(folder / "source", filter="data")
    source, out = str(folder / "source"), str(folder / "old")
    subprocess.run([*release.UV, "build", "--quiet", "--wheel", "--out-dir", out, source], check=True)
    (old,) = (folder / "old").glob("*.whl")
    return old, new


def test_the_page_from_nothing_to_an_upgrade_and_another_token(tmp_path, wheels):
    install, settings, start, first, backup, upgrade, token = blocks(PAGE, "sh")
    meta = Installation(tmp_path)
    machine = Machine(tmp_path, wheels[0], free_port(), meta.meta)
    try:
        meta.misbehave(mode="down")
        machine.run(install)
        machine.run(settings)
        assert (tmp_path / "etc" / "meta-token").stat().st_mode & 0o077 == 0
        old = subprocess.Popen(["bash", "-c", machine.here(start)], env=machine.env, stderr=subprocess.DEVNULL)
        until(lambda: call("GET", f"http://127.0.0.1:{machine.port}/readyz")[0] == 200)
        machine.run(first)
        machine.run(backup)
        old.terminate()
        old.wait(30)
        machine.wheel = wheels[1]
        machine.run(upgrade)
        assert (tmp_path / "var" / "before-upgrade.backup").stat().st_size > 0
        call("POST", f"{meta.meta}/_emulator/reset")
        with machine.service(start):
            until(lambda: [one["event"]["event_id"] for one in meta.arrived()] == ["first-1"])
            machine.run(token)
            machine.run(first.replace("first-1", "first-2"))
            until(lambda: len(meta.arrived()) == 2)
    finally:
        meta.end()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here (Debian: systemd)")
def test_systemd_takes_the_unit_and_calls_it_well_confined(tmp_path):
    unit = tmp_path / UNIT.name
    text = UNIT.read_text().replace("/opt/conversion-relay/bin/conversion-relay", sys.executable)
    unit.write_text(text)
    for command in (["verify", "--man=no"], ["security", "--offline=yes", "--threshold=20"]):
        done = subprocess.run(["systemd-analyze", *command, str(unit)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        assert "Unknown" not in done.stderr


def test_the_containers_steps_are_in_order_and_name_what_is_there():
    steps = (ROOT / "deploy" / "Containerfile").read_text()
    words = [line.split()[0] for line in steps.splitlines() if line and not line.startswith("#")]
    assert set(words) <= {
        *("FROM", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD")
    }
    assert words.index("USER") > max(n for n, word in enumerate(words) if word == "RUN"), "nothing of ours runs as root"
    entry = re.search(r'ENTRYPOINT \["(.+)"\]', steps)
    unit = re.search(r"ExecStart=(\S+) serve", UNIT.read_text())
    assert entry and unit and entry.group(1) == unit.group(1)
    outbox = "sqlite:////var/lib/conversion-relay/outbox.db"
    assert all(outbox in text for text in (steps, UNIT.read_text(), (ROOT / PAGE).read_text()))


def test_compose_hands_the_token_over_as_a_file_and_opens_no_port_to_the_world():
    text = (ROOT / "deploy" / "compose.yml").read_text()
    assert '"127.0.0.1:8000:8000"' in text and "META_ACCESS_TOKEN:" not in text
    assert "META_ACCESS_TOKEN_FILE: /run/secrets/meta-token" in text
