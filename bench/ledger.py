"""A ledger of a week, made by the outbox's own verbs: what pages are opened over.

    python -m bench.ledger OUTBOX N DATASETS

N events of the last seven days, in turns of DATASETS datasets with ids from 1: most are delivered, one in a hundred
was refused for one of several causes, some are held, some wait. The names are those of a shop, and half of the last
day's have a twin from the pixel. Prints nothing; ends when all is durable.
"""

import random
import sys
import time
from collections.abc import Sequence
from typing import Any

from conversion_relay.event import SealedEvent
from conversion_relay.outbox import Attempt, Meter, open_outbox
from conversion_relay.outbox.verdict import HELD, Dead, Delivered, Hold

WEEK, BATCH = 7 * 86_400, 1_000
NAMES = {"PageView": 60, "ViewContent": 20, "AddToCart": 8, "InitiateCheckout": 4, "Search": 3, "Purchase": 2,
         "Lead": 1, "CompleteRegistration": 1, "Contact": 1, "QuizFinished": 1}  # fmt: skip
REFUSALS = (
    ("meta_100_2804009", "custom_data.value", "Enter a value for this Purchase event."),
    ("meta_100_2804003", "event_time", "Events must be sent within 7 days."),
    ("meta_100_2804019", "user_data", "Add more customer information parameters."),
)
WAITING, HELD_EACH = 5_000, 20
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
BODY = (
    '{"event_name":"%s","user_data":{"em":["'
    + DIGEST
    + '"],"ph":["'
    + DIGEST
    + '"],"fbp":"fb.1.1700000000000.1234567",'
    '"client_ip_address":"8.8.4.4","client_user_agent":"Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"},'
    '"custom_data":{"value":%.2f,"currency":"EUR"}}'
)


def fill(url: str, n: int, datasets: int) -> None:
    outbox: Any = open_outbox(url)
    now, chance = time.time(), random.Random(1)
    for number in range(n // BATCH):
        at = now - WEEK + 600 + (WEEK - 1_200) * number * BATCH / n
        dataset = str(1 + number % datasets)
        events = _events(dataset, number, at, chance)
        middle = chance.randrange(1, BATCH)
        outbox.put(events[:middle], at - chance.choice((1, 3, 20)))
        outbox.put(events[middle:], at)
        _end(outbox, dataset, number, at + chance.choice((1, 2, 4, 9, 70)))
        if isinstance(outbox, Meter) and now - at < 86_400:
            outbox.note_pixel(dataset, [(one.event_name, one.event_id) for one in events[: BATCH // 2]], at).result()
    for number in range(datasets):
        outbox.put(_events(str(1 + number), n + number, now, chance)[: WAITING // datasets], now)
    outbox.close()


def _events(dataset: str, number: int, at: float, chance: random.Random) -> list[SealedEvent]:
    names = chance.choices(list(NAMES), list(NAMES.values()), k=BATCH)
    return [
        SealedEvent(
            dataset=dataset,
            event_name=name,
            event_id=f"{name.lower()}_{number * BATCH + k}_{chance.randrange(16**12):012x}",
            event_time=int(at),
            expires_at=int(at) + WEEK,
            body=(BODY % (name, chance.random() * 200)).encode(),
        )
        for k, name in enumerate(names)
    ]


def _end(outbox: Any, dataset: str, number: int, at: float) -> None:
    lease = outbox.claim(dataset, BATCH, 60, at)
    refused, held = lease.events[: BATCH // 100], lease.events[BATCH // 100 :][: HELD_EACH if number % 500 == 7 else 0]
    rest = lease.events[len(refused) + len(held) :]
    reason, field, sentence = REFUSALS[number % len(REFUSALS)]
    said = Attempt(at=at, outcome="refused", status=400, code=100, subcode=int(reason[-7:]), sentence=sentence,
                   field=field, index=0, fbtrace_id="AbCdEf123")  # fmt: skip
    outbox.settle(lease, [(Dead(reason), refused)], said, at)
    if held:
        outbox.settle(lease, [(Hold(HELD), held)], None, at)
    outbox.settle(lease, [(Delivered(), rest)], Attempt(at=at, outcome="accepted", status=200), at)


def main(arguments: Sequence[str]) -> None:
    url, n, datasets = arguments
    fill(url, int(n), int(datasets))


if __name__ == "__main__":
    main(sys.argv[1:])
