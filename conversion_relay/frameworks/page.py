"""What a page of the program holds: the script's tag, and the browser's copy of an event that the server tracked.

Both copies must have one event id, or Meta counts two events. So the id is the server's, and the page only repeats it.
Everything here goes into HTML, and some of it came from visitors: no text can end the element that it stands in.
"""

import html
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from conversion_relay.event import CustomData
from conversion_relay.personal_data.foreign_types import OCTETS, json_form


def script_tag(src: str, endpoint: str, *, nonce: str = "", **data: str | bool) -> str:
    """The script's element. `data`: its other attributes, as docs/browser.md lists them; False or an empty text leaves
    one out. But a template's unknown name is an empty text, too: `consent` without a value still requires an answer.

    >>> script_tag("/m.js", "https://relay.example/events", consent="required")
    '<script src="/m.js" data-endpoint="https://relay.example/events" data-consent="required"></script>'
    """
    attributes: dict[str, str | bool] = {
        name: text for name, text in (("src", src), ("nonce", nonce), ("data-endpoint", endpoint)) if text
    }
    given = {name: value for name, value in data.items() if value is not False and (str(value) or name == "consent")}
    attributes |= {f"data-{name.replace('_', '-')}": value for name, value in given.items()}
    shown = [name if value is True else f'{name}="{html.escape(str(value))}"' for name, value in attributes.items()]
    return f"<script {' '.join(shown)}></script>"


def event_tag(
    event_name: str, event_id: str | None, data: Mapping[str, Any] | CustomData | None = None, *, nonce: str = ""
) -> str:
    """The browser's copy of an event that the server tracked; nothing where the server kept none (`event_id` None, or
    a name that the template does not know: without an id Meta would count two events).

    >>> event_tag("Lead", "lead_1", {"value": 9.5})
    '<script>MetaTracking.trackOnce("lead_1", "Lead", {"value": 9.5}, {"pixelOnly": true});</script>'
    """
    if not event_id:
        return ""
    given = data.to_wire() if isinstance(data, CustomData) else dict(data or {})
    arguments = ", ".join(map(_literal, (str(event_id), event_name, given, {"pixelOnly": True})))
    opening = f'<script nonce="{html.escape(nonce)}">' if nonce else "<script>"
    return f"{opening}MetaTracking.trackOnce({arguments});</script>"


def _literal(value: object) -> str:
    """JSON that is safe inside a script element: https://html.spec.whatwg.org/#restrictions-for-contents-of-script-elements"""
    text = json.dumps(value, default=_plain)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: object) -> Any:
    """Shops count money in Decimal; the page's script reads a number. Any other type is what `track` reads it as, so
    that a name in the visitor's language fails in neither."""
    if isinstance(value, OCTETS):
        return bytes(value).decode()
    return float(value) if isinstance(value, Decimal) else msgspec.to_builtins(value, enc_hook=json_form)
