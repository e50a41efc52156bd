"""Feeds every public function of a room with inputs that are made to be slow, and compares how the time grows.

The functions are found here, so that none is forgotten; what one takes is made from its parameters' types, or taught.

Times of CPU are compared with each other, never with a clock: LONGER times the input may take STEEPEST times the time.
What is linear takes 4 times, what is a square 16 times, so neither a busy machine nor a small cache of the processor
makes one look like the other. Each time is the best of several; what seems too much is measured again.
"""

import datetime
import importlib
import inspect
import json
import pkgutil
import time
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from conversion_relay.event import Event, UserData
from conversion_relay.intake.accept import Policy, Submission
from conversion_relay.intake.browser import BrowserIds, CookieSite
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.visit import Visit
from conversion_relay.intake.wishes_beside import Noes, noes
from conversion_relay.meta.customer_information import CommonKeys
from conversion_relay.meta.customer_information.keys import Context
from conversion_relay.meta.customer_information.network import normalize_user_agent
from tests.hostile_texts import PATTERNS

NOW, TODAY = 1_795_435_200.0, datetime.date(2026, 11, 23)
_REQUEST = {"url": "https://a.example", "version": "v27.0", "dataset": "1", "token": "E", "test_event_code": "TEST1"}
_IN_THE_US = {"default_country": "us", "variants": True, "now": NOW}
LONGER, STEEPEST = 4, 9
SHORT_SECONDS = 0.004  # below this a time says nothing about growth
SMALL, RANKED, LARGE, BUDGET_SECONDS = 4_096, 8_192, 65_536, 0.1
"""Sizes in characters. `RANKED`: that of every input; the two that take longest are asked how they grow."""


def functions(room: str) -> dict[str, Callable[..., Any]]:
    """Every public function of the room, and every public method of its classes, by name."""
    package, found = importlib.import_module(room), {}
    for module in pkgutil.walk_packages(package.__path__, f"{room}."):
        if module.name.endswith(".generate"):
            continue  # runs when the tables are written, never on what others send
        for name, member in vars(importlib.import_module(module.name)).items():
            if name.startswith("_") or getattr(member, "__module__", None) != module.name:
                continue
            if inspect.isclass(member):
                for method, value in vars(member).items():
                    if inspect.isfunction(value) and not method.startswith("_") and not issubclass(member, Exception):
                        found[f"{module.name}.{name}.{method}"] = value
            elif inspect.isroutine(inspect.unwrap(member)) and callable(member):
                found[f"{module.name}.{name}"] = inspect.unwrap(member)
    return found


def objects(text: str) -> dict[str, Any]:
    """A `custom_data` or `user_data` that holds the text in every place where a text may stand."""
    part = text[: len(text) // 8]
    few = [part[at : at + 7] for at in range(0, len(part), 7)]
    deep: Any = part
    for _ in range(30):
        deep = [deep] if len(str(deep)) % 2 else {"a": deep}
    return {"x": part, "list": few, "names": {f"{name}{n}": n for n, name in enumerate(few)}, "deep": deep, part: 1}


def person(text: str) -> dict[str, Any]:
    part = text[: len(text) // 16]
    few = [part[at : at + 7] for at in range(0, len(part), 7)]
    one: dict[str, Any] = dict.fromkeys(UserData.__struct_fields__, part[: len(part) // 8])
    return one | dict.fromkeys(("em", "external_id", "ph"), few)


def document(text: str) -> dict[str, Any]:
    contents = [{"id": text[:7], "x": n, text[:9] + str(n): n} for n in range(len(text) // 160)]
    return {
        "event_name": "Lead",
        "event_time": NOW,
        "event_id": text[: len(text) // 8],
        "action_source": "website",
        "event_source_url": f"https://a.example/{text[: len(text) // 8]}",
        "user_data": person(text),
        "custom_data": {"value": text[:99], "contents": contents, **objects(text)},
        text[:60]: text,
    }


def event(text: str) -> Event:
    members = document(text)
    members.pop(text[:60])
    return Event(**members | {"user_data": UserData(**members["user_data"])})


def wire(text: str) -> dict[str, Any]:
    return document(text) | {"event_time": int(NOW), "event_id": text}


def facts(text: str) -> RequestFacts:
    texts_of = ("client_ip_address", "client_user_agent", "fbp", "fbc", "url", "referrer", "origin")
    return RequestFacts(**dict.fromkeys(texts_of, text))


def error(text: str) -> msgspec.ValidationError:
    return msgspec.ValidationError(f"Object contains unknown field `{text}` - at `$.user_data`")


def _ids(text: str) -> BrowserIds:
    return BrowserIds(facts(text), CookieSite(), NOW, 1, is_secure=True, silence="send")


class _Sealed(msgspec.Struct):
    body: bytes


def _batch(text: str) -> list[_Sealed]:
    return [_Sealed(text[:100].encode("utf-8", "replace")) for _ in range(len(text) // 100)]


def _sent(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _beside(text: str) -> dict[str, msgspec.Raw]:
    names = ("consent", "gpc", "opt_out", "ad_user_data", *(text[n : n + 40] for n in range(99)))
    return dict.fromkeys(names, msgspec.Raw(_sent(text)))


def _noes(text: str) -> Noes:
    return noes(_beside(text))


def _look(text: str) -> dict[str, Any]:
    keys = UserData(**dict.fromkeys(CommonKeys.__struct_fields__, text))
    found = Event(event_name="Lead", event_time=int(NOW), event_id=text, event_source_url=text, user_data=keys)
    return _facts_now(text) | {"event": found, "is_browser": False}


def _facts_now(text: str) -> dict[str, Any]:
    return {"facts": facts(text), "now": NOW}


BY_NAME: dict[str, Callable[[str], Any]] = {
    "now": lambda text: NOW,
    "today": lambda text: TODAY,
    "entropy": lambda text: bytes(10),
    "field": lambda text: "fn",
    "key": lambda text: "fn",
    "context": lambda text: Context("us", TODAY),
    "country": lambda text: "us",
    "default_country": lambda text: "us",
    "user_data": person,
    "custom": lambda text: document(text)["custom_data"],
    "custom_data": lambda text: document(text)["custom_data"],
    "wire": lambda text: wire(text) | {"data_processing_options": ["LDU", text], "app_data": {"extinfo": text}},
    "event": wire,
    "document": document,
    "facts": facts,
    "submission": lambda text: Submission(event=event(text)),
    "policy": lambda text: Policy(dataset="1"),
    "findings": lambda text: [],
    "error": error,
    "batch": _batch,
    "events": _batch,
    "headers": lambda text: {"x-forwarded-for": text, "Cookie": f"_fbp={text}", "x-app-usage": text, text: text},
    "trusted_proxies": lambda text: (),
    "tell": lambda text: lambda path, reason: None,
    "texts": lambda text: dict.fromkeys(CommonKeys.__struct_fields__, text),
    "found": lambda text: (text.encode("ascii", "replace").decode(),) * 8,
    "names": lambda text: (text,) * 4,
    "allowed": lambda text: {"https://a.example"},
    "registrable": lambda text: lambda host: host,
    "removed": lambda text: [],
    "harmless": lambda text: frozenset({text}),
    "members": objects,
    "later": lambda text: Visit(fbp=text, url=text),
    "value": objects,
    "body": lambda text: _sent([document(text)] * 2),
    "raw": lambda text: json.dumps(document(text)).encode(),
}
BY_FUNCTION: dict[str, Callable[[str], dict[str, Any]]] = {
    "intake.at_a_look.at_a_look": lambda text: _look(text) | {"default_country": None},
    "intake.match_keys.said_or_known": lambda text: {"said": text, "known": text, "read": normalize_user_agent},
    "intake.match_keys.visitor_of": lambda text: _look(text) | {"event_time": int(NOW)},
    "intake.match_keys.match_keys_of": lambda text: _IN_THE_US | {"given": person(text), "removed": []},
    "intake.mending.decode": lambda text: {"raw": text.encode("utf-8", "replace")},
    "intake.origins.normal_origin": lambda text: {"text": f"https://{text}"},
    "meta.quality.quality_request": lambda text: {"url": text, "version": "v", "dataset": "1", "token": text},
    "meta.quality.token_request": lambda text: {"url": text, "version": "v", "token": text},
    "meta.quality.read_token": lambda text: {"status": 200, "body": json.dumps({"data": [objects(text)]}).encode()},
    "meta.quality.read_quality": lambda text: {"status": 200, "body": json.dumps({"web": [objects(text)]}).encode()},
    "meta.quality.quality": lambda text: {"sampled": 10, "keys": {"em": 5, text: 1}},
    "intake.mending.mended": lambda text: {"value": objects(text), "path": "custom_data", "tell": lambda *told: None},
    "intake.moment.original_in_seconds": lambda text: {"original": {"event_time": text}},
    "intake.values.object_in": lambda text: {"given": text},
    "intake.values.one_text": lambda text: {"given": text},
    "intake.wishes_beside.noes": lambda text: {"beside": _beside(text)},
    "intake.wishes_beside.with_noes": lambda text: {"event": msgspec.Raw(_sent(wire(text))), "said": _noes(text)},
    "intake.visit.visit_of": lambda text: _facts_now(text) | {"said": None, "policy": Policy(dataset="1")},
    "intake.visit.Visit.filled_from": lambda text: {"self": Visit(fbp=text), "later": Visit(fbp=text)},
    "intake.visit.Visit.facts": lambda text: {"self": Visit(fbp=text)},
    "intake.browser.BrowserIds.facts_for_event": lambda text: {"self": _ids(text), "event": event(text)},
    "intake.browser.BrowserIds.facts_for": lambda text: {"self": _ids(text), "consent": None, "url": text, "fbc": text},
    "intake.browser.BrowserIds.cookies": lambda text: {"self": _ids(text)},
    "intake.consent.decision": lambda text: {"consent": None, "gpc": True},
    "intake.consent.told": lambda text: {"policy": "ignore", "silence": "send"},
    "meta.blame.blamed": lambda text: {
        "error": {"message": text, "error_user_msg": text, "error_user_title": text, "error_data": text}
    },
    "meta.graph.appsecret_proof": lambda text: {"token": "EAA" * (len(text) // 3), "app_secret": "5" * len(text)},
    "meta.validate.is_suspect": lambda text: {"body": _sent(wire(text)), "subcode": 2804003, "now": NOW},
    "meta.graph.build_request": lambda text: _REQUEST | {"batch": _batch(text)},
    "meta.validate.expiry": lambda text: {"event_time": int(NOW), "action_source": text},
    "meta.graph.read_response": lambda text: {
        "status": 400,
        "headers": {"x-app-usage": text, "retry-after": text},
        "body": json.dumps({"error": {"code": 100, "message": text, "error_user_title": text}}).encode(),
        "sent": 1,
        "now": NOW,
    },
}
BY_STRUCT: dict[Any, Callable[[str], Any]] = {Event: event, RequestFacts: facts}
"""Types that say more than a parameter's name: an `event` may be a struct, or still the JSON of one."""
BY_TYPE: dict[Any, Callable[[str], Any]] = {
    str: lambda text: text,
    bytes: lambda text: text.encode("utf-8", "replace"),
    int: lambda text: 7,
    float: lambda text: 7.0,
    bool: lambda text: True,
    **dict.fromkeys((object, Any), lambda text: text),
}


def arguments(name: str, function: Callable[..., Any], text: str) -> dict[str, Any]:
    short = name.removeprefix("conversion_relay.")
    if short in BY_FUNCTION:
        return BY_FUNCTION[short](text)
    hints, made = typing.get_type_hints(function), {}
    for parameter in inspect.signature(function).parameters.values():
        kind = hints.get(parameter.name)
        kinds = [one for one in typing.get_args(kind) if isinstance(one, type) and one in BY_TYPE]
        if kind in BY_STRUCT:
            made[parameter.name] = BY_STRUCT[kind](text)
        elif parameter.name in BY_NAME:
            made[parameter.name] = BY_NAME[parameter.name](text)
        elif kind in BY_TYPE or kinds:
            made[parameter.name] = BY_TYPE[kind if kind in BY_TYPE else kinds[0]](text)
        elif parameter.default is parameter.empty:
            raise AssertionError(f"teach tests/linearity.py how to make {parameter} of {name}")
    return made


def seconds(name: str, function: Callable[..., Any], text: str, rounds: int = 1) -> float:
    """CPU of one call, the best of some; an exception that is the function's own answer counts as one."""
    best = float("inf")
    for _ in range(rounds):
        given = arguments(name, function, text)
        started = time.thread_time()
        try:
            answer = function(**given)
            if inspect.isgenerator(answer):
                list(answer)
        except (ValueError, KeyError, RecursionError, Exception) as odd:
            if type(odd).__name__ not in (
                "LeftOut",
                "Refused",
                "SettingsError",
                "ValueError",
                "KeyError",
                "RecursionError",
                "JSONDecodeError",
            ):
                raise
        best = min(best, time.thread_time() - started)
    return best


def too_steep(name: str, function: Callable[..., Any]) -> list[str]:
    """What grows faster than its input, and how; the slowest of all inputs are tried up to 256 KiB."""
    once = {place: seconds(name, function, pattern(RANKED)) for place, pattern in enumerate(PATTERNS)}
    slowest = sorted(once, key=once.__getitem__, reverse=True)[:2]
    found = []
    for place in slowest:
        # As large as the budget allows, if it is linear: what is slow shows its growth early.
        for size in (SMALL, int(min(LARGE, max(2 * SMALL, RANKED / LONGER * BUDGET_SECONDS / max(once[place], 1e-9))))):
            if steep := _growth(name, function, place, size):
                found.append(f"input {place}: {steep}")
                break
    return found


def _growth(name: str, function: Callable[..., Any], place: int, size: int) -> str | None:
    part, whole = (PATTERNS[place](length) for length in (size, LONGER * size))
    for rounds in (1, 3, 7):
        one, all_of_it = seconds(name, function, part, rounds), seconds(name, function, whole, rounds)
        if all_of_it < SHORT_SECONDS or all_of_it < STEEPEST * max(one, SHORT_SECONDS / 8):
            return None
    return f"{size} in {one * 1000:.1f} ms, {LONGER} times as much in {all_of_it * 1000:.1f} ms"
