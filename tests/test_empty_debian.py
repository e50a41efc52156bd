"""`make empty-debian`: docs/production.md word for word in an empty Debian, and the container. It takes root and time.

`make test` does not collect it (`conftest.py`): there the same commands run in folders of our own.
"""

import json
import re
import shutil
import subprocess

import pytest

from tests.processes import Process, call, free_port, until
from tests.production import Debian, built
from tests.test_documents import ROOT, blocks
from tests.test_production import PAGE, walk
from tests.test_production import wheels as wheels


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    """An empty one, with Meta's stand-in in its network."""
    folder, port = tmp_path_factory.mktemp("debian"), free_port()
    machine = Debian(folder / "root", port)
    under = tuple(machine.inside)
    meta = Process("emulator", "--port", str(port), log=folder / "emulator.log", env={}, under=under)
    try:
        until(lambda: machine.answers(f"{machine.meta}/_emulator/state"))
        yield machine
    finally:
        meta.end()
        machine.end()


@pytest.mark.timeout(1200)
def test_the_page_word_for_word_in_an_empty_debian(debian, wheels):
    walk(debian, *wheels)


@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    shutil.which("buildah") is None, reason="buildah is not here; tests/test_production.py reads the steps instead"
)
def test_the_container_is_built_from_its_file_and_serves_as_nobody_that_matters(debian, wheels, tmp_path):
    """Without a registry: the Debian with its own Python stands for the image that the file begins with."""
    debian.run(blocks(PAGE, "sh")[0])
    debian.run("rm -rf /opt/* /etc/conversion-relay /var/lib/conversion-relay; ln -sf python3 /usr/bin/python")
    with built(tmp_path, debian.root, wheels[1]) as (buildah, image):
        port = free_port()
        run = [*buildah, "run", "--isolation", "chroot"]
        variables = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAtoken", "RELAY_BALLAST": "false"}
        env = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        command = ["/opt/conversion-relay/bin/conversion-relay", "serve", "--port", str(port)]
        with (tmp_path / "serve.log").open("wb") as log:
            served = subprocess.Popen([*run, *env, image, "--", *command], stdout=log, stderr=log)
        try:
            until(lambda: call("GET", f"http://127.0.0.1:{port}/readyz")[0] == 200)
            python, *ask = json.loads(
                re.findall(r"^HEALTHCHECK .+ CMD (.+)", (ROOT / "deploy/Containerfile").read_text(), re.MULTILINE)[0]
            )
            ask = [word.replace("8000", str(port)) for word in ask]
            subprocess.run([*run, image, "--", python, *ask], check=True)
            whose = subprocess.run([*run, image, "--", "id", "-u"], capture_output=True, text=True, check=True)
            assert whose.stdout.strip() == "10001"
        finally:
            served.terminate()
            served.wait(60)
