"""One Django for the process: its settings are global."""

import pytest


@pytest.fixture(scope="session")
def django_shop(tmp_path_factory):
    from tests.frameworks.shops import set_up_django

    set_up_django(tmp_path_factory.mktemp("django") / "shop.db")
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@pytest.fixture
def collected(monkeypatch):
    """The events of a shop's own tests."""
    from conversion_relay.relay.in_test import SETTINGS, collecting

    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    with collecting() as events:
        yield events
