"""Verbs that listen say where, before they serve: of port 0 the port, of a port that is taken a sentence."""

import os
import re
import socket
import subprocess
import sys

import pytest

from tests.processes import answers, until

LISTENS = {
    "serve": ("serve", "--no-worker"),
    "serve, two processes": ("serve", "--no-worker", "--workers", "2"),
    "emulator": ("emulator",),
    "webhook": ("webhook", "listen"),
}


def command(verb: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "conversion_relay", *LISTENS[verb], *more]


@pytest.fixture
def env(tmp_path):
    ours = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    return os.environ | ours | {"STRIPE_WEBHOOK_SECRET": "whsec_x", "RELAY_BALLAST": "false"}


@pytest.mark.parametrize("verb", LISTENS)
def test_of_port_0_the_port_is_told_and_answers(tmp_path, env, verb):
    def told() -> set[str]:
        return set(re.findall(r"127\.0\.0\.1:(\d+)", (tmp_path / "said").read_text()))

    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command(verb, "--port", "0"), env=env, stdout=said, stderr=said, cwd=tmp_path)
    try:
        until(told)
        (port,) = told()
        assert port != "0"
        until(lambda: answers(int(port)))
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("verb", ["serve", "emulator", "webhook"])
def test_a_port_that_is_taken_is_one_sentence_and_nothing_is_promised(tmp_path, env, verb):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(command(verb, "--port", port), env=env, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: port {port} on 127.0.0.1: Address already in use; choose another")
