"""`manage.py check`: what would fail with the first order is said before the deployment."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from conversion_relay.errors import SettingsError
from conversion_relay.frameworks.django.conf import environ
from conversion_relay.outbox import file_of, misaddressed
from conversion_relay.settings import Settings

MIDDLEWARE = "conversion_relay.frameworks.django.middleware.ConversionMiddleware"


@register()
def check_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """E001: the settings cannot be used. E002: no outbox in that database. E003: no outbox can be there. W001: proxies
    without trust. W002: no middleware, so nobody delivers."""
    try:
        ours = Settings.from_env(environ())
    except (SettingsError, ImproperlyConfigured) as error:
        hint = "set it in the environment, or in CONVERSION_RELAY['SETTINGS']"
        return [Error(str(error), hint=hint, id="conversion_relay.E001")]
    found: list[CheckMessage] = []
    alias = getattr(settings, "CONVERSION_RELAY", {}).get("OUTBOX_DATABASE")
    if alias is not None and (alias not in settings.DATABASES or not ours.outbox.startswith("postgres")):
        text = "OUTBOX_DATABASE needs an alias of DATABASES, and RELAY_OUTBOX=postgresql://... to the same database"
        found.append(Error(text, hint="leave it out for any other outbox", id="conversion_relay.E002"))
    if why := _no_outbox(ours.outbox):
        found.append(Error(why, hint="sqlite:////var/lib/shop/relay.db", id="conversion_relay.E003"))
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None) and not ours.trusted_proxies:
        hint = "name the proxy's network in RELAY_TRUSTED_PROXIES, e.g. 127.0.0.1/32"
        text = "Django trusts a proxy and Conversion Relay trusts none: every visitor has the proxy's address"
        found.append(Warning(text, hint=hint, id="conversion_relay.W001"))
    deliver = getattr(settings, "CONVERSION_RELAY", {}).get("DELIVER")
    if deliver and MIDDLEWARE not in settings.MIDDLEWARE:
        text = "DELIVER is on, and delivery begins with the first event only: the middleware is missing"
        found.append(Warning(text, hint=f"add {MIDDLEWARE} to MIDDLEWARE", id="conversion_relay.W002"))
    return found


def _no_outbox(url: str) -> str | None:
    """Why the first event would find none. Nothing is opened: a build may run the checks where no outbox is."""
    file = file_of(url)
    if file is not None and not file.parent.is_dir():
        return "RELAY_OUTBOX: the folder of the file does not exist; create it"
    return misaddressed(url)
