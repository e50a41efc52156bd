"""docs/datasets.md: its file, its request with the answer, and how a key is made."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from tests import asgi

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_file_lets_the_request_in_and_the_answer_is_as_shown(tmp_path):
    (config,), (shown,) = blocks("toml"), blocks("json")
    place = tmp_path / "relay.toml"
    place.write_text(config)
    words = shlex.split(blocks("sh")[0])
    (header,) = [words[n + 1] for n, word in enumerate(words) if word == "-H"]
    name, _, value = header.partition(": ")
    told = {"RELAY_CONFIG": str(place), "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "RELAY_BALLAST": "false"}
    with Relay(Settings.from_env(told)) as relay:
        answer = asgi.ask(create_app(relay), "/events", words[words.index("-d") + 1].encode(), **{name: value})
        said, expected = json.loads(answer.body), json.loads(shown)
        expected["accepted"][0]["copies"][0]["message"] = said["accepted"][0]["copies"][0]["message"]
        assert (answer.status, said) == (202, expected)
        assert [story.dataset for story in relay.outbox.find("lead-1")] == ["1010"]


def test_a_key_is_made_as_shown_and_opens_the_door(tmp_path):
    done = subprocess.run(["sh", "-c", blocks("sh")[1]], capture_output=True, text=True, check=True)
    key, digest = (line.split()[-1] for line in done.stdout.splitlines())
    table = tomllib.loads(blocks("toml")[0])["dataset"][0] | {"RELAY_API_KEYS": [digest], "RELAY_COPIES_TO": []}
    place = tmp_path / "relay.toml"
    place.write_text("[[dataset]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items()))
    told = {"RELAY_CONFIG": str(place), "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "RELAY_BALLAST": "false"}
    with Relay(Settings.from_env(told)) as relay:
        lead = b'{"event_name": "Lead", "user_data": {"email": "joe@example.com"}}'
        asked = [
            asgi.ask(create_app(relay), "/events", lead, authorization=f"Bearer {it}").status for it in (key, digest)
        ]
    assert asked == [202, 401]
