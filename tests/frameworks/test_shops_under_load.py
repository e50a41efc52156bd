"""Each shop as real processes while Meta hangs: workers are killed, then everything is; what was confirmed arrives."""

import re
import threading
import time

import pytest

from tests.frameworks.running import MORE, answers, open_port, running
from tests.frameworks.shops import EXAMPLES
from tests.processes import Installation, call, until

GUNICORN = ["gunicorn", "--workers", "2", "--graceful-timeout", "5"]


@pytest.fixture(scope="module")
def meta(tmp_path_factory):
    here = Installation(tmp_path_factory.mktemp("meta"))
    yield here
    here.end()


@pytest.fixture
def here(meta, tmp_path):
    call("POST", f"{meta.meta}/_emulator/reset")
    meta.database = tmp_path / "outbox.db"
    meta.env |= {"RELAY_OUTBOX": f"sqlite:///{meta.database}", "SHOP_DATABASE": str(tmp_path / "shop.db")}
    return meta


def arrived(here: Installation) -> set[str]:
    """All that the stand-in got once it answers again and nothing waits."""
    call("POST", f"{here.meta}/_emulator/reset")
    here.command("deliver", "--once")
    return {one["event"]["event_id"] for one in here.arrived()}


def command(shop: str, port: int) -> list[str]:
    at = f"127.0.0.1:{port}"
    return {
        "django_shop": [*GUNICORN, "--preload", "--threads", "4", "--bind", at, "shop.wsgi"],
        "flask_shop": [*GUNICORN, "--threads", "4", "--bind", at, "shop:app"],
        "fastapi_shop": ["uvicorn", "--workers", "4", "--port", str(port), "--log-level", "warning", "shop:app"],
        "litestar_shop": ["uvicorn", "--port", str(port), "--log-level", "warning", "shop:app"],
    }[shop]


def before_the_server(shop: str) -> list[list[str]]:
    """What `examples/README.md` tells to do first, each as a module with its arguments."""
    (told,) = re.findall(rf"`cd examples/{shop} && ([^`]+)`", (EXAMPLES / "README.md").read_text())
    return [step.removeprefix("python ").replace(".py ", " ").split() for step in told.split(" && ")[:-1]]


@pytest.mark.xdist_group("shops")
@pytest.mark.parametrize("shop", ["django_shop", "fastapi_shop", "flask_shop"])
def test_what_a_shop_confirmed_arrives_though_meta_hangs_and_every_process_is_killed(here, tmp_path, shop):
    here.misbehave(mode="hang")
    if shop == "django_shop":
        (step,) = before_the_server(shop)
        with running(shop, step, here.env, tmp_path / "migrate.log") as migrating:
            assert migrating.process.wait(60) == 0, (tmp_path / "migrate.log").read_text()
    port, log = open_port(), tmp_path / "shop.log"
    with running(shop, command(shop, port), here.env, log) as server:
        visitors = answers(port, form=shop != "fastapi_shop")
        half = threading.Event()
        load = threading.Thread(target=visitors.all_at_once, kwargs={"then": half})
        load.start()
        half.wait(60)
        server.kill_a_worker()
        load.join()
        visitors.check_out()
        server.kill()
    assert len(visitors.confirmed) >= MORE // 2, log.read_text()
    assert visitors.confirmed <= arrived(here)


@pytest.mark.xdist_group("shops")
def test_a_shop_that_is_told_to_stop_finishes_and_a_shop_that_delivers_needs_nobody_else(here, tmp_path):
    port, log = open_port(), tmp_path / "shop.log"
    with running("litestar_shop", command("litestar_shop", port), here.env, log) as server:
        visitors = answers(port, form=False)
        until(lambda: visitors.confirmed == {one["event"]["event_id"] for one in here.arrived()})
        server.process.terminate()
        assert server.process.wait(30) in (0, -15)
    assert "Traceback" not in log.read_text()


@pytest.mark.xdist_group("shops")
def test_a_task_queue_that_forks_its_workers_neither_hangs_nor_loses(here, tmp_path):
    """All of it is killed at the end. One worker alone is not: with a broker of files Celery hands out tasks under a
    lock that a killed worker keeps (billiard's pool without an event loop), whatever the task does."""
    here.misbehave(mode="hang")
    tasks = MORE // 10  # that broker hands out one in a second
    env = here.env | {"BROKER_FOLDER": str(tmp_path / "broker")}
    worker = ["celery", "-A", "tasks", "worker", "--concurrency", "2", "--without-gossip", "--without-mingle"]
    ordering = ["tasks", str(tasks)]
    with running("celery_tasks", [*worker, "--loglevel", "DEBUG"], env, tmp_path / "celery.log") as server:
        with running("celery_tasks", ordering, env, tmp_path / "orders.log") as orders:
            assert orders.process.wait(60) == 0, (tmp_path / "orders.log").read_text()
        until(lambda: here.books()["accepted"] == tasks)
        server.kill()
    assert arrived(here) == {f"purchase_{n}" for n in range(tasks)}
    log = (tmp_path / "celery.log").read_text()
    assert "tell_of_purchase" in log and "jane@shop.example" not in log


def test_a_visitor_never_waits_for_meta(here, tmp_path):
    """The mechanism, not the clock: a checkout is confirmed while Meta has not answered a single request."""
    here.misbehave(mode="hang")
    port = open_port()
    with running("litestar_shop", command("litestar_shop", port), here.env, tmp_path / "shop.log"):
        visitors = answers(port, form=False)
        until(lambda: here.requests() > 0)  # one is under way, and hangs
        started = time.monotonic()
        assert all(visitors.check_out() for _ in range(10))
        print(f"10 orders while Meta hangs: {time.monotonic() - started:.3f} s")
    assert here.arrived() == []
