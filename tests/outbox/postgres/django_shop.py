"""An order and its Purchase in one transaction of Django's: `python -m tests.outbox.postgres.django_shop URL HOST`.

In a process of its own, since Django's settings are the process's; imported late, since they must be made first."""

import contextlib
import os
import sys

from conversion_relay import Event, UserData

BUYER = UserData(email="joe@example.com")


class Declined(Exception):
    pass


def pay(number: str, *, declined: bool = False, dies: bool = False) -> None:
    from django.db import connection, transaction
    from django.test import RequestFactory

    from conversion_relay.frameworks.django import track

    amount = {"value": 5, "currency": "EUR"}
    event = Event(event_name="Purchase", event_id=f"purchase_{number}", user_data=BUYER, custom_data=amount)
    with transaction.atomic(), connection.cursor() as cursor:
        if dies:
            transaction.on_commit(lambda: os._exit(0))  # before anything else can happen after the commit
        cursor.execute("INSERT INTO shop_order VALUES (%s)", [number])
        assert track(RequestFactory().get("/"), event).status == "pending"
        if declined:
            raise Declined


def main(url: str, host: str) -> None:
    import django
    from django.conf import settings

    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": host}
    ours = {"RELAY_OUTBOX": url, "META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAtest"}
    settings.configure(
        DATABASES={"default": database | {"PORT": "5432"}},
        CONVERSION_RELAY={"SETTINGS": ours, "OUTBOX_DATABASE": "default"},
    )
    django.setup()
    pay("7")
    with contextlib.suppress(Declined):
        pay("8", declined=True)
    pay("9", dies=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
