"""The fixture `meta_emulator`, as somebody else's test uses it."""

import os
import subprocess
import sys

THEIRS = """
import pytest
from conversion_relay import Event, Relay, UserData


def lead(event_id):
    return Event(event_name="Lead", event_id=event_id, user_data=UserData(email="a@example.com"), action_source="email")


def test_what_my_code_sends_arrives(meta_emulator, tmp_path):
    with Relay.from_env({**meta_emulator.env, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}) as relay:
        assert relay.send([relay.seal(lead("one"))])[0].accepted
    (event,) = meta_emulator.wait_for(1)
    assert event["event_id"] == "one" and len(event["user_data"]["em"][0]) == 64
    assert meta_emulator.arrived[0]["source"] == "server"


def test_each_test_begins_with_an_empty_one(meta_emulator):
    assert meta_emulator.events == [] == meta_emulator.requests
    with pytest.raises(AssertionError, match="0 of 1 events"):
        meta_emulator.wait_for(1, seconds=0.01)


def test_it_misbehaves_on_demand(meta_emulator, tmp_path):
    meta_emulator.misbehave("token_expired", times=1)
    with Relay.from_env({**meta_emulator.env, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}) as relay:
        assert not relay.send([relay.seal(lead("one"))])[0].accepted
    with pytest.raises(ValueError, match="mode"):
        meta_emulator.misbehave("nonsense")
"""


def test_other_peoples_tests_get_metas_stand_in(tmp_path):
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    options = ("-p", "conversion_relay.emulator.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:randomly", "-q")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "."],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr


def test_loading_it_costs_a_test_run_nothing_of_the_server(tmp_path):
    code = "import sys, conversion_relay.emulator.pytest_plugin; print({'uvicorn', 'msgspec'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "set()"
