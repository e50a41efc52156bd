"""What the new pages show works: every command, program and file of theirs, with Meta's stand-in."""

import json
import os
import re
import subprocess
import sys

import click
import pytest

from conversion_relay import cli
from conversion_relay.emulator.faults import ENDS, MODES
from conversion_relay.settings import Settings
from tests.documents.site import DOCS, ROOT
from tests.failures.conditions import need_command
from tests.processes import API_KEY, Installation, call, free_port, installation, until
from tests.test_documents import blocks

WITH_COMMANDS = ("start", "switching", "troubleshooting", "guides/developer", "guides/operator", "guides/agency")
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])


class Terminal:
    """Where `conversion-relay` is this checkout's, and Meta the stand-in."""

    def __init__(self, here: Installation) -> None:
        self.port, self._folder = free_port(), here.folder
        command = here.folder / "bin" / "conversion-relay"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m conversion_relay "$@"\n')
        command.chmod(0o755)
        pip = command.with_name("pip")  # what it would bring is here
        pip.write_text('#!/bin/sh\n[ "$1" = install ] && case "$2" in conversion-relay*) ;; *) exit 1 ;; esac\n')
        pip.chmod(0o755)
        python = command.with_name("python")
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        ours = ("META_", "RELAY_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.env |= {"PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        self.env |= {name: here.env[name] for name in ("META_GRAPH_URL", "RELAY_OUTBOX", "RELAY_BALLAST")}

    def start(self, commands: str) -> subprocess.Popen[str]:
        text = commands.replace("conversion-relay serve", f"exec conversion-relay serve --port {self.port}")
        # What these find is their exit code: 1 where something needs a person, or an event is wrong.
        text = re.sub(r"^(.*conversion-relay (?:status|validate).*)$", r"\1 || [ $? = 1 ]", text, flags=re.MULTILINE)
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")],
            env=self.env,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, commands: str) -> str:
        process = self.start(commands)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said


def test_the_commands_of_the_new_pages_one_after_the_other(tmp_path):
    install, ask, serve, first = blocks("docs/start.md", "sh")
    here = Installation(tmp_path)
    terminal = Terminal(here)
    served = None
    try:
        said = terminal.run(ask)
        assert "Meta takes the token for this dataset" in said and "ERROR" not in said
        assert re.findall(r"^(\w+) +accepted", said, re.MULTILINE)[-1] == "Purchase"
        variables = "\n".join(line for line in (ask + serve).splitlines() if line.startswith("export "))
        served = terminal.start(f"{variables}\n{serve}")
        until(lambda: call("GET", f"http://127.0.0.1:{terminal.port}/readyz")[0] == 200)
        assert "first-1" in terminal.run(f"{variables}\n{first}")
        until(lambda: "a worker delivers" in terminal.run(f"{variables}\nconversion-relay doctor || true"))
        for page in WITH_COMMANDS[1:]:
            for commands in blocks(f"docs/{page}.md", "sh"):
                terminal.run(f"{variables}\n{commands}")
        (program,) = blocks("docs/guides/developer.md", "python")
        before = blocks("docs/guides/developer.md", "sh")[0]  # all that the page itself says of settings
        assert terminal.run(f"{before}\npython - <<'PROGRAM'\n{program}PROGRAM").split() == ["accepted", "lead-1"]
        arrived = {"first-1", "lead-1", "lead-2", "purchase_50314b8e"}
        until(lambda: arrived <= {one["event"].get("event_id") for one in here.arrived()})
    finally:
        if served is not None:
            served.kill()
            served.communicate()
        here.end()
    assert all(line in "\n".join(blocks("docs/production.md", "sh")) for line in install.splitlines()[:2]), "run there"


def test_the_agencys_file_is_two_datasets(tmp_path):
    (toml,) = blocks("docs/guides/agency.md", "toml")
    for name in ("first", "second"):
        (tmp_path / name).write_text("EAAB")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "relay.toml").write_text(toml.replace("/run/secrets/", f"{tmp_path}/"))
    settings = Settings.from_env({"RELAY_CONFIG": str(tmp_path / "relay.toml")})
    assert [dataset.pixel_id for dataset in settings.datasets] == ["1232612085335834", "2232612085335834"]
    assert settings.silence == "withhold"


def test_the_tags_of_the_site_owner_are_the_scripts_own():
    tags = "".join(blocks("docs/guides/site-owner.md", "html"))
    known = (DOCS / "browser.md").read_text("utf-8")
    for file in re.findall(r"relay\.shop\.example/(meta-tracking[\w.]+)", tags):
        assert (ROOT / "src" / file).is_file()
    for attribute in re.findall(r"\b(data-[\w-]+)", tags):
        assert f"`{attribute}" in known, attribute


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_option_that_a_page_gives_to_a_verb_exists(page):
    text = page.read_text("utf-8").replace("\\\n", " ")
    for line in re.findall(r"conversion-relay ([a-z][^`\n|#)]*)", text):
        words = line.split()
        command = cli.verbs.get_command(click.Context(cli.verbs), words[0])
        if isinstance(command, click.Group) and len(words) > 1:
            command = command.get_command(click.Context(command), words[1]) or command
        known = {name for parameter in getattr(command, "params", []) for name in parameter.opts} | {"--help", "--json"}
        given = {word.partition("=")[0] for word in words if re.fullmatch(r"--[a-z][a-z-]*(=.*)?", word)}
        assert given <= known, line


def test_a_new_page_without_commands_here_is_noticed():
    """A page with shell commands stands above, or is run by a test of its own that names it."""
    tests = "".join(
        path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path.name != "test_pages.py"
    )
    for page in sorted(DOCS.rglob("*.md")):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        if blocks(f"docs/{name}.md", "sh") and name not in (*WITH_COMMANDS, "guides/site-owner"):
            assert f"{name}.md" in tests, name


def test_the_event_of_the_first_page_is_valid_json():
    bodies = re.findall(r"-d '(.+?)'", "".join(blocks("docs/start.md", "sh")), re.DOTALL)
    assert [json.loads(body)["event_id"] for body in bodies] == ["first-1"]


def test_the_stand_in_is_asked_as_the_page_on_operations_says(tmp_path):
    page = (DOCS / "operations.md").read_text("utf-8")
    (asked,) = [commands for commands in blocks("docs/operations.md", "sh") if "_emulator" in commands]
    here = Installation(tmp_path)
    try:
        terminal = Terminal(here)
        said = terminal.run(asked.replace("http://127.0.0.1:8001", here.env["META_GRAPH_URL"]))
        assert '{"events":[]}' in said and '"throttle"' in said
    finally:
        here.end()
    told = page.partition("Its modes: ")[2].partition("ends them")[0]
    assert re.findall(r"`(\w+)`", told) == [*MODES, "ok"] and "ok" in ENDS


def test_a_page_of_php_passes_its_visitor_on(tmp_path):
    need_command("php")
    (program,) = blocks("docs/guides/developer.md", "php")
    visitor = "$_SERVER = ['REMOTE_ADDR' => '198.51.100.7', 'HTTP_USER_AGENT' => 'Mozilla/5.0'] + $_SERVER;"
    cookies = "$_COOKIE = ['_fbp' => 'fb.1.1596403881668.1116446470']; $order = 7; $email = 'jane@shop.example';"
    with installation(tmp_path) as here:
        here.start()
        program = program.replace("a-long-random-word", API_KEY).replace("127.0.0.1:8000", f"127.0.0.1:{here.port}")
        told = program.replace("\nrelay_event( [", "\necho relay_event( [")
        done = subprocess.run(["php", "-r", visitor + cookies + told], capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("1", "")
        until(here.arrived)
        (event,) = [one["event"] for one in here.arrived()]
    assert event["event_id"] == "lead-7" and set(event["user_data"]) == {
        "em", "client_ip_address", "client_user_agent", "fbp",
    }  # fmt: skip
