"""The report that CI servers show: one case for each page and expected event, one for what nobody expected. Pure."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec

from conversion_relay.cli.expect.judge import Finding
from conversion_relay.cli.expect.plan import Page

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Outcome(msgspec.Struct, frozen=True):
    """Of one page. `trouble`: why it could not be looked at."""

    page: Page
    findings: list[Finding]
    notes: list[str] = []
    trouble: str | None = None

    @property
    def is_ok(self) -> bool:
        return not self.findings and self.trouble is None

    def shown(self) -> dict[str, object]:
        """For programs."""
        told = {"findings": self.findings, "notes": self.notes, "trouble": self.trouble}
        return {"page": self.page.title, "ok": self.is_ok, **told}


def report(file: str, outcomes: Sequence[Outcome]) -> bytes:
    suites = ElementTree.Element("testsuites")
    for outcome in outcomes:
        title = _text(f"{file}: {outcome.page.title}")
        suite = ElementTree.SubElement(suites, "testsuite", name=title)
        names = [wanted.event for wanted in outcome.page.expect]
        others = "nothing else"
        cases: dict[str, list[str]] = {name: [] for name in (*names, others)}
        for finding in outcome.findings:
            cases[finding.event if finding.event in names else others].append(f"{finding.event}: {finding.what}")
        for name, told in cases.items():
            case = ElementTree.SubElement(suite, "testcase", classname=title, name=_text(name))
            if outcome.trouble is not None:
                ElementTree.SubElement(case, "error", message=_text(outcome.trouble))
            elif told:
                failure = ElementTree.SubElement(case, "failure", message=_text(told[0]))
                failure.text = _text("\n".join([*told, *outcome.notes]))
        suite.set("tests", str(len(cases)))
        suite.set("failures", "0" if outcome.trouble is not None else str(sum(map(bool, cases.values()))))
        suite.set("errors", str(len(cases)) if outcome.trouble is not None else "0")
    written: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written


def _text(text: str) -> str:
    """Without what XML cannot hold: a page chooses its event names."""
    return _NOT_XML.sub("?", text)
