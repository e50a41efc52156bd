"""A task queue. The Relay is made before Celery forks its workers; each worker delivers by itself.

A task that is killed before `track` returns is run again (`acks_late`), and the same event id is one event. So is one
for which nothing could be stored: Celery takes a task that raised for done, unless it is told otherwise.

The broker keeps a task's arguments until it was run, and Celery shows them in its events (Flower) and its debug log.
Where the task can look the person up, give it the order's id alone; `argsrepr` keeps them out of events and log."""

import os
from pathlib import Path

from celery import Celery

from conversion_relay import CustomData, Event, OutboxUnavailable, Relay, UserData

app = Celery("tasks", broker=os.environ.get("BROKER", "filesystem://"))
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)
if "BROKER" not in os.environ or "BROKER_FOLDER" in os.environ:  # a broker of files, for one machine
    folder = os.environ.get("BROKER_FOLDER", "orders")
    Path(folder).mkdir(parents=True, exist_ok=True)
    app.conf.broker_transport_options = {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": f"{folder}/control",
    }
relay = Relay.from_env(deliver=True)


@app.task(ignore_result=True, autoretry_for=(OutboxUnavailable,), retry_backoff=True, max_retries=None)
def tell_of_purchase(order: str, email: str, total: float) -> None:
    relay.track(
        Event(
            event_name="Purchase",
            event_id=f"purchase_{order}",
            user_data=UserData(email=email),
            custom_data=CustomData(value=total, currency="EUR", order_id=order),
        )
    )


if __name__ == "__main__":  # python tasks.py 100: so many orders
    import sys

    from tasks import tell_of_purchase as task

    for n in range(int(sys.argv[1])):
        task.apply_async((str(n), "jane@shop.example", 9.5), argsrepr=f"({n}, ...)")
