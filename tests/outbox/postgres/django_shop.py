"""An order and its Purchase in one transaction of Django's: `python -m tests.outbox.postgres.django_shop URL HOST`.

In a process of its own, since Django's settings are the process's; imported late, since they must be made first."""

import contextlib
import sys
import time

from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.suite import sealed


class Declined(Exception):
    pass


def pay(outbox: PostgresOutbox, number: str, *, declined: bool) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop_order VALUES (%s)", [number])
        outbox.put([sealed(f"purchase_{number}", name="Purchase")], time.time(), connection=connection)
        if declined:
            raise Declined


def main(url: str, host: str) -> None:
    import django
    from django.conf import settings

    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": host}
    settings.configure(DATABASES={"default": database | {"PORT": "5432"}})
    django.setup()
    outbox = PostgresOutbox(url)
    pay(outbox, "7", declined=False)
    with contextlib.suppress(Declined):
        pay(outbox, "8", declined=True)
    outbox.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
