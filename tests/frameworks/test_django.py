"""What a Django shop notices: transactions, checks, the worker's verb, the middleware."""

import os

import pytest

from conversion_relay import InvalidEvent, OutboxUnavailable
from conversion_relay.relay.in_test import SETTINGS, collecting
from tests import asgi
from tests.frameworks.shops import AGENT

pytestmark = pytest.mark.usefixtures("django_shop")
ANYBODY = {"HTTP_USER_AGENT": AGENT, "REMOTE_ADDR": "198.51.100.7"}


@pytest.fixture
def collected(monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    with collecting() as events:
        yield events


def request(**query):
    from django.test import RequestFactory

    return RequestFactory(**ANYBODY).get("/", query)


def lead(**members):
    from conversion_relay import Event, UserData

    return Event(
        **{"event_name": "Lead", "event_id": "lead-1", "user_data": UserData(email="a@shop.example")} | members
    )


def ids(collected) -> list[str]:
    return [event["event_id"] for event in collected.events]


def test_an_order_that_is_rolled_back_tells_meta_nothing(collected):
    from django.db import transaction

    from conversion_relay.frameworks.django import track

    with transaction.atomic():
        assert track(request(), lead()).status == "pending"
        assert ids(collected) == []
        transaction.set_rollback(True)
    assert ids(collected) == []
    with transaction.atomic():
        track(request(), lead())
    assert ids(collected) == ["lead-1"]


def test_the_requests_visitor_waits_for_the_transaction_too(collected):
    from django.db import transaction

    from conversion_relay.frameworks.django.middleware import ConversionMiddleware

    def view(asked):
        with transaction.atomic():
            told.append(asked.visitor.track(lead()).status)
            transaction.set_rollback(asked.GET.get("fails") == "1")
        return told

    told: list[str] = []
    for query in ({"fails": "1"}, {}):
        ConversionMiddleware(view)(request(**query))
        assert ids(collected) == ([] if query else ["lead-1"])
    assert told == ["pending", "pending"]
    with transaction.atomic(), pytest.raises(InvalidEvent):
        ConversionMiddleware(lambda asked: asked.visitor.track(lead(event_name="")))(request())


@pytest.mark.parametrize("path", ["/товар/чай", "/café/menü", "/plain", "/お茶"])
def test_a_page_with_letters_of_any_alphabet_has_its_own_address(collected, path):
    """Django's request.META holds the path as text, where WSGI has its bytes as Latin-1."""
    from urllib.parse import quote, urlsplit

    from django.test import AsyncRequestFactory, RequestFactory

    from conversion_relay.frameworks.django import visitor

    for asked in (RequestFactory(HTTP_HOST="shop.example").get(path), AsyncRequestFactory().get(path)):
        assert urlsplit(visitor(asked).facts.url).path == quote(path)


def test_without_a_transaction_it_is_durable_at_once(collected):
    from conversion_relay.frameworks.django import track, track_async

    assert track(request(), lead()).status == "accepted"
    assert asgi.run(track_async(request(), lead())).status == "duplicate"


def test_a_mistake_in_the_event_is_the_views_and_not_the_commits(collected):
    from django.db import transaction

    from conversion_relay.frameworks.django import track

    with transaction.atomic(), pytest.raises(InvalidEvent):
        track(request(), lead(event_name=""))


def test_an_order_stands_when_its_event_cannot_be_kept_and_the_log_names_the_event(collected, monkeypatch, caplog):
    from django.db import transaction

    from conversion_relay.frameworks.django import track

    def full(*_):
        raise OutboxUnavailable("the disk is full")

    monkeypatch.setattr(collected, "put", full)
    with transaction.atomic():
        track(request(), lead())
    (record,) = [record for record in caplog.records if "could not be kept" in record.message]
    assert (record.event_id, record.reason) == ("lead-1", "the disk is full")


def test_every_view_knows_its_visitor(collected):
    from conversion_relay.frameworks.django.middleware import ConversionMiddleware

    seen = []
    ConversionMiddleware(lambda asked: seen.append(asked.visitor.facts.client_user_agent))(request())

    async def view(asked):
        seen.append(asked.visitor.facts.client_ip_address)

    asgi.run(ConversionMiddleware(view)(request()))
    assert seen == [AGENT, "198.51.100.7"]


def checked(monkeypatch, environ=SETTINGS, **settings):
    from django.core.checks import run_checks
    from django.test import override_settings

    for name in ("META_PIXEL_ID", "META_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with override_settings(**settings):
        return {found.id: found.msg for found in run_checks() if found.id.startswith("conversion_relay")}


def test_a_deployment_that_would_fail_is_told_before(monkeypatch, tmp_path):
    assert checked(monkeypatch, MIDDLEWARE=[], CONVERSION_RELAY={}) == {}
    missing = "Missing required environment variables: META_PIXEL_ID, META_ACCESS_TOKEN"
    assert checked(monkeypatch, {}, CONVERSION_RELAY={}) == {"conversion_relay.E001": missing}
    assert checked(monkeypatch, {}, CONVERSION_RELAY={"SETTINGS": SETTINGS}) == {}
    assert list(checked(monkeypatch, CONVERSION_RELAY={"PIXEL": "1"})) == ["conversion_relay.E001"]
    assert list(checked(monkeypatch, CONVERSION_RELAY={"OUTBOX_DATABASE": "default"})) == ["conversion_relay.E002"]
    https = ("HTTP_X_FORWARDED_PROTO", "https")
    assert list(checked(monkeypatch, SECURE_PROXY_SSL_HEADER=https)) == ["conversion_relay.W001"]
    assert list(checked(monkeypatch, MIDDLEWARE=[])) == ["conversion_relay.W002"]


def test_the_workers_verb_becomes_the_command_line_with_djangos_settings(monkeypatch):
    from django.core.management import call_command
    from django.test import override_settings

    became = []
    monkeypatch.setattr(os, "execve", lambda path, command, env: became.append((command[1:], env["RELAY_OUTBOX"])))
    with override_settings(CONVERSION_RELAY={"SETTINGS": {**SETTINGS, "RELAY_OUTBOX": "sqlite:///shop.db"}}):
        call_command("deliver_conversions", "--once")
    assert became == [(["-m", "conversion_relay", "deliver", "--once"], "sqlite:///shop.db")]


def test_the_admins_page_links_the_dashboard():
    from django.template import Context, Template
    from django.test import override_settings

    page = Template("{% load conversion_relay %}{% relay_dashboard_link %}")
    with override_settings(CONVERSION_RELAY={"DASHBOARD_URL": "https://relay.example/dashboard"}):
        assert page.render(Context()) == '<a href="https://relay.example/dashboard">Conversions</a>'
    with override_settings(CONVERSION_RELAY={}):
        assert page.render(Context()) == ""


def test_the_script_carries_the_pages_nonce():
    from django.template import Context, Template

    page = Template('{% load conversion_relay %}{% relay_script %}{% relay_event "Lead" "lead-1" %}')
    assert page.render(Context({"csp_nonce": "abc"})).count('nonce="abc"') == 2
