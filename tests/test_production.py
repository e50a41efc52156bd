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
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

import conversion_relay
from conversion_relay import Settings
from tests import release
from tests.failures.conditions import need_command
from tests.processes import API_KEY, Process, call, free_port, installation, until
from tests.production import NAME, Debian, Folders, certificate, without_ours
from tests.test_documents import ROOT, blocks

PAGE = "docs/production.md"
UNIT = ROOT / "deploy" / "conversion-relay.service"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> tuple[Path, Path]:
    """(of the version before, of this one)"""
    folder = tmp_path_factory.mktemp("wheels")
    describe = ["git", "describe", "--tags", "--abbrev=0", "HEAD^"]  # not the tag that this commit itself has
    tag = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    archive = folder / "before.tar"
    told = subprocess.run(["git", "archive", "-o", str(archive), tag or "HEAD~4"], cwd=ROOT, capture_output=True)
    new = release.build(folder / "new")
    if told.returncode:  # a shallow clone
        return new, new
    with tarfile.open(archive) as files:
        files.extractall(folder / "source", filter="data")
    package = folder / "source" / "conversion_relay" / "__init__.py"
    if f'"{conversion_relay.__version__}"' in package.read_text():  # pip would upgrade nothing
        package.write_text(re.sub(r'__version__ = ".+"', '__version__ = "0.0.1"', package.read_text()))
    source, out = str(folder / "source"), str(folder / "old")
    subprocess.run([*release.UV, "build", "--quiet", "--wheel", "--out-dir", out, source], check=True)
    (old,) = (folder / "old").glob("*.whl")
    return old, new


def walk(machine: Folders | Debian, before: Path, now: Path) -> None:
    """The page's commands in their order: install, settings, TLS, first event, backup, upgrade, another token."""
    packages, install, settings, command, start, tls, first, backup, upgrade, token = blocks(PAGE, "sh")
    arrived = lambda: [one["event"]["event_id"] for one in machine.of_meta("GET", "/_emulator/events")["events"]]  # noqa: E731
    machine.of_meta("POST", "/_emulator/misbehave", {"mode": "down"})
    machine.run(packages)
    machine.offer(before)
    hidden = "\nfind /opt/conversion-relay/lib /opt/conversion-relay/bin ! -type l ! -perm -o+r -printf 'hidden %f\\n'"
    assert "hidden" not in machine.run(f"umask 077\n{install}{hidden}"), "the service's own user reads them"
    machine.run(settings)
    machine.run("test $(stat -c %a /etc/conversion-relay/meta-token) = 600")
    machine.run(command)
    machine.bring_certificate()
    machine.run(tls)
    with machine.nginx():
        with machine.running(start):
            until(lambda: machine.answers("http://127.0.0.1:8000/readyz"))
            assert "accepted: durable" in machine.run(first)
            until(lambda: "a worker delivers" in machine.run("conversion-relay doctor || [ $? = 1 ]"))
            bare = "curl -s -o /dev/null -w '%{http_code} %{http_version}' https://relay.example/"
            assert machine.run(bare + "dashboard") == "401 2", "nobody looks without the password"
            assert machine.run(bare + "metrics") == "404 2"
            machine.run(backup)
        machine.offer(now)
        assert "hidden" not in machine.run(f"umask 077\n{upgrade}{hidden}")
        assert machine.run("ls /var/lib/conversion-relay/before-upgrade-*.db").count(".db") == 1
        machine.of_meta("POST", "/_emulator/reset")
        with machine.running(start):
            until(lambda: arrived() == ["first-1"])
            machine.run(token)
            machine.run(first.replace("first-1", "first-2"))
            until(lambda: len(arrived()) == 2)
            assert machine.has("/etc/conversion-relay/meta-token")


def test_the_page_from_nothing_to_an_upgrade_and_another_token(tmp_path, wheels):
    need_command("nginx")
    with installation(tmp_path) as meta:
        walk(Folders(tmp_path, meta.meta), *wheels)


def test_caddy_as_the_page_has_it_passes_events_on_with_tls(tmp_path):
    need_command("caddy")
    certificate(tmp_path)
    port = free_port()
    with installation(tmp_path) as here:
        here.env["RELAY_TRUSTED_PROXIES"] = "127.0.0.1/32"
        here.env["RELAY_ADMIN_PASSWORD"] = "one that is long enough"
        here.start("--no-worker")
        (text,) = blocks(PAGE, "caddy")
        text = text.replace(f"{NAME} {{", f"https://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls tls.crt tls.key")
        options = "{\n\tadmin off\n\tauto_https off\n}\n"
        (tmp_path / "Caddyfile").write_text(options + text.replace(":8000", f":{here.port}"))
        at = f"{NAME}:{port}"
        curl = ["curl", "-s", "--cacert", "ca.crt", "--connect-to", f"{at}:127.0.0.1:{port}", "-w", "%{http_code}"]

        def asked(path: str, *more: str) -> str:
            command = [*curl, "-o", "answer", *more, f"https://{at}{path}"]
            return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

        with (tmp_path / "caddy.log").open("wb") as log:
            command = ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
            env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
            process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=env)
        try:
            until(lambda: process.poll() is not None or asked("/livez") == "200")
            lead = '{"event_name": "Lead", "user_data": {"email": "jane@shop.example"}}'
            assert asked("/events", "-H", f"Authorization: Bearer {API_KEY}", "-d", lead) == "202"
            assert (asked("/metrics"), asked("/dashboard")) == ("404", "401")
        finally:
            process.kill()
            process.wait()


class Supervisor:
    """What systemd does with the unit: its variables, its credential, its socket, its signals."""

    def __init__(self, folder: Path, env: dict[str, str], port: int) -> None:
        self.unit = UNIT.read_text()
        self.credentials = folder / "credentials"
        self.credentials.mkdir()
        variables = dict(line.split("=", 1) for line in re.findall(r"^Environment=(.+)$", self.unit, re.MULTILINE))
        self.env = without_ours() | env | {n: v.replace("%d", str(self.credentials)) for n, v in variables.items()}
        self.env["RELAY_OUTBOX"] = env["RELAY_OUTBOX"]
        self.env |= {"CREDENTIALS_DIRECTORY": str(self.credentials), "NOTIFY_SOCKET": str(folder / "notify")}
        (self.watchdog,) = re.findall(r"^WatchdogSec=(\d+)$", self.unit, re.MULTILINE)
        self.env["WATCHDOG_USEC"] = f"{self.watchdog}000000"
        (started,) = re.findall(r"^ExecStart=\S+ (.+)$", self.unit, re.MULTILINE)
        self.command = [sys.executable, "-m", "conversion_relay", *started.replace("8000", str(port)).split()]
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.env["NOTIFY_SOCKET"])
        self.socket.settimeout(60)

    def hears(self, state: str) -> None:
        """Every second it may say besides that it lives."""
        while (heard := self.socket.recv(100).decode()) != state:
            assert heard == "WATCHDOG=1", "nothing else comes in between"

    def load(self, token: str) -> None:
        (name,) = re.findall(r"^LoadCredential=([^:]+):", self.unit, re.MULTILINE)
        path = self.credentials / name
        path.unlink(missing_ok=True)
        path.write_text(token)
        path.chmod(0o400)


def test_the_unit_is_ready_when_it_says_so_reads_its_credential_again_when_told_and_says_that_it_ends(tmp_path):
    with installation(tmp_path) as here:
        env = {name: value for name, value in here.env.items() if name != "META_ACCESS_TOKEN"}
        systemd = Supervisor(tmp_path, env, here.port)
        systemd.load("EAAtoken-of-yesterday")
        with (tmp_path / "serve.log").open("wb") as log:
            process = subprocess.Popen(systemd.command, env=systemd.env, stdout=log, stderr=log)
        try:
            systemd.hears("READY=1")
            assert here.is_ready(), "ready is ready"
            here.misbehave(mode="token_expired")
            assert here.post({"event_name": "Lead", "event_id": "lead-1", "user_data": {"external_id": "7"}})[0] == 202
            until(here.requests)
            call("POST", f"{here.meta}/_emulator/reset")
            systemd.load("EAAtoken-of-today")
            assert "/bin/kill -HUP $MAINPID" in systemd.unit
            process.send_signal(signal.SIGHUP)
            until(here.arrived)
            systemd.hears("WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            systemd.hears("STOPPING=1")
            assert process.wait(30) == 0
        finally:
            systemd.socket.close()
            if process.poll() is None:
                process.kill()
                process.wait()


def test_a_worker_that_cannot_record_does_not_look_as_if_it_hung(tmp_path):
    """systemd would end and start it every half minute for as long as the outbox is away."""
    with installation(tmp_path) as here:
        env = {name: value for name, value in here.env.items() if name != "META_ACCESS_TOKEN"}
        systemd = Supervisor(tmp_path, env, here.port)
        systemd.load("EAAtoken")
        worker = Process("deliver", log=tmp_path / "deliver.log", env=systemd.env)
        try:
            systemd.hears("READY=1")
            here.database.unlink()
            until(lambda: "cannot record" in worker.log.read_text())
            systemd.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    systemd.socket.recv(100)
            systemd.socket.settimeout(int(systemd.watchdog))
            systemd.hears("WATCHDOG=1")
            systemd.hears("WATCHDOG=1")
        finally:
            systemd.socket.close()
            worker.end()


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
    """Each name that a service uses is declared, and the process may do and write nothing that it need not."""
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yml").read_text())
    assert set(compose) == {"services", "secrets", "volumes", "networks"}
    (network,) = compose["networks"]["default"]["ipam"]["config"]
    (relay,) = compose["services"].values()
    assert relay["ports"] == ["127.0.0.1:8000:8000"]
    trusted = f"{network['gateway']}/32"
    wanted = {"META_ACCESS_TOKEN_FILE": "/run/secrets/meta-token", "RELAY_TRUSTED_PROXIES": trusted}
    assert relay["environment"] == wanted, "else every visitor has the gateway's address"
    assert ip_address(network["gateway"]) in ip_network(network["subnet"])
    assert relay["secrets"] == list(compose["secrets"])
    assert [volume.partition(":")[0] for volume in relay["volumes"]] == list(compose["volumes"])
    assert relay["volumes"][0].partition(":")[2] == "/var/lib/conversion-relay"
    assert (relay["read_only"], relay["cap_drop"], relay["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    assert relay["ulimits"] == {"core": 0}


def test_kubernetes_gets_what_the_image_and_the_settings_are():
    """One pod at a time on one disk, as the image's user, which may write only there; its settings are settings."""
    pods, service, told = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yml").read_text())
    image = (ROOT / "deploy" / "Containerfile").read_text()
    pod = pods["spec"]["template"]["spec"]
    (relay,) = pod["containers"]
    assert (pods["kind"], pods["spec"]["replicas"]) == ("StatefulSet", 1)
    (uid,) = re.findall(r"^USER (\d+)$", image, re.MULTILINE)
    assert {pod["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {int(uid)}
    assert relay["securityContext"]["readOnlyRootFilesystem"] and "/tmp" in str(relay["volumeMounts"])
    mounted = {one["name"]: one for one in relay["volumeMounts"]}
    assert f"RELAY_OUTBOX=sqlite:///{mounted['outbox']['mountPath']}/outbox.db" in image
    (disk,) = pods["spec"]["volumeClaimTemplates"]
    assert {disk["metadata"]["name"], *(one["name"] for one in pod["volumes"])} == set(mounted)
    (token,) = [one for one in relay["env"] if one["name"] == "META_ACCESS_TOKEN_FILE"]
    assert token["value"].startswith(mounted["token"]["mountPath"] + "/") and "subPath" not in mounted["token"]
    assert {one["httpGet"]["path"] for name, one in relay.items() if name.endswith("Probe")} == {"/livez", "/readyz"}
    assert f"EXPOSE {relay['ports'][0]['containerPort']}" in image and service["spec"]["ports"][0]["port"] == 8000
    (commands,) = [text for text in blocks(PAGE, "text") if "kubectl" in text]
    (file,) = [one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one]
    (words,) = [one["secretRef"]["name"] for one in relay["envFrom"] if "secretRef" in one]
    assert f"secret generic {file} --from-file={Path(token['value']).name}\n" in commands
    assert f"secret generic {words} --from-literal=" in commands
    given = dict.fromkeys(re.findall(r"--from-literal=(\w+)=", commands), "a-long-random-word")
    (dataset,) = Settings.from_env({**told["data"], **given, "META_ACCESS_TOKEN": "x"}).datasets
    assert dataset.api_keys and dataset.allowed_origins
