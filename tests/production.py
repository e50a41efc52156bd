"""Machines on which the commands of docs/production.md are run.

`Folders`: folders stand for /opt, /etc and /var/lib, uv for pip, free ports for 443 and 8000; for every `make test`.
`Debian`: an empty Debian of debootstrap with a network of its own, where the commands are run word for word; slow, so
by `make empty-debian` (root, the network, 7 minutes on a busy machine). The container is built on the same root.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.processes import call, free_port, until

UV = f"{sys.executable} -m uv"
NAME = "relay.example"
OPENSSL = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=ca
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.csr -subj /CN=relay.example
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out tls.crt \
  -extfile <(echo subjectAltName=DNS:relay.example)
"""
NGINX = """daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/nginx.log; events {{}}
http {{ {1} include {0}/conf.d/*.conf; }}"""
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def certificate(folder: Path) -> None:
    """ca.crt, and tls.crt and tls.key signed by it."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["bash", "-euc", OPENSSL], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def without_ours() -> dict[str, str]:
    ours = ("META_", "RELAY_", "PYTHONPATH", "PYTHONHOME")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


class Folders:
    def __init__(self, folder: Path, meta: str) -> None:
        self.folder, self.meta = folder, meta
        self.port, self.tls_port = free_port(), free_port()
        self.env = without_ours() | {"META_GRAPH_URL": meta, "RELAY_BALLAST": "false"}
        self.wheel: Path | None = None
        self.env["PATH"] = f"{folder}/bin:{os.environ['PATH']}"
        (folder / "conf.d").mkdir()
        (folder / "bin").mkdir()
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS)
        (folder / "nginx.conf").write_text(NGINX.format(folder, temporary))

    def offer(self, wheel: Path) -> None:
        """What the index would give from now on."""
        self.wheel = wheel

    def bring_certificate(self) -> None:
        certificate(self.folder / "etc")

    def here(self, text: str) -> str:
        """The page's commands with our folders, ports and name in them."""
        pip = f"{UV} pip install --quiet --reinstall-package conversion-relay --python {self.folder}/opt/bin/python "
        curl = f"curl --cacert {self.folder}/etc/ca.crt --connect-to {NAME}:443:127.0.0.1:{self.tls_port} "
        for theirs, ours in (
            ("apt-get ", "true apt-get "),
            ("/opt/conversion-relay/bin/pip install ", pip),
            ("'conversion-relay[server,phone]'", f"'{self.wheel}[server,phone]'"),
            ("python3 -m venv", f"{UV} venv --quiet"),
            ("/opt/conversion-relay", f"{self.folder}/opt"),
            ("/etc/conversion-relay", f"{self.folder}/etc"),
            ("/var/lib/conversion-relay", f"{self.folder}/var"),
            ("/usr/local/bin", f"{self.folder}/bin"),
            ("/etc/nginx/conf.d", f"{self.folder}/conf.d"),
            ("/var/log/nginx", f"{self.folder}"),
            ("nginx -t", f"nginx -t -p {self.folder} -c {self.folder}/nginx.conf"),
            ("listen 443", f"listen 127.0.0.1:{self.tls_port}"),
            ("127.0.0.1:8000", f"127.0.0.1:{self.port}"),
            ("--port 8000", f"--port {self.port}"),
            ("curl -", curl + "-"),
        ):
            text = text.replace(theirs, ours)
        return text

    def command(self, script: str) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c", self.here(script)]

    def run(self, commands: str) -> str:
        command = self.command(commands)
        done = subprocess.run(command, env=self.env, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    @contextlib.contextmanager
    def running(self, commands: str, **env: str) -> "Iterator[subprocess.Popen[bytes]]":
        """Something that stays, ended with the block."""
        with (self.folder / "running.log").open("ab") as log:
            process = subprocess.Popen(self.command(commands), env=self.env | env, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)

    def nginx(self) -> "contextlib.AbstractContextManager[subprocess.Popen[bytes]]":
        return self.running(f"exec nginx -p {self.folder} -c {self.folder}/nginx.conf")

    def answers(self, url: str) -> bool:
        return call("GET", self.here(url))[0] == 200

    def of_meta(self, method: str, path: str, body: Any = None) -> Any:
        return call(method, self.meta + path, body)[1]

    def has(self, path: str) -> bool:
        return Path(self.here(path)).stat().st_size > 0


class Debian:
    """One for the whole of a test: a root, and a network in which only its own processes are."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.meta, self.folder = root, f"http://127.0.0.1:{port}", root.parent
        suite = os.environ.get("DEBIAN_SUITE", "bookworm")
        included = "--include=ca-certificates"
        subprocess.run(
            ["debootstrap", "--variant=minbase", included, suite, str(root)], check=True, capture_output=True
        )
        certificate(self.folder / "ca")
        trusted = "etc/ssl/certs/ca-certificates.crt"
        (root / trusted).write_bytes(Path("/", trusted).read_bytes() + (self.folder / "ca" / "ca.crt").read_bytes())
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost {NAME}\n")
        (root / "wheels").mkdir()
        no_daemons = root / "usr/sbin/policy-rc.d"  # a package that is installed starts nothing
        no_daemons.write_text("#!/bin/sh\nexit 101\n")
        no_daemons.chmod(0o755)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.env = {"PATH": path, "HOME": "/root", "LC_ALL": "C.UTF-8", "PIP_QUIET": "1"}
        self.env |= {"DEBIAN_FRONTEND": "noninteractive", "PIP_CERT": f"/{trusted}", "META_GRAPH_URL": self.meta}
        self.env |= {"PIP_FIND_LINKS": "/wheels", "PIP_CONSTRAINT": "/wheels/offered", "RELAY_BALLAST": "false"}
        self.network = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        own = Path(f"/proc/{self.network.pid}/ns/net")
        until(lambda: own.readlink() != Path("/proc/self/ns/net").readlink())
        self.inside = ["nsenter", f"--net={own}"]
        subprocess.run([*self.inside, "ip", "link", "set", "lo", "up"], check=True)

    def end(self) -> None:
        self.network.kill()
        self.network.wait()

    def offer(self, wheel: Path) -> None:
        shutil.copy(wheel, self.root / "wheels")
        (self.root / "wheels" / "offered").write_text(f"conversion-relay=={wheel.name.split('-')[1]}\n")

    def bring_certificate(self) -> None:
        for name in ("tls.crt", "tls.key"):
            shutil.copy(self.folder / "ca" / name, self.root / "etc/conversion-relay")

    def command(self, script: str) -> list[str]:
        """The world's network for what installs; else the root's own."""
        world = "apt-get" in script or "pip install" in script
        own = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"',
            str(self.root),
        ]
        return [*([] if world else self.inside), *own, "bash", "-euo", "pipefail", "-c", script]

    def run(self, commands: str) -> str:
        done = subprocess.run(self.command(commands), env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    running = Folders.running

    def nginx(self) -> "contextlib.AbstractContextManager[subprocess.Popen[bytes]]":
        return self.running("exec nginx -g 'daemon off;'")

    def answers(self, url: str) -> bool:
        return subprocess.run([*self.inside, "curl", "-fs", url], capture_output=True, check=False).returncode == 0

    def of_meta(self, method: str, path: str, body: Any = None) -> Any:
        command = [*self.inside, "curl", "-fs", "-X", method, self.meta + path]
        command += [] if body is None else ["-d", json.dumps(body)]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout or b"null")

    def has(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).stat().st_size > 0


@contextlib.contextmanager
def built(folder: Path, root: Path, wheel: Path) -> Iterator[tuple[list[str], str]]:
    """(buildah, a container of deploy/Containerfile); `root` stands for the image of Python that it begins with."""
    store = ["--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
    buildah = ["buildah", *store]

    def ran(*arguments: str) -> str:
        done = subprocess.run([*buildah, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return (done.stdout.strip().splitlines() or [""])[-1]

    text = (Path(__file__).parents[1] / "deploy" / "Containerfile").read_text()
    (base,) = {line.split()[1] for line in text.splitlines() if line.startswith("FROM ")}
    (folder / "dist").mkdir()
    shutil.copy(wheel, folder / "dist")
    try:
        empty = ran("from", "scratch")
        subprocess.run(["cp", "-a", f"{root}/.", ran("mount", empty)], check=True)
        ran("config", "--env", "PIP_CERT=/etc/ssl/certs/ca-certificates.crt", empty)
        ran("commit", "--rm", empty, base)
        file = str(Path(__file__).parents[1] / "deploy" / "Containerfile")
        build = ("build", "--isolation", "chroot", "--pull=never", "--format", "docker")
        ran(*build, "-t", "conversion-relay", "-f", file, str(folder / "dist"))
        yield buildah, ran("from", "--pull=never", "localhost/conversion-relay")
    finally:
        subprocess.run([*buildah, "rm", "--all"], capture_output=True, check=False)
        subprocess.run([*buildah, "rmi", "--all", "--force"], capture_output=True, check=False)
