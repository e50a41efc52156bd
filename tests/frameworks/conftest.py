"""One Django for the process: its settings are global."""

import pytest


@pytest.fixture(scope="session")
def django_shop(tmp_path_factory):
    from tests.frameworks.shops import set_up_django

    set_up_django(tmp_path_factory.mktemp("django") / "shop.db")
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
