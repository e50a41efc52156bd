"""`quality`: which match keys events carry, and Meta's own score where it may be read. `test`: four events to Meta."""

import contextlib
import time
import uuid
from collections import Counter
from typing import Any

import click

from conversion_relay.cli.printing import print_json, print_table, printable
from conversion_relay.delivery.dataset_quality import ask
from conversion_relay.errors import SettingsError
from conversion_relay.event import Event, Rejection, UserData
from conversion_relay.http_client import HttpClient
from conversion_relay.meta.graph import Accepted
from conversion_relay.meta.quality import NAMES
from conversion_relay.meta.quality import quality as judged
from conversion_relay.outbox import Overview, open_outbox, unsupported
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings

DAYS = 2
"""Meta's score is over the last 48 hours."""
SHOWN = ("em", "ph", "fbc", "fbp", "external_id", "client_ip_address", "client_user_agent", "fn", "ln", "zp", "country")


@click.command()
@click.option("--days", default=DAYS, show_default=True, type=click.IntRange(1, 30))
@click.option("--json", "as_json", is_flag=True)
def quality(days: int, as_json: bool) -> None:
    """Coverage of match keys by event name, an estimate of Meta's match quality, and what to add first."""
    settings = Settings.from_env(required=())
    with contextlib.closing(open_outbox(settings.outbox, "read")) as outbox:
        if not isinstance(outbox, Overview):
            raise unsupported(outbox, "find")
        figures = outbox.figures(time.time() - days * 86_400)
    sampled: Counter[tuple[str, str]] = Counter()
    keys: dict[tuple[str, str], Counter[str]] = {}
    for hour in figures:
        name = hour.dataset, hour.event_name
        sampled[name] += hour.sampled
        keys.setdefault(name, Counter()).update(hour.keys)
    metas = _metas(settings)
    facts = [
        {"dataset": dataset, "event_name": name, **_facts(found), "metas": (metas.get(dataset) or {}).get(name)}
        for (dataset, name), n in sorted(sampled.items())
        if (found := judged(n, keys[dataset, name])) is not None
    ]
    if as_json:
        print_json({"days": days, "events": facts})
    elif not facts:
        click.echo("no event was delivered in this time")
    else:
        rows = [
            [
                fact["event_name"],
                fact["sampled"],
                f"{fact['estimate']:.1f}",
                "-" if fact["metas"] is None else f"{fact['metas']:.1f}",
                *(_share(fact, key) for key in SHOWN),
                fact["advice"],
            ]
            for fact in facts
        ]
        print_table(["event", "sampled", "estimate", "Meta's", *(NAMES.get(key, key) for key in SHOWN), "advice"], rows)
        click.echo("The estimate is ours (0 to 10); Meta's own is of web events, where the token may read it.")


def _metas(settings: Settings) -> dict[str, dict[str, float] | None]:
    """Meta's own score by dataset and event name."""
    with contextlib.closing(HttpClient()) as client:
        return {one.pixel_id: ask(client, settings, one) for one in settings.datasets if one.access_token}


def _facts(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _share(fact: dict[str, Any], key: str) -> str:
    return f"{fact['coverage'][key]:.0%}"


@click.command()
@click.option("--test-code", help="from Events Manager > Test events; default META_TEST_EVENT_CODE")
@click.option("--url", default="https://example.com/", show_default=True, help="the page that the events name")
@click.option("--json", "as_json", is_flag=True)
def test(test_code: str | None, url: str, as_json: bool) -> None:
    """Send ViewContent, Contact, CompleteRegistration and Purchase under a test code; show Meta's answer.

    Nothing is stored. Exit 1 when Meta did not take one of them.
    """
    settings = Settings.from_env()
    code = test_code or settings.datasets[0].test_event_code
    if not code:
        raise SettingsError(
            "META_TEST_EVENT_CODE: needed here, since without it these events would count as real ones;"
            " copy it from Events Manager > Test events, or give --test-code"
        )
    answers = []
    with Relay(settings) as relay:
        for name in ("ViewContent", "Contact", "CompleteRegistration", "Purchase"):
            sealed = relay.seal(_event(name, url))
            if isinstance(sealed, Rejection):
                raise click.ClickException(f"{sealed.field}: {sealed.message}")
            (sent,) = relay.send([sealed], test_event_code=code)
            said = sent.outcome.said
            answers.append(
                {
                    "event_name": name,
                    "event_id": sealed.event_id,
                    "accepted": isinstance(sent.outcome, Accepted),
                    "outcome": type(sent.outcome).__name__.lower(),
                    "meta_said": ", ".join(str(p) for p in (said.code, said.subcode, said.title, said.sentence) if p),
                    "fbtrace_id": said.fbtrace_id,
                }
            )
    if as_json:
        print_json(answers)
    for answer in [] if as_json else answers:
        click.echo(printable(f"{answer['event_name']:<22} {answer['outcome']:<10} {answer['meta_said']}"))
    raise SystemExit(0 if all(answer["accepted"] for answer in answers) else 1)


def _event(name: str, url: str) -> Event:
    person = UserData(
        email="test@example.com", client_ip_address="192.0.2.1", client_user_agent="conversion-relay test"
    )
    custom = {"value": 1.0, "currency": "EUR"} if name == "Purchase" else None
    return Event(
        event_name=name,
        event_id=f"test_{uuid.uuid4().hex[:12]}",
        event_source_url=url,
        user_data=person,
        custom_data=custom,
    )
