"""What a process needs is not there yet when it starts: it must be started again, not be given up for good.

systemd takes exit code 78 for settings that do not become right by starting again (deploy/conversion-relay.service)."""

import re
import resource
import subprocess
import sys
from collections.abc import Callable

import apsw
import pytest
import yaml

from conversion_relay import Event, OutboxUnavailable, Relay, Settings, UserData
from conversion_relay.errors import SettingsError
from conversion_relay.outbox.postgres.refusals import STARTING, is_of_settings, told
from conversion_relay.outbox.postgres.schema import LONGEST
from tests.processes import free_port
from tests.test_documents import ROOT

UNIT = (ROOT / "deploy/conversion-relay.service").read_text("utf-8")
AWAY = "postgresql://relay:PASSWORD@127.0.0.1:{}/relay?connect_timeout=2"
TOO_LITTLE = 64 * 1024
"""Bytes. A new outbox is larger."""


def started(verb: str, outbox: str, before: Callable[[], None] | None = None) -> tuple[int, str]:
    verbs = {"serve": ["serve", "--port", str(free_port())], "deliver": ["deliver"]}
    env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAABtoken", "RELAY_OUTBOX": outbox, "RELAY_BALLAST": "no"}
    command = [sys.executable, "-m", "conversion_relay", *verbs[verb]]
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False, preexec_fn=before
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("verb", ["serve", "deliver"])
@pytest.mark.parametrize("address", [AWAY, "postgresql://relay:PASSWORD@not-up.invalid/relay?connect_timeout=2"])
def test_a_database_that_is_not_up_yet(verb, address):
    code, said = started(verb, address.format(free_port()))
    assert (code, said.count("\n")) == (1, 1) and said.startswith("RELAY_OUTBOX: nobody answers as PostgreSQL")


@pytest.mark.parametrize("verb", ["serve", "deliver"])
def test_a_file_that_another_process_holds(verb, tmp_path):
    file = tmp_path / "outbox.db"
    with Relay(
        Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": f"sqlite:///{file}"})
    ) as relay:
        relay.track(Event(event_name="Lead", event_id="one", user_data=UserData(email="john_smith@gmail.com")))
    other = apsw.Connection(str(file))
    other.execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").fetchall()
    code, said = started(verb, f"sqlite:///{file}")
    assert (code, said.count("\n")) == (1, 1) and "is locked by another process" in said
    other.close()


def test_a_disk_that_takes_no_more(tmp_path):
    def quota() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (TOO_LITTLE, TOO_LITTLE))

    code, said = started("deliver", f"sqlite:///{tmp_path / 'outbox.db'}", quota)
    assert code == 1 and "is full, or a quota is" in said


def test_what_only_another_setting_puts_right_ends_for_good(tmp_path):
    assert started("deliver", f"sqlite:///{tmp_path}/no/such/folder.db")[0] == 78
    assert started("deliver", AWAY.format(free_port()) + "&sslmode=sometimes")[0] == 78


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("FATAL:  the database system is starting up", False),
        ("FATAL:  sorry, too many clients already", False),
        ("session is read-only", False),
        ("server closed the connection unexpectedly", False),
        ("FATAL:  quelque chose d'autre", False),
        ('FATAL:  password authentication failed for user "relay"', True),
        ('FATAL:  database "relay" does not exist', True),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.7"', True),
    ],
)
def test_what_postgresql_says_at_a_start(text, is_wrong):
    import psycopg

    said = told(psycopg.OperationalError(f"connection failed: {text}"))
    assert isinstance(said, OutboxUnavailable) and is_of_settings(said) is is_wrong
    assert not is_of_settings(OutboxUnavailable(STARTING))


def test_a_program_hears_that_nothing_was_kept():
    """Its own handler answers 503 for that, and the sender tries again; a SettingsError would be a 500."""
    env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": AWAY.format(free_port())}
    with Relay(Settings.from_env(env)) as relay, pytest.raises(OutboxUnavailable) as caught:
        relay.track(Event(event_name="Lead", event_id="one", user_data=UserData(email="john_smith@gmail.com")))
    assert not isinstance(caught.value, SettingsError) and "PASSWORD" not in str(caught.value)


def test_a_start_has_the_time_that_a_new_schema_may_take():
    """Killed in the middle, it would begin anew with each start, and never come to an end."""
    (seconds,) = re.findall(r"^TimeoutStartSec=(\d+)$", UNIT, re.MULTILINE)
    pods = next(yaml.safe_load_all((ROOT / "deploy/kubernetes.yml").read_text("utf-8")))
    probe = pods["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    (health,) = re.findall(
        r"^HEALTHCHECK .*--start-period=(\d+)s ", (ROOT / "deploy/Containerfile").read_text(), re.MULTILINE
    )
    assert min(int(seconds), probe["periodSeconds"] * probe["failureThreshold"], int(health)) >= LONGEST


def test_systemd_never_gives_up_but_for_settings():
    about_unit, about_service = re.split(r"^\[Service\]$", UNIT, flags=re.MULTILINE)
    assert "\nStartLimitIntervalSec=0\n" in about_unit, "of the unit: in [Service] systemd passes over it"
    assert "\nRestart=always\n" in about_service and "\nRestartPreventExitStatus=78\n" in about_service
