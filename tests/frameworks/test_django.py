"""What a Django shop notices: transactions, checks, the worker's verb, the middleware."""

import os
import sys
import types

import pytest
from django.utils.functional import SimpleLazyObject, empty

from conversion_relay import InvalidEvent, OutboxUnavailable
from conversion_relay.relay.in_test import SETTINGS
from tests import asgi
from tests.frameworks.shops import AGENT

pytestmark = pytest.mark.usefixtures("django_shop")
ANYBODY = {"HTTP_USER_AGENT": AGENT, "REMOTE_ADDR": "198.51.100.7"}


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


def test_a_task_or_a_command_has_no_request_and_waits_for_its_transaction_all_the_same(collected):
    from django.db import transaction

    from conversion_relay.frameworks.django import track, track_async

    for fails in (True, False):
        with transaction.atomic():
            assert track(None, lead()).status == "pending"
            transaction.set_rollback(fails)
        assert ids(collected) == ([] if fails else ["lead-1"])
    assert asgi.run(track_async(None, lead(event_id="lead-2"))).status == "accepted"
    assert [event["user_data"].keys() for event in collected.events] == [{"em"}] * 2


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
    for wrong in ({"PIXEL": "1"}, None, {"SETTINGS": "META_PIXEL_ID=1"}, {"DELIVER": "false"}, {"CONSENT_COOKIE": 3}):
        assert list(checked(monkeypatch, CONVERSION_RELAY=wrong)) == ["conversion_relay.E001"]
    unset = {"META_PIXEL_ID": 1, "META_ACCESS_TOKEN": None}  # os.environ.get("META_ACCESS_TOKEN")
    (told,) = checked(monkeypatch, {}, CONVERSION_RELAY={"SETTINGS": unset}).values()
    assert told == "Missing required environment variables: META_ACCESS_TOKEN"
    (told,) = checked(monkeypatch, CONVERSION_RELAY={"SETTINGS": {"RELAY_API_KEYS": {"a": 1}}}).values()
    assert "RELAY_API_KEYS is a text, a number or a list, not dict" in told
    assert list(checked(monkeypatch, CONVERSION_RELAY={"OUTBOX_DATABASE": "default"})) == ["conversion_relay.E002"]
    misspelt = (
        "mysql://shop/relay",
        "sqlite://relay.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///:memory:",
        "SQLITE:///relay.db",
    )
    for nowhere in (tmp_path / "relay.db", f"sqlite:///{tmp_path}/nowhere/relay.db", *misspelt):
        found = checked(monkeypatch, CONVERSION_RELAY={"SETTINGS": {"RELAY_OUTBOX": nowhere}})
        assert list(found) == ["conversion_relay.E003"]
    https = ("HTTP_X_FORWARDED_PROTO", "https")
    assert list(checked(monkeypatch, SECURE_PROXY_SSL_HEADER=https)) == ["conversion_relay.W001"]
    assert list(checked(monkeypatch, MIDDLEWARE=[])) == ["conversion_relay.W002"]


def test_a_setting_may_have_pythons_types_for_the_shop_and_its_worker(monkeypatch):
    from django.core.management import call_command
    from django.test import override_settings

    from conversion_relay.frameworks.django import get_relay

    became = []
    monkeypatch.setattr(os, "execve", lambda path, command, env: became.append(env))
    typed = {"META_PIXEL_ID": 17, "RELAY_ALLOWED_ORIGINS": ["https://a.example", "https://b.example"]}
    with override_settings(CONVERSION_RELAY={"SETTINGS": SETTINGS | typed | {"RELAY_SET_COOKIES": False}}):
        settings = get_relay().settings
        call_command("deliver_conversions", "--once")
    assert settings.datasets[0].pixel_id == "17" and len(settings.datasets[0].allowed_origins) == 2
    (env,) = became
    assert env["RELAY_ALLOWED_ORIGINS"] == "https://a.example,https://b.example"
    assert (env["META_PIXEL_ID"], env["RELAY_SET_COOKIES"]) == ("17", "false")


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


def test_the_script_is_loaded_from_its_address_and_sends_to_the_collectors():
    from django.template import Context, Template

    page = Template("{% load conversion_relay %}{% relay_script %}").render(Context())
    assert 'src="/meta-tracking.min.js"' in page and 'data-endpoint="https://relay.shop.example/events"' in page


def test_the_script_carries_the_pages_nonce():
    from django.template import Context, Template

    page = Template('{% load conversion_relay %}{% relay_script %}{% relay_event "Lead" "lead-1" %}')
    assert page.render(Context({"csp_nonce": "abc"})).count('nonce="abc"') == 2


class NotYetMade(SimpleLazyObject):
    """django-csp's nonce and Django 6's: false until somebody reads it, since it comes into the header only then."""

    def __bool__(self) -> bool:
        return self._wrapped is not empty


@pytest.mark.parametrize("place", ["context", "request", "request of a RequestContext"])
def test_a_nonce_that_is_made_when_it_is_read_is_read(place):
    from django.template import Context, RequestContext, Template

    nonce, page = NotYetMade(lambda: "abc"), Template("{% load conversion_relay %}{% relay_script %}")
    asked = request()
    if place == "context":
        context = Context({"csp_nonce": nonce})
    else:
        asked.csp_nonce = nonce
        context = Context({"request": asked}) if place == "request" else RequestContext(asked)
    assert 'nonce="abc"' in page.render(context)


def test_djangos_own_nonce_needs_no_context_processor(monkeypatch):
    """Django 6's module, played: it needs a newer Python than the oldest of ours."""
    from django.template import Context, Template

    csp = types.SimpleNamespace(get_nonce=lambda asked: NotYetMade(lambda: f"nonce of {asked.path}"))
    monkeypatch.setitem(sys.modules, "django.middleware.csp", csp)
    page = Template("{% load conversion_relay %}{% relay_script %}").render(Context({"request": request()}))
    assert f'nonce="nonce of {request().path}"' in page


def test_a_template_that_does_not_know_the_event_or_the_consent_errs_on_the_safe_side():
    from django.template import Context, Template

    tags = '{% relay_event "Lead" unknown.event_id %}{% relay_script consent=unknown mirror=unknown %}'
    page = Template("{% load conversion_relay %}" + tags).render(Context())
    assert "trackOnce" not in page and 'data-consent=""' in page and "mirror" not in page
