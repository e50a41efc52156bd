"""`request.visitor` in every view; and a server that delivers begins with it, not with the first event.

Put it after Django's own SecurityMiddleware. Only servers load middleware: `manage.py migrate` delivers nothing.
"""

from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.utils.functional import SimpleLazyObject

from conversion_relay.frameworks.django import get_relay, visitor
from conversion_relay.frameworks.django.conf import given


class ConversionMiddleware:
    """Synchronous and asynchronous. Headers are read when a view asks, so other requests pay nothing."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
        if given().get("DELIVER"):
            get_relay()

    def __call__(self, request: Any) -> Any:
        request.visitor = SimpleLazyObject(lambda: visitor(request))
        return self._get_response(request)
