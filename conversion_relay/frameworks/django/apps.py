"""The application as Django's registry knows it."""

from django.apps import AppConfig


class ConversionRelayConfig(AppConfig):
    """Brings the system checks; the template tags and the management command are found by their folders."""

    name = "conversion_relay.frameworks.django"
    label = "conversion_relay"
    verbose_name = "Conversion Relay"

    def ready(self) -> None:
        from conversion_relay.frameworks.django import checks  # noqa: F401 - they register themselves
