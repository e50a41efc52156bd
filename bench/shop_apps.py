"""The shops of `bench.shops`: as they are, without `track`, or with a plain write and fsync in its place."""

import os
from typing import Any

from conversion_relay import Event, Tracked
from conversion_relay.frameworks.visitor import Visitor

KIND = os.environ["BENCH_KIND"]


def django() -> Any:
    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    call_command("migrate", verbosity=0)
    from shop import views  # type: ignore[attr-defined]

    if KIND != "track":
        views.track = lambda request, event: instead(event)
    return application


def fastapi() -> Any:
    async def track_async(_: Visitor, event: Event) -> Tracked:
        import asyncio

        return await asyncio.to_thread(instead, event) if KIND == "fsync" else instead(event)

    if KIND != "track":
        Visitor.track_async = track_async  # type: ignore[method-assign]
    import shop

    return shop.app


def instead(event: Event) -> Tracked:
    if KIND == "fsync":
        os.write(PROBE, b"x" * 4096)
        os.fdatasync(PROBE)
    return Tracked(str(event.event_id), "accepted")


PROBE = os.open(os.environ["SHOP_DATABASE"] + ".probe", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
