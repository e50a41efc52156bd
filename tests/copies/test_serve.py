"""Several datasets of one file on a real `serve`: what an agency changes is in use without a restart, and one dataset's
trouble is its own copy's alone."""

import contextlib
import hashlib
import http.client
import json

import pytest

from conversion_relay.outbox import open_outbox
from tests.copies import AGENCY, BRAND, KEY, MARKET, SHOP, brand, table
from tests.processes import Installation, call, installation, until

pytestmark = pytest.mark.xdist_group("copies on a real serve")
DIGEST = hashlib.sha256(b"agency-key").hexdigest()


class Agency:
    """An installation whose settings are in a file."""

    def __init__(self, here: Installation) -> None:
        self.here, self.file = here, here.folder / "relay.toml"
        for name in ("META_PIXEL_ID", "META_ACCESS_TOKEN", "RELAY_API_KEYS", "RELAY_ALLOWED_ORIGINS"):
            del here.env[name]
        here.env["RELAY_CONFIG"] = str(self.file)

    def write(self, *tables: str) -> None:
        """In one step, as an editor does."""
        other = self.file.with_suffix(".new")
        other.write_text("\n".join(tables), "utf-8")
        other.replace(self.file)

    def change(self, *tables: str) -> None:
        """Returns when every part of the process uses it."""
        before = self.read_again()
        self.write(*tables)
        until(lambda: self.read_again() > before)

    def read_again(self) -> int:
        return self.here.logs().count("Settings read again")

    def post(self, *events: dict, key: str = KEY, **headers: str) -> tuple[int, dict]:
        how = headers or {"Authorization": f"Bearer {key}"}
        return call("POST", f"{self.here.url}/events", {"data": list(events)}, **how)

    def states(self, event_id: str) -> dict[str, str]:
        """By dataset, what became of the event so far."""
        with contextlib.closing(open_outbox(self.here.env["RELAY_OUTBOX"], ballast=False)) as outbox:
            return {story.dataset: story.state for story in outbox.find(event_id)}


@pytest.fixture(scope="module")
def agency(tmp_path_factory):
    with installation(tmp_path_factory.mktemp("agency")) as here:
        agency = Agency(here)
        agency.write(brand(), table(AGENCY))
        here.start()
        yield agency


@pytest.fixture(autouse=True)
def as_at_the_start(agency):
    yield
    agency.here.misbehave(mode="none")
    agency.change(brand(), table(AGENCY))


def lead(event_id: str, **more: object) -> dict:
    return {"event_name": "Lead", "event_id": event_id, "user_data": {"email": "canary@example.org"}} | more


def test_both_datasets_get_the_event_and_explain_finds_both(agency):
    assert agency.post(lead("both"))[0] == 202
    until(lambda: agency.states("both") == {BRAND: "delivered", AGENCY: "delivered"})
    told = json.loads(agency.here.command("explain", "both", "--json").stdout)
    assert sorted((story["dataset"], story["state"]) for story in told) == [(BRAND, "delivered"), (AGENCY, "delivered")]


def test_the_dead_token_of_one_dataset_parks_its_copy_alone(agency):
    agency.here.misbehave(mode="token_expired", dataset=AGENCY)
    assert agency.post(lead("token"))[0] == 202
    until(lambda: agency.states("token") == {BRAND: "delivered", AGENCY: "pending"})
    agency.here.misbehave(mode="none")
    agency.change(brand(), table(AGENCY).replace("EAA202", "EAA202-new"))
    until(lambda: agency.states("token") == {BRAND: "delivered", AGENCY: "delivered"})


def test_keys_origins_policies_copies_and_limits_change_without_a_restart(agency):
    page = {"Origin": "https://new.example"}
    assert agency.post(lead("k1"), key="agency-key")[0] == 401 and agency.post(lead("k1"), **page)[0] == 403
    doors = (f'RELAY_API_KEYS = "sha256:{DIGEST}"', 'RELAY_ALLOWED_ORIGINS = "https://new.example"')
    agency.change(brand(copies="[]"), table(AGENCY, *doors, 'RELAY_CONSENT = "withhold"'))
    status, answer = agency.post(lead("k2"))
    assert status == 202 and "copies" not in answer["accepted"][0]
    assert agency.post(lead("k2", consent="granted"), key="agency-key")[0] == 202
    assert agency.post(lead("k3"), key="agency-key")[1]["refused"][0]["reason"] == "consent_missing"
    assert agency.post(lead("k4", consent="granted"), **page)[0] == 202
    agency.change(brand(copies="[]"), table(AGENCY, "RELAY_MOST_PER_DAY = 1", *doors))
    assert [agency.post(lead(f"l{n}"), key="agency-key")[0] for n in range(2)] == [202, 429]
    agency.change(brand(), table(AGENCY))
    assert agency.post(lead("k5"), key="agency-key")[0] == 401 and agency.post(lead("k5"), **page)[0] == 403
    assert agency.post(lead("k6"))[1]["accepted"][0]["copies"][0]["dataset"] == AGENCY


def test_a_key_that_is_taken_away_opens_nothing_though_its_head_was_read_before(agency):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", agency.here.port, timeout=30)) as connection:

        def post() -> int:
            connection.request("POST", "/events", json.dumps(lead("head")), {"Authorization": f"Bearer {KEY}"})
            answer = connection.getresponse()
            answer.read()
            return answer.status

        assert [post() for _ in range(3)] == [202] * 3
        agency.change(brand().replace(KEY, "another-key"), table(AGENCY))
        assert post() == 401 and agency.post(lead("head"), key="another-key")[0] == 202


def test_the_events_of_a_removed_dataset_wait_and_are_said(agency):
    agency.here.misbehave(mode="down", dataset=AGENCY)
    agency.post(lead("removed"))
    until(lambda: agency.states("removed") == {BRAND: "delivered", AGENCY: "pending"})
    agency.change(brand(copies="[]"))
    until(lambda: "Events wait for a dataset that is not configured" in agency.here.logs())
    until(lambda: agency.states("removed")[AGENCY] == "pending")  # and no call that began before is under way
    agency.here.misbehave(mode="none")
    agency.post(lead("after"))
    until(lambda: agency.states("after") == {BRAND: "delivered"})
    assert agency.states("removed") == {BRAND: "delivered", AGENCY: "pending"}
    agency.change(brand(), table(AGENCY))
    until(lambda: agency.states("removed") == {BRAND: "delivered", AGENCY: "delivered"})


def test_a_file_that_cannot_be_right_changes_nothing(agency):
    agency.write(brand(copies='["999"]'))
    until(lambda: "RELAY_COPIES_TO: its name 1 is no META_PIXEL_ID" in agency.here.logs())
    assert agency.post(lead("kept"))[1]["accepted"][0]["copies"][0]["event_id"] == "kept"


def test_a_dataset_that_is_added_gets_its_copies_at_once(agency):
    agency.change(brand(copies=f'["{AGENCY}", "{MARKET}"]'), table(AGENCY), table(MARKET))
    assert agency.post(lead("added"))[0] == 202
    until(lambda: set(agency.states("added").items()) == {(name, "delivered") for name in (BRAND, AGENCY, MARKET)})


def test_a_persons_copies_are_erased_too(agency):
    agency.here.misbehave(mode="down")
    agency.post(lead("erased") | {"user_data": {"email": "gone@example.org"}})
    assert json.loads(agency.here.command("erase", "--email", "gone@example.org", "--json").stdout)["erased"] == 2
    assert agency.states("erased") == {BRAND: "erased", AGENCY: "erased"}


def test_import_and_send_make_copies_and_tell_of_them(agency, tmp_path):
    lines = tmp_path / "events.jsonl"
    lines.write_text("".join(json.dumps(lead(f"line-{n}")) + "\n" for n in range(3)))
    expected = {AGENCY: {"accepted": 3, "duplicate": 0, "refused": 0}}
    told = json.loads(agency.here.command("import", str(lines), "--json").stdout)
    assert (told["accepted"], told["copies"]) == (3, expected)
    told = json.loads(agency.here.command("send", str(lines), "--json").stdout)
    assert told["copies"] == {AGENCY: {"accepted": 0, "duplicate": 3, "refused": 0}}
    assert agency.here.command("send", str(lines)).stdout.decode().splitlines()[-1] == (
        f"copies for dataset {AGENCY}: 0 accepted, 3 known already, 0 refused"
    )


def test_the_pages_of_one_shop_are_told_their_own_policy(agency):
    agency.change(brand(), table(AGENCY, 'RELAY_CONSENT = "withhold"'))
    status, answer = agency.post(lead("page"), Origin=SHOP)
    assert status == 202 and answer["accepted"][0]["copies"][0]["reason"] == "consent_missing"


def test_each_of_several_processes_hears_of_new_keys(tmp_path):
    """One of them delivers; the others stand by, and their doors are as good."""
    with installation(tmp_path) as here:
        agency = Agency(here)
        agency.write(brand(), table(AGENCY))
        here.start("--workers", "2")
        assert agency.post(lead("old"))[0] == 202
        agency.write(brand().replace(KEY, "another-key"), table(AGENCY))
        # Not by the log's lines: a process that starts only now reads the new keys at once, and says nothing.
        until(lambda: {agency.post(lead(f"n{n}"), key="another-key")[0] for n in range(20)} == {202})
        until(lambda: {agency.post(lead("old"))[0] for _ in range(20)} == {401})
