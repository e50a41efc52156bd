"""What a visitor allows, once more: the table at the top of src/meta-tracking.js, played in Python.

The table's rows are read from the source; what the signals mean for its columns is written down here by itself, from
the documentation of each source. `play` says what must have come of a sequence of signals, each followed by one event.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from random import Random
from typing import NamedTuple

import msgspec

from tests.browser.site import ROOT

SOURCE = ROOT / "src/meta-tracking.js"
COLUMNS = ("word", "stopped", "opt_out", "held")


class Row(NamedTuple):
    """`store`, `send` and `pixel`: yes, never, later. `restriction`: none or LDU."""

    word: str
    stopped: str
    opt_out: str
    held: str
    state: str
    store: str
    send: str
    pixel: str
    restriction: str

    def fits(self, **now: str) -> bool:
        return all(getattr(self, name) in ("*", now[name]) for name in COLUMNS)


def table() -> list[Row]:
    """As it stands in the source."""
    rows = re.findall(r"^ \*   \|(.+)\|$", SOURCE.read_text(), re.MULTILINE)
    return [Row(*(cell.strip() for cell in row.split("|"))) for row in rows[2:]]


TABLE = table()

PURPOSES = {"1": True, "3": True, "4": True, "7": True}


def tcf(status: str, consents: dict[str, bool], addtl: str | None = None, applies: bool | None = True) -> dict:
    """What `__tcfapi` tells its listeners."""
    data: dict = {"eventStatus": status, "gdprApplies": applies}
    if applies is not False:
        data["purpose"] = {"consents": consents}
    if addtl is not None:
        data["addtlConsent"] = addtl
    return data


def gpp(status: str, sections: dict, applicable: list[int]) -> dict:
    ping = {"signalStatus": status, "parsedSections": sections, "applicableSections": applicable}
    return {"eventName": "signalStatus", "data": status, "pingData": ping}


BOTH = {"ad_storage": "granted", "ad_user_data": "granted"}
NEITHER = {"ad_storage": "denied", "ad_user_data": "denied"}
SIGNALS: dict[str, tuple[str, list]] = {
    "page: yes": ("page", ["granted"]),
    "page: no": ("page", ["denied"]),
    "google default: yes": ("google", ["default", BOTH]),
    "google default: no": ("google", ["default", NEITHER]),
    "google default: no to one": ("google", ["default", {"ad_user_data": "denied"}]),
    "google default: yes in a region": ("google", ["default", BOTH | {"region": ["US"]}]),
    "google default: no in a region": ("google", ["default", NEITHER | {"region": ["DE", "FR"]}]),
    "google update: yes": ("google", ["update", BOTH]),
    "google update: no": ("google", ["update", NEITHER]),
    "google update: storage alone": ("google", ["update", {"ad_storage": "granted"}]),
    "google update: user data alone": ("google", ["update", {"ad_user_data": "granted", "other": "denied"}]),
    "google update: no user data": ("google", ["update", {"ad_storage": "granted", "ad_user_data": "denied"}]),
    "google update: of something else": ("google", ["update", {"analytics_storage": "granted"}]),
    "tcf: shown": ("tcf", [tcf("cmpuishown", {})]),
    "tcf: yes, and Meta by name": ("tcf", [tcf("tcloaded", PURPOSES, "2~1.89.3~dv.5.6")]),
    "tcf: yes, in the first version": ("tcf", [tcf("useractioncomplete", PURPOSES, "1~7.89")]),
    "tcf: yes, Meta not named": ("tcf", [tcf("useractioncomplete", PURPOSES, "2~1.890~dv.5")]),
    "tcf: yes, nobody named": ("tcf", [tcf("tcloaded", PURPOSES)]),
    "tcf: yes, not to Meta": ("tcf", [tcf("useractioncomplete", PURPOSES, "2~1.3~dv.5.89")]),
    "tcf: no": ("tcf", [tcf("useractioncomplete", PURPOSES | {"4": False}, "2~89~dv.")]),
    "tcf: does not apply": ("tcf", [tcf("tcloaded", {}, applies=False)]),
    "gpp: not ready": ("gpp", [gpp("not ready", {}, [])]),
    "gpp: nothing": ("gpp", [gpp("ready", {"usnat": [{"SaleOptOut": 2, "SharingOptOut": 0}]}, [7])]),
    "gpp: opted out of sale": ("gpp", [gpp("ready", {"usnat": [{"SaleOptOut": 1}]}, [7])]),
    "gpp: opted out of targeting, an object": ("gpp", [gpp("ready", {"usky": {"TargetedAdvertisingOptOut": 1}}, [26])]),
    "gpp: opted out elsewhere": ("gpp", [gpp("ready", {"usca": [{"SaleOptOut": 1}], "usva": [{}]}, [9])]),
    "gpp: GPC": ("gpp", [gpp("ready", {"usca": [{"SaleOptOut": 2}, {"Gpc": True}]}, [8])]),
    "gpp: a child": ("gpp", [gpp("ready", {"usct": [{"KnownChildSensitiveDataConsents": [0, 1, 2]}]}, [12])]),
    "gpp: applies nowhere": ("gpp", [gpp("ready", {"usnat": [{"SaleOptOut": 1}]}, [-1])]),
    "fbq: revoke": ("fbq", ["consent", "revoke"]),
    "fbq: grant": ("fbq", ["consent", "grant"]),
    "fbq: a word that Meta does not know": ("fbq", ["consent", "granted"]),
    "manager: yes": ("manager", [True, True]),
    "manager: no": ("manager", [True, False]),
    "manager: a default": ("manager", [False, True]),
}
USP = {None: False, "1YNN": False, "1YYN": True, "1---": False}


class Case(NamedTuple):
    """A page, and what happens on it. `queued`: so many signals come before the script, as far as they can."""

    signals: tuple[str, ...]
    required: bool = False
    gpc: bool = False
    usp: str | None = None
    queued: int = 0

    @property
    def sources(self) -> set[str]:
        return {SIGNALS[name][0] for name in self.signals}

    def page(self) -> dict:
        signals = [SIGNALS[name] for name in self.signals]
        given = {"required": self.required, "gpc": self.gpc, "usp": self.usp, "sources": sorted(self.sources)}
        return given | {"before": signals[: self.queued], "after": signals[self.queued :]}


def cases(random: Random, pairs: int, more: int) -> Iterator[Case]:
    """Every signal alone on each page; so many pairs, of all, and so many longer ones, on some page."""
    names = sorted(SIGNALS)

    def on_some_page(*signals: str) -> Case:
        early = 0
        while early < len(signals) and SIGNALS[signals[early]][0] == "google" and random.random() < 0.4:
            early += 1
        usp = random.choice((None, None, *USP))
        return Case(signals, random.random() < 0.4, random.random() < 0.3, usp, early)

    yield from (Case((name,), required, gpc) for name, required, gpc in product(names, (False, True), (False, True)))
    every_pair = list(product(names, names))
    random.shuffle(every_pair)
    yield from (on_some_page(*pair) for pair in every_pair[:pairs])
    yield from (on_some_page(*random.choices(names, k=random.choice((3, 3, 3, 4, 6)))) for _ in range(more))


class Outcome(msgspec.Struct):
    """Events by number, each with whether it was restricted."""

    to_server: dict[int, bool]
    to_pixel: dict[int, bool]
    withdrawn: set[int]
    stored: bool | None
    """Whether an id of ours must lie there at the end; None: it may."""
    was_stored: bool
    """Whether one lay there at any time."""


class Visitor:
    def __init__(self, case: Case) -> None:
        self.words: dict[str, bool | None] = {}
        self.updates: dict[str, bool] = {}
        self.holds = {"required": case.required, "tcf": "tcf" in case.sources, "gpp": "gpp" in case.sources}
        self.opt_outs = {"gpc": case.gpc, "usp": USP[case.usp]}

    def hear(self, source: str, said: list) -> None:
        getattr(self, f"_{source}")(*said)

    def row(self) -> Row:
        words = list(self.words.values())
        word = "no" if False in words else "yes" if True in words else "none"
        now = {
            "word": word,
            "stopped": "yes" if self.holds.get("revoked") else "no",
            "opt_out": "yes" if any(self.opt_outs.values()) else "no",
            "held": "yes" if any(self.holds.values()) else "no",
        }
        return next(row for row in TABLE if row.fits(**now))

    def _page(self, answer: str) -> None:
        self.words["page"] = answer == "granted"

    def _google(self, kind: str, values: dict) -> None:
        for name in ("ad_storage", "ad_user_data"):
            if kind == "update" and name in values:
                self.updates[name] = values[name] == "granted"
            elif kind == "default" and values.get(name) == "denied":
                self.holds["default"] = True
        both = list(self.updates.values())
        self.words["google"] = False if False in both else True if len(both) == 2 else None
        self.holds["half"] = bool(both)

    def _tcf(self, data: dict) -> None:
        self.holds["tcf"] = data["gdprApplies"] is not False
        if not self.holds["tcf"]:
            self.words["tcf"] = False if self.words.get("tcf") is False else None
        elif data["eventStatus"] in ("tcloaded", "useractioncomplete"):
            agreed, _, shown = data.get("addtlConsent", "").partition("~")[2].partition("~dv.")
            is_agreed, is_shown = "89" in agreed.split("."), "89" in shown.split(".")
            may = all(data["purpose"]["consents"].get(n) for n in PURPOSES)
            self.words["tcf"] = False if not may or (is_shown and not is_agreed) else True if is_agreed else None

    def _gpp(self, event: dict) -> None:
        ping = event["pingData"]
        self.holds["gpp"] = ping["signalStatus"] != "ready"
        if self.holds["gpp"]:
            return
        numbers = {"usnat": 7, "usca": 8, "usva": 9, "usct": 12, "usky": 26}
        self.words["child"], self.opt_outs["gpp"] = None, False
        for name, parts in ping["parsedSections"].items():
            if numbers[name] not in ping["applicableSections"]:
                continue
            for part in parts if isinstance(parts, list) else [parts]:
                opted = [part.get(n) == 1 for n in ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut")]
                self.opt_outs["gpp"] |= any(opted) or part.get("Gpc", False)
                if 1 in part.get("KnownChildSensitiveDataConsents", []):
                    self.words["child"] = False

    def _fbq(self, _: str, what: str) -> None:
        if what in ("revoke", "grant"):
            self.holds["revoked"] = what == "revoke"

    def _manager(self, is_answered: bool, state: bool) -> None:
        if is_answered:
            self.words["manager"] = state
        elif self.words.get("manager"):
            self.words["manager"] = None  # it was reset; a no stays


def play(case: Case) -> Outcome:
    """What must come of it: one event before the first signal that comes after the script, and one after each."""
    visitor, held = Visitor(case), []
    to_server: dict[int, bool] = {}
    withdrawn: set[int] = set()
    stored: bool | None = False
    was_stored = False
    for signal in case.signals[: case.queued]:
        visitor.hear(*SIGNALS[signal])
    before: Row | None = None
    steps: Sequence[tuple[str, list] | None] = [None, *(SIGNALS[name] for name in case.signals[case.queued :])]
    for number, step in enumerate(steps):
        if step:
            visitor.hear(*step)
        row = visitor.row()
        if row.store == "yes":
            stored = was_stored = True
        if row.send == "later":
            held.append(number)
        elif row.send == "never":
            held = []
            if before and before.state != "denied":
                stored = False
                withdrawn |= set(to_server)
        else:
            to_server |= dict.fromkeys([*held, number], row.restriction == "LDU")
            held = []
        before = row
    return Outcome(to_server, dict(to_server), withdrawn, stored, was_stored)
