"""What a file for `expect` says: which pages are opened, what is done there, and which events must come of it. Pure.

A key that is not known is an error with its place: a misspelt `curency` would otherwise let every currency pass.
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

VERBS = ("click", "check", "fill", "select", "press", "wait_for", "goto", "evaluate")
PAIRED = ("fill", "select", "press")
"""These take `{selector: text}`, the others one text."""


class UnreadablePlan(Exception):
    """The file does not say what to do; the message names the place."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event name on one page. What is not said is not looked at, but for how many came and their ids."""

    event: str
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    sides: Literal["both", "server", "browser"] = "both"
    value: float | None = None
    currency: str | None = None
    keys: list[str] = []
    """Match keys that the server's copy must carry, by Meta's names: em, ph, fbp ..."""
    custom_data: dict[str, str | int | float | bool | list[str | int | float]] = {}


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    name: str = ""
    do: list[dict[str, str | dict[str, str]]] = []
    expect: list[Wanted]

    @property
    def title(self) -> str:
        return self.name or self.url


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    collector: str
    """Where the pages reach the collector: the address in `data-endpoint`, without a path."""
    pages: Annotated[list[Page], msgspec.Meta(min_length=1)]
    pixel: str = "1232612085335834"
    pixel_script: Literal["stand-in", "meta"] = "stand-in"
    settings: dict[str, str] = {}
    """Settings of the collector: RELAY_PUBLIC_EVENTS, RELAY_CONSENT ..."""
    within: Annotated[float, msgspec.Meta(gt=0, le=120)] = 10.0
    """Seconds in which the events must have come."""
    quiet: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0
    """Seconds after that in which no other may come."""


def read_plan(found: object) -> Plan:
    """`found`: the parsed YAML. Raises UnreadablePlan.

    >>> plan = read_plan({"collector": "https://relay.shop.example/", "pages": [
    ...     {"url": "http://127.0.0.1:3000/", "expect": [{"event": "Lead", "keys": ["em"]}]}]})
    >>> plan.collector, plan.pages[0].expect[0].sides
    ('https://relay.shop.example', 'both')
    >>> read_plan({"collector": "https://x.example", "pages": [{"url": "http://y.example/", "expects": []}]})
    Traceback (most recent call last):
    conversion_relay.cli.expect.plan.UnreadablePlan: Object contains unknown field `expects` - at `$.pages[0]`
    """
    try:
        plan = _decoder.decode(msgspec.json.encode(_as_meant(found)))
    except (msgspec.ValidationError, TypeError) as error:
        raise UnreadablePlan(str(error)) from None
    for at, page in enumerate(plan.pages):
        _check_steps(page, f"$.pages[{at}].do")
        if _origin(page.url) is None:
            raise UnreadablePlan(f"a page's address begins with http:// or https:// - at `$.pages[{at}].url`")
        names = [wanted.event for wanted in page.expect]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UnreadablePlan(f"{twice} stands twice - at `$.pages[{at}].expect`; name it once, with its count")
    if not plan.pixel.isdecimal():
        raise UnreadablePlan("the pixel's id is digits - at `$.pixel`")
    collector = _origin(plan.collector)
    if collector is None or urlsplit(plan.collector).path.strip("/"):
        raise UnreadablePlan(
            "the collector's address is as https://relay.shop.example, without a path - at `$.collector`"
        )
    return msgspec.structs.replace(plan, collector=collector)


def _as_meant(found: object) -> object:
    """The texts that YAML made numbers and flags of: an id and settings without quotes."""
    if not isinstance(found, dict):
        return found
    meant = dict(found)
    if "pixel" in meant:
        meant["pixel"] = _as_text(meant["pixel"])
    if isinstance(settings := meant.get("settings"), dict):
        meant["settings"] = {name: _as_text(value) for name, value in settings.items()}
    return meant


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _origin(url: str) -> str | None:
    """Scheme, host and port as a browser writes them; None for what no page can have.

    >>> _origin("HTTPS://Relay.Example:443/"), _origin("http://127.0.0.1:3000/a"), _origin("localhost:3000")
    ('https://relay.example', 'http://127.0.0.1:3000', None)
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, _PORTS[parts.scheme]) else "")


_PORTS = {"http": 80, "https": 443}


def _check_steps(page: Page, where: str) -> None:
    for n, step in enumerate(page.do):
        place = f"at `{where}[{n}]`"
        if len(step) != 1:
            raise UnreadablePlan(f"a step has one verb - {place}")
        ((verb, what),) = step.items()
        if verb not in VERBS:
            raise UnreadablePlan(f"no such verb; there are {', '.join(VERBS)} - {place}")
        if isinstance(what, dict) != (verb in PAIRED):
            shape = "{selector: text}" if verb in PAIRED else "one text"
            raise UnreadablePlan(f"{verb} takes {shape} - {place}")


_decoder = msgspec.json.Decoder(Plan, strict=False)
