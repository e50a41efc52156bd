"""Litestar: middleware, dependency and lifespan in one plugin.

app = Litestar([checkout], plugins=[ConversionPlugin(relay)])

@post("/checkout")
async def checkout(visitor: NamedDependency[Visitor]) -> None:
    await visitor.track_async(Event(event_name="Purchase", ...))
"""

from typing import Any

from litestar.config.app import AppConfig
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.plugins import InitPluginProtocol
from litestar.types import Scope

from conversion_relay.frameworks import asgi
from conversion_relay.frameworks.asgi import Conversions, lifespan
from conversion_relay.frameworks.visitor import ConsentCookie, Visitor, cookie_of
from conversion_relay.relay import Relay

__all__ = ["ConsentCookie", "ConversionPlugin", "Visitor"]


class ConversionPlugin(InitPluginProtocol):
    """Every handler may ask for `visitor`; the outbox lives as long as the application."""

    def __init__(self, relay: Relay, consent: ConsentCookie | str | None = None) -> None:
        self._relay, self._consent = relay, cookie_of(consent)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        middleware: Any = Conversions  # typed by ASGI's own shapes, which are wider than Litestar's
        app_config.middleware.append(DefineMiddleware(middleware, relay=self._relay, consent=self._consent))
        app_config.dependencies["visitor"] = Provide(_visitor, sync_to_thread=False)
        app_config.lifespan.append(lifespan(self._relay))
        app_config.signature_types.append(Visitor)
        return app_config


def _visitor(scope: Scope) -> Visitor:
    """A request and a WebSocket both have a scope; `request` is no name for the latter in Litestar 3."""
    found: Any = scope
    return asgi.visitor_in(found)
