"""`{% load conversion_relay %}`: the script, the browser's copy of an event, and a link to the dashboard.

{% relay_script consent="required" auto_page_views=True %}
{% relay_event "Purchase" tracked.event_id value=order.total currency="EUR" %}
{% relay_dashboard_link %}   in templates/admin/base_site.html, block userlinks
"""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from conversion_relay.frameworks.django.conf import given
from conversion_relay.frameworks.page import event_tag, script_tag

register = template.Library()


@register.simple_tag(takes_context=True)
def relay_script(context: Any, **data: Any) -> SafeString:
    """The script's element, with the addresses of CONVERSION_RELAY; `data` as in docs/browser.md."""
    src, endpoint = given().get("SCRIPT", "/meta-tracking.min.js"), given().get("ENDPOINT", "/events")
    return mark_safe(script_tag(src, endpoint, nonce=_nonce(context), **data))  # noqa: S308 - escaped there


@register.simple_tag(takes_context=True)
def relay_event(context: Any, event_name: str, event_id: str | None, **data: Any) -> SafeString:
    """The browser's copy of an event that the server tracked, under the same id."""
    return mark_safe(event_tag(event_name, event_id, data, nonce=_nonce(context)))  # noqa: S308 - escaped there


@register.simple_tag
def relay_dashboard_link(text: str = "Conversions") -> SafeString:
    """Nothing where no DASHBOARD_URL is configured."""
    url = given().get("DASHBOARD_URL")
    return format_html('<a href="{}">{}</a>', url, text) if url else SafeString("")


def _nonce(context: Any) -> str:
    """django-csp's and Django 6's, from the context or from the request. Both are made when they are read as a text,
    and are false until then."""
    request = context.get("request") or getattr(context, "request", None)
    for nonce in (context.get("csp_nonce"), getattr(request, "csp_nonce", None), _of_django(request)):
        if nonce is not None and (text := str(nonce)):
            return text
    return ""


def _of_django(request: Any) -> Any:
    """None before Django 6, and where its middleware is missing."""
    try:
        from django.middleware.csp import get_nonce
    except ImportError:
        return None
    return get_nonce(request)
