"""Installations to look at, filled before they start: empty, full, in trouble, with thirty datasets."""

import json
import random
import time
from pathlib import Path

from conversion_relay.event import SealedEvent
from conversion_relay.outbox import Attempt, SignOfLife
from conversion_relay.outbox.audit import Audit, Change
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.story import AtWork
from conversion_relay.outbox.verdict import HELD, Dead, Delivered, Hold
from tests.processes import DATASET, Installation

NAMES = ("Purchase", "CompleteRegistration", "Lead", "InitiateCheckout", "AddToCart", "ViewContent", "PageView")
REFUSALS = (
    ("meta_100_2804009", "Missing Value", "Enter a value for this Purchase event.", "custom_data.value"),
    ("meta_100_2804003", "Event Timestamp Too Old", "Events must be sent within 7 days.", "event_time"),
)


def fill(path: Path, kind: str) -> None:
    now, chance, outbox = time.time(), random.Random(1), SqliteOutbox(str(path))
    datasets = [str(1_000_000_000 + n) for n in range(30)] if kind == "thirty" else [DATASET]
    for dataset in datasets if kind != "empty" else ():
        _week(outbox, dataset, now, chance, 40 if len(datasets) == 1 else 4)
        if kind == "trouble":
            _refused(outbox, dataset, now)
            _held(outbox, dataset, now)
    if kind == "thirty":
        for dataset in datasets[:2]:  # an event and its copy
            _put(outbox, dataset, "Purchase", ["purchase_1001"], now - 400)
    if kind == "trouble":
        _put(outbox, DATASET, "Purchase", [f"purchase_{n}" for n in range(2001, 2009)], now - 400)
    outbox.close()
    if kind in ("full", "trouble"):
        audit = Audit(f"sqlite:///{path}")
        audit.note(Change(now - 9_000, "settings", "settings"))
        audit.note(Change(now - 8_000, "dashboard", "replay", 12, f"{DATASET} Purchase meta_100_2804009"))
        audit.note(Change(now - 90, "command line", "erase", 1, "what holds a person's hashes"))


def give_sign(path: Path, kind: str) -> None:
    """A worker is there now: a sign of life is believed for some seconds alone."""
    now, outbox = time.time(), SqliteOutbox(str(path))
    state = AtWork()
    if kind == "trouble":
        state = AtWork(why="unauthorized", parked_until=now + 60, error_share=0.31, clock_skew_seconds=130.0)
    names = outbox.counts() or {DATASET: None}
    if kind != "empty":
        outbox.note_worker(SignOfLife(worker="web-1-4711", at=now + 20, datasets=dict.fromkeys(names, state)))
    outbox.close()


def hostile(outbox: SqliteOutbox, texts: list[str], now: float) -> None:
    """Each in every place that others can write: name, id, reason, and what Meta said."""
    body = b'{"user_data":{}}'
    for text in texts:
        of_all = {"event_time": int(now), "expires_at": int(now) + 600_000, "body": body}
        outbox.put_soon([SealedEvent(dataset=DATASET, event_name=text[:50], event_id=text[:200], **of_all)], now)
    for lease in iter(lambda: outbox.claim(DATASET, 1, 60, now), None):
        text = lease.events[0].event_id
        said = Attempt(at=now, outcome="refused", code=100, title=text, sentence=text, field=text, fbtrace_id=text)
        outbox.settle(lease, [(Dead(text[:100]), lease.events)], said, now)


def hostile_beside(outbox: SqliteOutbox, path: Path, texts: list[str], now: float) -> None:
    """Each in the places that are not of one refused event: names and currencies of figures, bodies, the pixel's
    reports, names of datasets and workers, why a dataset waits, the list of changes."""
    of_all = {"event_time": int(now), "expires_at": int(now) + 600_000}
    bodies = [
        {"custom_data": {"value": 1, "currency": text, "content_name": text}, "user_data": {"em": [text]}, "x": text}
        for text in texts
    ]
    for waits in (False, True):
        events = [
            SealedEvent(
                dataset=DATASET,
                event_name="Purchase" if n % 5 else text[:50] or "x",
                event_id=f"{text[:100]}-{n}-{waits}",
                body=json.dumps(bodies[n]).encode(),
                **of_all,
            )
            for n, text in enumerate(texts)
        ]
        outbox.put(events, now)
        if not waits:
            lease = outbox.claim(DATASET, 1_000, 60, now)
            outbox.settle(lease, [(Delivered(), lease.events)], None, now)
    outbox.note_pixel(DATASET, [(text[:50] or "x", text[:100]) for text in texts], now).result()
    audit = Audit(f"sqlite:///{path}")
    for n, text in enumerate(texts[::10]):
        outbox.put([SealedEvent(dataset=text[:40], event_name="Lead", event_id=f"d-{n}", body=b"{}", **of_all)], now)
        audit.note(Change(now, text, text, n, text))
    for n, text in enumerate(texts[:: len(texts) // 40]):
        state = AtWork(why=text, parked_until=now + 600)
        outbox.note_worker(SignOfLife(worker=f"{n}{text}", at=now + 300, datasets={DATASET: state, text[:40]: state}))


def _put(outbox: SqliteOutbox, dataset: str, name: str, ids: list[str], at: float) -> None:
    body = {
        "event_name": name,
        "user_data": {"em": ["a" * 64], "fbp": "fb.1.1700000000000.123456789", "client_ip_address": "8.8.4.4"},
        "custom_data": {"value": 149.0, "currency": "EUR"},
    }
    expires, document = int(at) + 600_000, json.dumps(body).encode()
    events = [
        SealedEvent(
            dataset=dataset, event_name=name, event_id=one, event_time=int(at), expires_at=expires, body=document
        )
        for one in ids
    ]
    outbox.put(events, at)


def _week(outbox: SqliteOutbox, dataset: str, now: float, chance: random.Random, times: int) -> None:
    for time_ago in sorted((chance.random() ** 2 * 7 * 86_400 for _ in range(times)), reverse=True):
        at = now - time_ago - 120
        name = chance.choice(NAMES)
        _put(outbox, dataset, name, [f"{name.lower()}_{dataset[-3:]}_{chance.randrange(10**6)}" for _ in range(3)], at)
        lease = outbox.claim(dataset, 1_000, 60, at)
        outbox.settle(lease, [(Delivered(), lease.events)], None, at + chance.choice((1, 2, 2, 3, 4, 9, 70)))
    pairs = [(name, f"pixel-{n}") for n, name in enumerate(NAMES)]
    outbox.note_pixel(dataset, pairs, now).result()


def _refused(outbox: SqliteOutbox, dataset: str, now: float) -> None:
    for n, (reason, title, sentence, field) in enumerate(REFUSALS):
        _put(outbox, dataset, "Purchase", [f"purchase_{1001 + n * 50 + k}" for k in range(12)], now - 7_200)
        lease = outbox.claim(dataset, 1_000, 60, now - 7_100)
        said = Attempt(
            at=now - 7_100, outcome="refused", status=400, code=100, subcode=int(reason[-7:]), title=title,
            sentence=sentence, field=field, index=0, fbtrace_id="AbCdEf123",
        )  # fmt: skip
        outbox.settle(lease, [(Dead(reason), lease.events)], said, now - 7_000)


def _held(outbox: SqliteOutbox, dataset: str, now: float) -> None:
    _put(outbox, dataset, "Purchase", ["purchase_1900"], now - 3 * 86_400)
    lease = outbox.claim(dataset, 1_000, 60, now - 100)
    outbox.settle(lease, [(Hold(HELD), lease.events)], None, now - 90)


def started(folder: Path, kind: str) -> Installation:
    """The caller ends it."""
    here = Installation(folder)
    fill(here.database, kind)
    if kind == "thirty":
        tables = "".join(
            f'[[dataset]]\nMETA_PIXEL_ID = "{1_000_000_000 + n}"\nMETA_ACCESS_TOKEN = "token-{n}"\n'
            f'RELAY_ALLOWED_ORIGINS = "https://shop-{n}.example"\nRELAY_API_KEYS = "key-{n}"\n'
            + ('RELAY_COPIES_TO = "1000000001, 1000000002"\n' if n == 0 else "")
            for n in range(30)
        )
        (folder / "relay.toml").write_text(tables)
        of_all = ("META_GRAPH_URL", "RELAY_OUTBOX", "RELAY_BALLAST")
        here.env = {"RELAY_CONFIG": str(folder / "relay.toml")} | {name: here.env[name] for name in of_all}
    here.start("--no-worker")
    return here
