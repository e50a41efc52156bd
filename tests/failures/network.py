"""The network between us and Meta, and a Meta that refuses one dataset or its token."""

import json
import signal
import threading
from pathlib import Path

from tests.failures.load import Load, Progress, Result, event, reckon
from tests.failures.proxy import MODES, PASS, Proxy
from tests.processes import TOKEN, Installation, installation, until

BATCHES = 8_000
"""Most events that can be in doubt after one trouble: a full batch in each call in flight."""
RECOVERY_SECONDS = 60.0
HANG_SECONDS = 30
"""After which a call is given up, as planted: no other dataset may have waited for it."""


def bad_network(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Each trouble of the proxy in turn, under load."""
    with installation(folder) as here:
        proxy = Proxy(here.meta_port)
        here.env["META_GRAPH_URL"] = f"http://127.0.0.1:{proxy.port}"
        here.start()
        with Load(here, gap=0.02, most=5) as load:
            for n in range(rounds):
                mode = MODES[n % len(MODES)]
                _until_more_arrives(here)
                seen = proxy.connections
                proxy.change(mode)
                until(lambda seen=seen: proxy.connections > seen, RECOVERY_SECONDS)
                threading.Event().wait(0.3)
                proxy.change(PASS)
                progress(f"{n + 1}/{rounds} {mode}, {len(load.acknowledged)} acknowledged")
        return reckon("bad network", rounds, here, load.acknowledged, most_duplicates=rounds * BATCHES)


def refused(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Nobody listens where Meta was; what waits meanwhile arrives once, and quickly."""
    with installation(folder) as here:
        proxy = Proxy(here.meta_port)
        here.env["META_GRAPH_URL"] = f"http://127.0.0.1:{proxy.port}"
        here.start()
        with Load(here, gap=0.02, most=5) as load:
            for n in range(rounds):
                _until_more_arrives(here)
                proxy.shut()
                seen = len(load.acknowledged)
                until(lambda seen=seen: len(load.acknowledged) > seen + 500, RECOVERY_SECONDS)
                proxy.reopen()
                progress(f"{n + 1}/{rounds}, {len(load.acknowledged)} acknowledged")
        most = rounds * BATCHES  # those whose request had left when the door was shut
        return reckon("nobody listens at Meta", rounds, here, load.acknowledged, most_duplicates=most)


def no_name(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Meta's name does not resolve for a while. Needs the right to mount: the relay sees a hosts file of its own."""
    hosts, resolver = folder / "hosts", folder / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    mount = f'mount --bind {hosts} /etc/hosts && mount --bind {resolver} /etc/resolv.conf && exec "$@"'
    with installation(folder) as here:
        here.env["META_GRAPH_URL"] = f"http://localhost:{here.meta_port}"
        here.start(under=("unshare", "-m", "sh", "-c", mount, "sh"))
        with Load(here, gap=0.02, most=5) as load:
            for n in range(rounds):
                _until_more_arrives(here)
                hosts.write_text("")
                # A connection that stands needs no name: Meta hangs up on it.
                here.misbehave(mode="down", times=8)
                until(lambda n=n: _log(here).count('"reason": "dns"') > n, RECOVERY_SECONDS)
                hosts.write_text("127.0.0.1 localhost\n")
                here.misbehave(mode="none")
                progress(f"{n + 1}/{rounds}, {len(load.acknowledged)} acknowledged")
        return reckon("name does not resolve", rounds, here, load.acknowledged, most_duplicates=rounds * BATCHES)


def one_hangs(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Of several datasets one hangs, one is throttled and one has a dead token; the others notice nothing."""
    ids = [str(100 + n) for n in range(12)]
    sick = {"100": "hang", "101": "throttle", "102": "token_expired"}
    healthy = [dataset for dataset in ids if dataset not in sick]
    with installation(folder) as here:
        _several(here, folder, ids)
        patient = f"conversion_relay.delivery.sitting.DEADLINE_SECONDS={HANG_SECONDS}"
        here.start(planted=("--set", "conversion_relay.delivery.retry.PROBE_EVERY=3", "--set", patient))
        for dataset, mode in sick.items():
            here.misbehave(mode=mode, dataset=dataset, retry_after=2)
        posted: dict[str, set[str]] = {dataset: set() for dataset in ids}
        for n in range(rounds):
            for dataset in ids:
                name = f"{dataset}-{n}"
                assert here.post([event(name)], Authorization=f"Bearer key-{dataset}")[0] == 202
                posted[dataset].add(name)
            wanted = set().union(*(posted[dataset] for dataset in healthy))
            # Before the hanging call is given up.
            until(lambda wanted=wanted: wanted <= _ids(here), HANG_SECONDS - 5)
            progress(f"{n + 1}/{rounds}")
        here.misbehave(mode="none")
        everything = set().union(*posted.values())
        until(lambda: everything <= _ids(here), 130)
        dead = json.loads(here.command("dead", "list", "--json").stdout)
        arrived = [row["event"]["event_id"] for row in here.arrived()]
        verdict = "kept" if not dead else "dead letters"
        return Result("one dataset hangs", rounds, len(everything), 0, len(arrived) - len(set(arrived)), verdict)


def _several(here: Installation, folder: Path, ids: list[str]) -> None:
    tables = [
        f'[[dataset]]\nMETA_PIXEL_ID = "{i}"\nMETA_ACCESS_TOKEN = "{TOKEN}"\nRELAY_API_KEYS = "key-{i}"\n' for i in ids
    ]
    config = folder / "relay.toml"
    config.write_text("\n".join(tables))
    for name in ("META_PIXEL_ID", "META_ACCESS_TOKEN", "RELAY_API_KEYS"):
        del here.env[name]
    here.env["RELAY_CONFIG"] = str(config)


def dead_token(folder: Path, how: str) -> Result:
    """The token dies; a new one comes by a watched file, by TOML, or by TOML and SIGHUP; nothing is restarted."""
    with installation(folder) as here:
        place = _token_from_a_file(here, folder, how)
        here.start()
        here.misbehave(mode="token_expired")
        with Load(here, gap=0.05, most=5) as load:
            until(lambda: "Meta refuses the access token" in _log(here))
            asked = here.requests()
            until(lambda: len(load.acknowledged) > 200)
            probes = here.requests() - asked
            here.misbehave(mode="none")  # what the new token does
            place.write_text(place.read_text().replace(TOKEN, "EAAnew-canary-token"))
            if how == "SIGHUP":
                assert here.relay is not None
                here.relay.popen.send_signal(signal.SIGHUP)
            until(lambda: here.arrived())
        alerts = _log(here).count("Meta refuses the access token")
        verdict = reckon(f"dead token, new one by {how}", 1, here, load.acknowledged)
        if probes > 1 or alerts != 1:
            verdict.verdict = f"{probes} probes, {alerts} alerts"
        if any(token in here.logs() for token in (TOKEN, "EAAnew-canary-token")):
            verdict.verdict = "a token in the log"
        return verdict


def _token_from_a_file(here: Installation, folder: Path, how: str) -> Path:
    del here.env["META_ACCESS_TOKEN"]
    if how == "file":
        place = folder / "token"
        place.write_text(TOKEN + "\n")
        here.env["META_ACCESS_TOKEN_FILE"] = str(place)
    else:
        place = folder / "relay.toml"
        place.write_text(f'META_ACCESS_TOKEN = "{TOKEN}"\n')
        here.env["RELAY_CONFIG"] = str(place)
    return place


def _until_more_arrives(here: Installation) -> None:
    seen = len(here.arrived())
    until(lambda: len(here.arrived()) > seen, RECOVERY_SECONDS)


def _ids(here: Installation) -> set[str]:
    return {row["event"]["event_id"] for row in here.arrived()}


def _log(here: Installation) -> str:
    return (here.folder / "relay.log").read_text()
