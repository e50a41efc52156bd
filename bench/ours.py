"""The product as the benches run it: the real verbs in processes of their own, with Meta played by `stand_in`.

    python -m bench.ours fill EVENTS N OUTBOX ROWS DATASETS

fills an outbox (a file, or a URL) and the baseline's table with the same N sealed events.
"""

import contextlib
import itertools
import json
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench import traffic
from bench.least.rows import Rows
from bench.machine import LOADS, WORKS, Running, free_port, output, server
from bench.part import Form
from bench.rounds import FOLDER, sources

PYTHON = sys.executable
DISTINCT, DISTINCT_QUICK = 10_000, 2_500
"""Different events of a traffic file; load generators give each request ids of its own."""


def environment(outbox: Path | str, meta: str, **more: str) -> dict[str, str]:
    """`outbox`: a file, or the URL of another store."""
    return {
        "META_PIXEL_ID": "1",
        "META_ACCESS_TOKEN": "EAAbench",
        "META_GRAPH_URL": meta,
        "RELAY_API_KEYS": "k0000",
        "RELAY_OUTBOX": outbox if isinstance(outbox, str) else f"sqlite:///{outbox}",
        "RELAY_LOG_FORMAT": "json",
        **more,
    }


def of_many_datasets(folder: Path, n: int, outbox: Path | str, meta: str) -> dict[str, str]:
    """Settings with `n` datasets, whose ids are 1 to n and whose keys are k0000 upwards."""
    tables = [
        f'[[dataset]]\nMETA_PIXEL_ID = "{k + 1}"\nMETA_ACCESS_TOKEN = "EAAbench"\nRELAY_API_KEYS = ["k{k:04d}"]\n'
        for k in range(n)
    ]
    config = folder / "relay.toml"
    config.write_text("\n".join(tables))
    one_alone = ("META_PIXEL_ID", "META_ACCESS_TOKEN", "RELAY_API_KEYS")
    env = {name: value for name, value in environment(outbox, meta).items() if name not in one_alone}
    return {**env, "RELAY_CONFIG": str(config)}


@contextlib.contextmanager
def serving(env: dict[str, str], *arguments: str) -> Iterator[tuple[Running, int]]:
    """`conversion-relay serve` on a core of its own, ready."""
    port = free_port()
    command = [PYTHON, "-m", "conversion_relay.cli", "serve", "--port", str(port), *arguments]
    with server(command, port, env) as process:
        yield process, port


@contextlib.contextmanager
def least_door(door: str, folder: Path, meta: str = "") -> Iterator[tuple[Running, int]]:
    """The baseline's server."""
    port = free_port()
    command = [PYTHON, "-m", "uvicorn", "bench.least.server:create", "--factory", "--port", str(port)]
    command += ["--http", "httptools", "--loop", "uvloop", "--no-access-log", "--log-level", "error"]
    env = {"BENCH_DOOR": door, "BENCH_ROWS": str(folder / "rows.db"), "META_URL": meta}
    with server(command, port, env) as process:
        yield process, port


class Meta:
    """The stand-in's process, on the core of the load generator."""

    def __init__(self, url: str) -> None:
        self.url = url

    def set(self, **how: object) -> None:
        query = "&".join(f"{name}={value}" for name, value in how.items())
        urllib.request.urlopen(f"{self.url}/bench?{query}", data=b"", timeout=60).read()

    def seen(self) -> Any:
        return json.load(urllib.request.urlopen(f"{self.url}/bench", timeout=60))


@contextlib.contextmanager
def meta(latency_ms: float = 100.0) -> Iterator[Meta]:
    port = free_port()
    with server([PYTHON, "-m", "bench.stand_in", str(port)], port, core=LOADS):
        one = Meta(f"http://127.0.0.1:{port}")
        one.set(latency_ms=latency_ms)
        yield one


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """On the disk of the work, not in memory: an fsync must cost what it costs."""
    base = FOLDER / "work"
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as name:
        yield Path(name)


def traffic_file(form: Form, n: int = 0) -> Path:
    """Of today, since a server judges times by its clock. Kept for an hour."""
    n = n or form.count(DISTINCT_QUICK, DISTINCT)
    path = FOLDER / "work" / f"traffic-{form.shape}-{form.seed}-{n}.jsonl"
    if not path.exists() or time.time() - path.stat().st_mtime > 3_600:
        whole = traffic.write(path.with_suffix(".part"), n, seed=form.seed, shape=form.shape, now=time.time())
        whole.replace(path)
    return path


def load(**plan: Any) -> dict[str, Any]:
    """What the load generator measured; its process has the other core."""
    found: dict[str, Any] = json.loads(output([PYTHON, "-m", "bench.load_generator", json.dumps(plan)], LOADS))
    return found


def all_answered(found: dict[str, Any]) -> dict[str, Any]:
    if found["answered"] != found["requests"]:
        raise RuntimeError(f"{found['answered']} of {found['requests']} requests got a 202, others {found['other']}")
    return found


def filled(form: Form, n: int, datasets: int = 1) -> tuple[Path, Path]:
    """An outbox and a table of rows with the same events, sealed once for these sources."""
    name = f"{sources()}-{form.shape}-{form.seed}-{n}-{datasets}"
    outbox, rows = FOLDER / "work" / f"outbox-{name}.db", FOLDER / "work" / f"rows-{name}.db"
    if not rows.exists():
        with folder() as here:
            files = (here / "outbox.db", here / "rows.db")
            events = traffic_file(form)
            output([PYTHON, "-m", "bench.ours", "fill", str(events), str(n), *map(str, files), str(datasets)], WORKS)
            for made, place in zip(files, (outbox, rows), strict=True):
                made.replace(place)
    return outbox, rows


def copied(source: Path, target: Path) -> Path:
    shutil.copyfile(source, target)
    return target


def forget_filled() -> None:
    """They take a gigabyte."""
    for pattern in ("outbox-*.db*", "rows-*.db*"):
        for path in (FOLDER / "work").glob(pattern):
            path.unlink()


def fill(events: Path, n: int, outbox_file: str, rows_file: Path, datasets: int) -> None:
    from conversion_relay import Relay, Settings
    from conversion_relay.event import SealedEvent
    from conversion_relay.outbox import open_outbox

    documents = events.read_bytes().splitlines()
    relay = Relay(Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAbench"}))
    sealed = [relay.seal(document) for document in documents[:n]]
    outbox = open_outbox(outbox_file if "://" in outbox_file else f"sqlite:///{outbox_file}")
    rows = Rows(rows_file)
    numbers = iter(range(1, n + 1))
    while batch := list(itertools.islice(numbers, 1_000)):
        events_of_batch = []
        for number in batch:
            one = sealed[number % len(sealed)]
            assert isinstance(one, SealedEvent), one
            old, new = one.event_id, f"{traffic.ID_MARK.decode()}{number:0{traffic.ID_DIGITS}x}"
            body = one.body.replace(old.encode(), new.encode())
            dataset = str(1 + number % datasets)
            events_of_batch.append(msgspec.structs.replace(one, event_id=new, body=body, dataset=dataset))
        outbox.put(events_of_batch, time.time())
        rows.put([(event.event_id, event.body) for event in events_of_batch])
    outbox.close()


if __name__ == "__main__":
    fill(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], Path(sys.argv[5]), int(sys.argv[6]))
