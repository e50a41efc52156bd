"""What an error page of a framework, and a report of errors, show of us."""

import os

import pytest

from conversion_relay.relay.in_test import SETTINGS

pytestmark = pytest.mark.usefixtures("django_shop")


@pytest.mark.parametrize(
    "given",
    [
        {"SETTINGS": {"RELAY_GPC": "odd"}},
        {"SETTINGS": {"RELAY_GPC": ["granted", object()]}},
        {"SETTINGS": {}, "OUTBOX_DATABSE": "default"},
        {"SETTINGS": {}, "DELIVER": "no"},
    ],
    ids=["value", "type", "name", "switch"],
)
def test_the_page_and_the_mail_about_a_mistake_in_the_settings_hold_no_token(given, monkeypatch):
    """Both show the variables of each frame; Django masks settings by their names, and variables not at all."""
    from django.core.exceptions import ImproperlyConfigured
    from django.test import override_settings
    from django.views.debug import ExceptionReporter

    from conversion_relay import SettingsError
    from conversion_relay.frameworks.django import get_relay

    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("META_ACCESS_TOKEN", "EAAcanary")
    ours = given | {"SETTINGS": given["SETTINGS"] | {"STRIPE_WEBHOOK_SECRET": "whsec_canary"}}
    with (
        override_settings(CONVERSION_RELAY=ours),
        pytest.raises((SettingsError, ImproperlyConfigured)) as raised,
    ):
        get_relay()
    page = ExceptionReporter(None, type(raised.value), raised.value, raised.tb).get_traceback_data()["frames"]
    shown = [frame["vars"] for frame in page if f"{os.sep}conversion_relay{os.sep}" in frame["filename"]]
    assert shown and "canary" not in repr(shown)


def test_neither_does_that_of_a_middleware_which_meets_the_mistake_first():
    """A server loads it before anybody asks for the Relay."""
    from django.core.exceptions import ImproperlyConfigured
    from django.test import override_settings
    from django.views.debug import ExceptionReporter

    from conversion_relay.frameworks.django.middleware import ConversionMiddleware

    ours = {"SETTINGS": {"STRIPE_WEBHOOK_SECRET": "whsec_canary"}, "OUTBOX_DATABSE": "default"}
    with override_settings(CONVERSION_RELAY=ours), pytest.raises(ImproperlyConfigured) as raised:
        ConversionMiddleware(lambda request: None)
    page = ExceptionReporter(None, type(raised.value), raised.value, raised.tb).get_traceback_data()["frames"]
    shown = [frame["vars"] for frame in page if f"{os.sep}conversion_relay{os.sep}" in frame["filename"]]
    assert shown and "canary" not in repr(shown)
