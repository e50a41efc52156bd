"""Flask: an extension.

    conversions = Conversions(app, Relay.from_env(deliver=True), consent=ConsentCookie("marketing"))

    @app.post("/checkout")
    def checkout():
        tracked = conversions.track(Event(event_name="Purchase", ...))
        return render_template("thanks.html", tracked=tracked)

Templates have `relay_script()` and `relay_event("Purchase", tracked.event_id, {...})`. Without a `relay` the settings
come from the environment when the first request needs them.
"""

from typing import Any

from flask import Flask, request
from markupsafe import Markup

from conversion_relay.event import Event
from conversion_relay.frameworks.page import event_tag, script_tag
from conversion_relay.frameworks.visitor import ConsentCookie, Visitor, cookie_of, visitor_of_environ
from conversion_relay.relay import Relay, Tracked

__all__ = ["ConsentCookie", "Conversions", "Visitor"]


class Conversions:
    """One Relay for one or several Flask applications."""

    def __init__(
        self, app: Flask | None = None, relay: Relay | None = None, *, consent: ConsentCookie | str | None = None
    ) -> None:
        self._relay, self._consent = relay, cookie_of(consent)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """CONVERSION_RELAY_SCRIPT and CONVERSION_RELAY_ENDPOINT of the configuration are the script's addresses."""
        app.extensions["conversion_relay"] = self
        app.config.setdefault("CONVERSION_RELAY_SCRIPT", "/meta-tracking.min.js")
        app.config.setdefault("CONVERSION_RELAY_ENDPOINT", "/events")

        def relay_script(**data: Any) -> Markup:
            src, endpoint = app.config["CONVERSION_RELAY_SCRIPT"], app.config["CONVERSION_RELAY_ENDPOINT"]
            return Markup(script_tag(src, endpoint, **data))  # noqa: S704 - escaped there

        def relay_event(event_name: str, event_id: str | None, data: Any = None, nonce: str = "") -> Markup:
            return Markup(event_tag(event_name, event_id, data, nonce=nonce))  # noqa: S704 - escaped there

        app.jinja_env.globals.update(relay_script=relay_script, relay_event=relay_event)

    @property
    def relay(self) -> Relay:
        """Raises SettingsError that names what is missing."""
        if self._relay is None:  # two threads may make one each: they share a file, and one is forgotten
            self._relay = Relay.from_env()
        return self._relay

    @property
    def visitor(self) -> Visitor:
        """Of the request that is being answered. Read anew each time: Flask's `g` lives as long as its application
        context, which a program may have pushed for good (`app.app_context().push()`), and then every visitor would be
        the first one."""
        return visitor_of_environ(self.relay, request.environ, self._consent)

    def track(self, event: Event) -> Tracked:
        """With the facts of the request that is being answered: durable when it returns."""
        return self.visitor.track(event)
