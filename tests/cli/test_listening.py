"""Verbs that listen say where, before they serve: of port 0 the port, of a port that is taken a sentence."""

import os
import re
import socket
import struct
import subprocess
import sys

import pytest

from tests.processes import answers, call, until

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


def test_a_client_that_hangs_up_is_no_traceback(tmp_path, env):
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command("webhook", "--port", "0"), env=env, stdout=said, stderr=said, cwd=tmp_path)
    try:
        port = until(lambda: re.search(r"127\.0\.0\.1:(\d+)", (tmp_path / "said").read_text()))[1]
        until(lambda: answers(int(port)))
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", int(port))) as client:
                client.send(b"POST /webhooks/stripe HTTP/1.1\r\nContent-Length: 5\r\n")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        assert call("GET", f"http://127.0.0.1:{port}/webhooks/stripe")[0] == 200
    finally:
        process.terminate()
        process.wait(60)
    assert "Traceback" not in (tmp_path / "said").read_text()
