"""What tools that report errors show of us: the variables of each frame, whatever went wrong in it."""

import inspect
import logging
import runpy
import threading
import traceback
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from conversion_relay import CustomData, Event, RequestFacts, UserData
from conversion_relay.collector import create_app, monitoring, pages
from conversion_relay.dashboard.access import Access
from conversion_relay.dashboard.figures import Memory
from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from conversion_relay.frameworks.asgi import Conversions
from conversion_relay.frameworks.asgi import visitor as asgi_visitor
from conversion_relay.frameworks.visitor import ConsentCookie, visitor_of_environ, visitor_of_scope
from conversion_relay.intake import accept as intake
from conversion_relay.intake.common_event import read_common
from conversion_relay.meta import graph
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings
from conversion_relay.webhooks import door
from tests import asgi
from tests.canary import traces_in
from tests.payments import stripe_notices as notices
from tests.test_relay import Meta
from tests.webhooks.shop import open_shop

PERSON = UserData(
    email="canary.zz@example.org", phone="+16505550199", first_name="Canariazz", client_user_agent="UA/5550199"
)
EVENT = Event(event_name="Lead", event_id="lead-1", user_data=PERSON, custom_data=CustomData(order_id="1"))
TOKEN = "EAAcanary.zz"
LAMBDA = Path(__file__).parents[1] / "lambda"


@pytest.fixture
def relay(tmp_path):
    env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN, "META_APP_SECRET": TOKEN}
    env |= {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "RELAY_ADMIN_PASSWORD": "canary.zz"}
    with Relay(Settings.from_env(env)) as opened:
        yield opened


def fails(*_, **__):
    raise ZeroDivisionError("a mistake of ours")


def shown(error: BaseException | None) -> str:
    """The variables of the frames that are not this test's."""
    told = ""
    while error is not None:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename != __file__]
        assert frames
        told += "".join(repr(frame.f_locals) for frame in frames)
        error = error.__cause__ or error.__context__
    return told


@pytest.mark.parametrize(
    ("room", "name"),
    [
        ("conversion_relay.intake.accept", "match_keys_of"),
        ("conversion_relay.intake.accept", "_sealed"),
        ("conversion_relay.intake.built", "read_members"),
        ("conversion_relay.meta.customer_information.common", "_of_number"),
    ],
)
def test_a_mistake_of_ours_in_the_door_shows_no_person(relay, monkeypatch, room, name):
    monkeypatch.setattr(f"{room}.{name}", fails)
    with pytest.raises(ZeroDivisionError) as raised:
        relay.track(msgspec.structs.replace(EVENT, event_time="2026") if name == "read_members" else EVENT)
    assert traces_in(shown(raised.value).encode()) == []


@pytest.mark.parametrize("does", ["seal", "seal bytes", "accept", "read"])
def test_nor_does_one_in_the_door_by_itself(relay, monkeypatch, does):
    raw = msgspec.json.encode(EVENT)
    given = {"seal": EVENT, "accept": read_common(raw)}.get(does, raw)
    for broken in ("accept._sealed", "common_event._decoded"):
        monkeypatch.setattr(f"conversion_relay.intake.{broken}", fails)
    with pytest.raises(ZeroDivisionError) as raised:
        {"accept": relay.accept, "read": read_common}.get(does, relay.seal)(given)
    assert traces_in(shown(raised.value).encode()) == []


@pytest.mark.parametrize("how", ["track", "track_async", "track_many"])
def test_a_dictionary_in_the_place_of_an_event_is_refused_without_the_person_in_it(relay, how):
    person = {"event_name": "Lead", "user_data": {"email": "canary.zz@example.org"}}

    def called():
        return relay.track_many([person]) if how == "track_many" else getattr(relay, how)(person)

    with pytest.raises(TypeError, match="takes an Event") as raised:
        asgi.run(called()) if how == "track_async" else called()
    trace = raised.value.__traceback__
    while trace and "conversion_relay" not in trace.tb_frame.f_code.co_filename:
        trace = trace.tb_next
    assert trace and traces_in("".join(repr(f.f_locals) for f, _ in traceback.walk_tb(trace)).encode()) == []


def test_what_are_no_facts_of_a_visit_is_refused_without_the_visitor(relay):
    with pytest.raises(TypeError, match="facts are") as raised:
        relay.remember("order-1", {"client_user_agent": "canary.zz"})
    assert traces_in(shown(raised.value).encode()) == []


def test_a_time_limit_that_ends_the_door_shows_no_person(relay, monkeypatch):
    """As Celery's soft limit and gunicorn's timeout do, at any line."""

    def ended(*_):
        raise SystemExit(1)

    monkeypatch.setattr(intake, "_complete", ended)
    with pytest.raises(SystemExit) as raised:
        relay.track(EVENT, RequestFacts(url="https://shop.example/?email=canary.zz@example.org"))
    assert traces_in(shown(raised.value).encode()) == []


def test_a_mistake_of_ours_about_a_payment_notice_shows_no_buyer(tmp_path, monkeypatch):
    monkeypatch.setattr(door, "event_of", fails)
    notice = notices.session(customer_details={"email": "canary.zz@example.org", "phone": "+16505550199"})
    with open_shop(tmp_path) as shop, pytest.raises(ZeroDivisionError) as raised:
        shop.stripe("checkout.session.completed", notice)
    ours = raised.value.__traceback__
    while ours and "conversion_relay" not in ours.tb_frame.f_code.co_filename:
        ours = ours.tb_next
    told = "".join(repr(frame.f_locals) for frame, _ in traceback.walk_tb(ours))
    assert ours and traces_in(told.encode()) == []


def test_a_turn_of_delivery_that_fails_is_told_without_token_and_visitor(relay, monkeypatch, caplog):
    told = threading.Event()

    class Tells(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "turn of the delivery worker failed" in record.getMessage():
                self.error = record.exc_info[1]
                told.set()

    handler = Tells()
    monkeypatch.setattr(graph, "appsecret_proof", fails)
    relay.track(EVENT)
    logging.getLogger("conversion_relay").addHandler(handler)
    worker = Worker(Delivery(relay.outbox, Meta(), relay.settings), relay.outbox)
    worker.start()
    try:
        assert told.wait(60)
    finally:
        worker.stop()
        logging.getLogger("conversion_relay").removeHandler(handler)
    assert traces_in(shown(handler.error).encode()) == []


def test_meta_asked_at_once_shows_no_token_when_it_fails(relay, monkeypatch):
    monkeypatch.setattr(graph, "appsecret_proof", fails)
    with pytest.raises(ZeroDivisionError) as raised:
        relay.send([relay.seal(EVENT)])
    assert traces_in(shown(raised.value).encode()) == []


@pytest.mark.parametrize("path", ["/metrics", "/dashboard"])
@pytest.mark.parametrize("header", ["authorization", "cookie"])
def test_a_page_that_fails_shows_neither_password_nor_session(relay, monkeypatch, path, header):
    """Sentry hooks into Litestar by itself, and sees its frames while they run."""
    from conversion_relay.dashboard.session import issued, session_key

    basic = f"Basic {b64encode(b'x:canary.zz').decode()}"
    value = issued(session_key(relay.settings), 4e9) if header == "cookie" else basic
    seen: list[str] = []
    monkeypatch.setattr(Memory, "today", fails)
    module = pages if path == "/dashboard" else monitoring
    monkeypatch.setattr(module, "note_failure", lambda error: seen.append(shown(error)))
    answer = asgi.ask(create_app(relay), path, method="GET", **{header: value})
    assert answer.status == 500 and seen
    assert value.rpartition(" ")[2].rpartition(".")[2] not in "".join(seen)


@pytest.mark.parametrize("how", ["basic", "form"])
def test_a_mistake_in_judging_a_password_shows_it_not(relay, monkeypatch, how):
    seen: list[str] = []
    monkeypatch.setattr(Access, "_guess", fails)
    module = pages if how == "form" else monitoring
    monkeypatch.setattr(module, "note_failure", lambda error: seen.append(ours_shown(error)))
    app = create_app(relay)
    if how == "basic":
        asked = asgi.ask(app, "/metrics", method="GET", authorization=f"Basic {b64encode(b'x:canary.zz').decode()}")
    else:
        asked = asgi.ask(app, "/dashboard/sign-in", b"password=canary.zz", origin="https://x", host="x")
    assert asked.status == 500 and seen
    assert traces_in("".join(seen).encode()) == [] and b64encode(b"x:canary.zz").decode() not in "".join(seen)


def ours_shown(error: BaseException) -> str:
    frames = traceback.walk_tb(error.__traceback__)
    return "".join(repr(frame.f_locals) for frame, _ in frames if "conversion_relay" in frame.f_code.co_filename)


def test_a_collector_that_cannot_be_made_shows_no_password(relay, monkeypatch):
    monkeypatch.setattr("conversion_relay.dashboard.password._EATEN", SimpleNamespace(search=fails))
    with pytest.raises(ZeroDivisionError) as raised:
        create_app(relay)
    assert traces_in(shown(raised.value).encode()) == []


HANDLERS = ["contact-handler", "deliver-handler", "payment-webhook", "registration-handler", "view-content-handler"]


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_on_lambda_that_fails_shows_nothing_of_what_it_was_called_with(monkeypatch, name):
    """A report of errors leaves out the frames of its own wrapper, and shows the handler's."""
    monkeypatch.syspath_prepend(str(LAMBDA))
    handler = runpy.run_path(str(LAMBDA / f"{name}.py"))["lambda_handler"]
    inner = inspect.unwrap(handler).__globals__
    monkeypatch.setitem(inner, "_delivery" if "_delivery" in inner else "answer", fails)
    with pytest.raises(ZeroDivisionError) as raised:
        handler({"body": "canary.zz@example.org", "Records": [{"body": "canary.zz@example.org"}]}, None)
    assert traces_in(shown(raised.value).encode()) == []


HEADERS = {
    "user-agent": "UA/5550199",
    "cookie": "_fbp=fb.1.1.5550199; marketing=granted",
    "referer": "https://canary.zz",
}
SCOPE = {"type": "http", "method": "GET", "query_string": b"email=canary.zz@example.org", "client": ("5550199", 1)}
SCOPE["headers"] = [(name.encode(), value.encode()) for name, value in {**HEADERS, "host": "shop.example"}.items()]
ENVIRON = {f"HTTP_{name.replace('-', '_').upper()}": value for name, value in HEADERS.items()}


@pytest.mark.parametrize(
    "fault", ["request_facts.request_facts", "request_facts._with_url", "visitor.ConsentCookie.read"]
)
@pytest.mark.parametrize("read", [visitor_of_scope, visitor_of_environ])
def test_a_mistake_of_ours_in_reading_a_request_shows_no_visitor(relay, monkeypatch, read, fault):
    """Before the program's own lines, in the middleware: the visitor is in the request's headers."""
    room = "frameworks" if fault.startswith("visitor") else "intake"
    monkeypatch.setattr(f"conversion_relay.{room}.{fault}", fails)
    with pytest.raises(ZeroDivisionError) as raised:
        read(relay, SCOPE if read is visitor_of_scope else ENVIRON, ConsentCookie("marketing"))
    assert traces_in(shown(raised.value).encode()) == []


@pytest.mark.parametrize("read", [RequestFacts.from_asgi, RequestFacts.from_wsgi])
def test_neither_do_facts_that_a_program_reads_by_itself(monkeypatch, read):
    monkeypatch.setattr("conversion_relay.intake.request_facts._with_url", fails)
    with pytest.raises(ZeroDivisionError) as raised:
        read(SCOPE if read == RequestFacts.from_asgi else ENVIRON)
    assert traces_in(shown(raised.value).encode()) == []


def test_headers_that_are_no_texts_are_refused_without_the_visitor():
    with pytest.raises(TypeError, match="headers are texts") as raised:
        RequestFacts.from_headers({"user-agent": b"UA/5550199"})
    assert traces_in(shown(raised.value).encode()) == []


@pytest.mark.parametrize("fault", ["view", "from_asgi"])
def test_the_frame_of_the_middleware_shows_no_visitor_when_a_view_or_the_middleware_fails(relay, monkeypatch, fault):
    async def view(scope, receive, send):
        raise ZeroDivisionError

    if fault == "from_asgi":
        monkeypatch.setattr(RequestFacts, fault, fails)
    with pytest.raises(ZeroDivisionError) as raised:
        asgi.run(Conversions(view, relay)(dict(SCOPE), None, None))
    frames = traceback.walk_tb(raised.value.__traceback__)
    told = "".join(repr(frame.f_locals) for frame, _ in frames if "conversion_relay" in frame.f_code.co_filename)
    assert told and traces_in(told.encode()) == []


def test_a_request_without_the_middleware_is_told_without_the_visitor():
    request = type("Request", (dict,), {"scope": SCOPE})(SCOPE)
    with pytest.raises(RuntimeError, match="add the middleware") as raised:
        asgi_visitor(request)
    assert traces_in(shown(raised.value).encode()) == []


def test_a_visit_that_cannot_be_read_shows_no_visitor(relay, monkeypatch):
    relay.remember("1", RequestFacts(client_user_agent="UA/5550199"))
    monkeypatch.setattr("conversion_relay.outbox.sqlite.visits.visit_decoder", SimpleNamespace(decode=fails))
    for call in (lambda: relay.facts_of("1"), lambda: relay.facts_for(EVENT)):
        with pytest.raises(ZeroDivisionError) as raised:
            call()
        assert traces_in(shown(raised.value).encode()) == []


@pytest.mark.parametrize("fault", ["Settings._read", "read_dataset"])
def test_a_mistake_of_ours_in_reading_settings_shows_no_secret(monkeypatch, fault):
    monkeypatch.setattr(f"conversion_relay.settings.{fault}", fails)
    with pytest.raises(ZeroDivisionError) as raised:
        Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN, "RELAY_API_KEYS": TOKEN})
    assert traces_in(shown(raised.value).encode()) == []
