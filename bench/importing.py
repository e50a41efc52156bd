"""`import` beside what it cannot do without: sealing the same events and inserting them in bulk, in the same run.

    python -m bench.importing [ROWS]

Prints rows a second of CPU time of both (the best of three, one after the other), their ratio, and the peak of memory.
"""

import contextlib
import io
import resource
import sys
import tempfile
import time
from pathlib import Path

from conversion_relay.cli.importing import Job
from conversion_relay.cli.table.asked import Read, Said, ask
from conversion_relay.cli.table.lines import head_of
from conversion_relay.event import Event, SealedEvent, UserData
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings

SAID = Said(event_name="Purchase", action_source="physical_store", currency="EUR")


def main(n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sales.csv")
        now = int(time.time())
        with path.open("w") as file:
            file.write("email,phone,value,time,order id\n")
            for row in range(n):
                file.write(f"person{row}@example.com,+4930{1000000 + row},{row % 500}.50,{now},{row}\n")
        pairs = [
            (_bare(Path(folder, f"bare{turn}.db"), n, now), _imported(Path(folder, f"import{turn}.db"), path))
            for turn in range(3)
        ]
        bare, seconds = (min(times) for times in zip(*pairs, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(
            f"bare {n / bare:,.0f}/s, import {n / seconds:,.0f}/s, ratio {bare / seconds:.2f}, {peak:.0f} MB\n"
        )


def _relay(path: Path) -> Relay:
    environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_OUTBOX": f"sqlite:///{path}"}
    return Relay(Settings.from_env(environ | {"RELAY_BALLAST": "false"}))


def _bare(path: Path, n: int, now: int) -> float:
    begun = time.process_time()
    with _relay(path) as relay:
        batch: list[SealedEvent] = []
        for row in range(n):
            person = UserData(email=f"person{row}@example.com", phone=f"+4930{1000000 + row}")
            custom = {"value": row % 500 + 0.5, "currency": "EUR", "order_id": str(row)}
            named = {"event_name": "Purchase", "event_id": f"purchase_{row}", "action_source": "physical_store"}
            sealed = relay.seal(Event(**named, event_time=now, user_data=person, custom_data=custom))  # type: ignore[arg-type]
            assert isinstance(sealed, SealedEvent)
            batch.append(sealed)
            if len(batch) == 1_000:
                relay.put(batch)
                batch = []
        if batch:
            relay.put(batch)
    return time.process_time() - begun


def _imported(path: Path, source: Path) -> float:
    begun = time.process_time()
    head = head_of(source)
    read = ask(head, SAID)
    assert isinstance(read, Read)
    with _relay(path) as relay, contextlib.redirect_stderr(io.StringIO()):
        job = Job(source, head, read, dry_run=False, quiet=True)
        facts = job.run(relay, source.with_suffix(".verdicts"), anew=True, mark="bench")
    assert not facts["refused"]
    return time.process_time() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
