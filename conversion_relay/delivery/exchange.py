"""One request to Meta, and what is kept of its answer."""

from collections.abc import Callable, Sequence

import msgspec

from conversion_relay.delivery.before_sending import is_in_the_future
from conversion_relay.delivery.transport import Response, Transport
from conversion_relay.errors import leaves_no_variables
from conversion_relay.meta.batch import Sized
from conversion_relay.meta.graph import Accepted, Misconfigured, Outcome, Refused, Said, build_request, read_response
from conversion_relay.meta.headers import date
from conversion_relay.meta.versions import is_of_version
from conversion_relay.outbox import Attempt, LeasedEvent
from conversion_relay.settings import Dataset, Settings


@leaves_no_variables
def post(
    transport: Transport,
    settings: Settings,
    dataset: Dataset,
    batch: Sequence[Sized],
    deadline: float,
    clock: Callable[[], float],
    *,
    test_event_code: str | None = None,
    note_date: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """What it came to; `deadline` in seconds for all of it. `note_date` is told Meta's time, if this answer can
    only be Meta's own: it judged the events, and has Meta's trace id."""
    request = build_request(
        batch,
        url=settings.graph_url,
        version=settings.graph_version,
        dataset=dataset.pixel_id,
        token=dataset.access_token.reveal(),
        app_secret=dataset.app_secret.reveal(),
        test_event_code=test_event_code or dataset.test_event_code,
    )
    answer = transport.send(request, deadline)
    if isinstance(answer, Response):
        now = clock()
        outcome = read_response(answer.status, answer.headers, answer.body, len(batch), now)
        if is_of_version(outcome.said.code, settings.graph_version, now):
            return Misconfigured(outcome.said, of_version=True)
        is_metas = isinstance(outcome, Accepted | Refused) and outcome.said.fbtrace_id
        if is_metas and (at := date(answer.headers)) is not None:
            note_date(at)
        return outcome
    return answer


def asker(settings: Settings, dataset: Dataset) -> tuple[str, ...]:
    """What decides Meta's answer of token and dataset, but for the time."""
    return settings.graph_url, settings.graph_version, dataset.access_token.reveal(), dataset.app_secret.reveal()


def named_by(refused: Refused, events: Sequence[LeasedEvent], meta_now: float) -> list[LeasedEvent]:
    """Those that Meta means. When it complains of a time, its clock says which: the place may be another's."""
    if refused.is_about_time:
        return [event for event in events if is_in_the_future(event, meta_now)]
    return [events[refused.index]] if refused.index is not None and refused.index < len(events) else []


def as_attempt(outcome: Outcome, now: float) -> Attempt:
    """As the ledger keeps it."""
    why = getattr(outcome, "why", None)
    said: Said = outcome.said
    return Attempt(at=now, outcome=type(outcome).__name__.lower(), why=why, **msgspec.structs.asdict(said))
