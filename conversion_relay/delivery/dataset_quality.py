"""Meta's own match quality of each dataset, and until when its token is good: asked for beside the delivery of events
and never before a page.

What could go wrong. Meta answers in seconds, or never; a token may not read the figure, and asking again and again
would use up the calls that a page of the token's owner needs. And a token may be renewed while we run.

The rule. A look tells what is known and, once in EVERY seconds, starts one thread that asks for each dataset in turn. A
dataset that did not tell is asked again as late. One whose token is another now is asked at once, and what was told to
the old token is forgotten.
"""

import threading
from collections.abc import Callable

from conversion_relay.delivery.exchange import asker
from conversion_relay.errors import leaves_no_variables
from conversion_relay.http_client import HttpClient, Response
from conversion_relay.meta.quality import TokenFacts, quality_request, read_quality, read_token, token_request
from conversion_relay.settings import Dataset, Settings

EVERY = 900.0
DEADLINE = 8.0


@leaves_no_variables
def ask(client: HttpClient, settings: Settings, dataset: Dataset) -> dict[str, float] | None:
    """Meta's score by event name; None where it did not tell."""
    token, secret = dataset.access_token.reveal(), dataset.app_secret.reveal()
    url, headers = quality_request(settings.graph_url, settings.graph_version, dataset.pixel_id, token, secret)
    answer = client.get(url, headers, DEADLINE)
    return read_quality(answer.status, answer.body) if isinstance(answer, Response) else None


@leaves_no_variables
def ask_about_token(client: HttpClient, settings: Settings, dataset: Dataset) -> TokenFacts | None:
    """None where Meta did not tell: not every token may ask about itself."""
    token, secret = dataset.access_token.reveal(), dataset.app_secret.reveal()
    url, headers = token_request(settings.graph_url, settings.graph_version, token, secret)
    answer = client.get(url, headers, DEADLINE)
    return read_token(answer.status, answer.body) if isinstance(answer, Response) else None


class Scores:
    """What Meta said last, by dataset. Safe to use from several threads."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        """`settings`: those in use now."""
        self._settings, self._client = settings, HttpClient()
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, float] | None] = {}
        self._tokens: dict[str, TokenFacts | None] = {}
        self._asked: dict[str, tuple[tuple[str, ...], float]] = {}
        """By dataset: as whom and where it was asked last, and when."""

    def known(self, now: float) -> dict[str, dict[str, float] | None]:
        """By dataset, by event name; a dataset is missing until Meta was asked about it."""
        with self._lock:
            self._ask_soon(now)
            return dict(self._known)

    def tokens(self, now: float) -> dict[str, TokenFacts | None]:
        """By dataset; a dataset is missing until Meta was asked about it."""
        with self._lock:
            self._ask_soon(now)
            return dict(self._tokens)

    def _ask_soon(self, now: float) -> None:
        settings, due = self._settings(), list[Dataset]()
        for dataset in settings.datasets:
            name, asks_as = dataset.pixel_id, asker(settings, dataset)
            before, at = self._asked.get(name, ((), now))
            if before != asks_as:
                self._known.pop(name, None)
                self._tokens.pop(name, None)
            if dataset.access_token and (before != asks_as or abs(now - at) >= EVERY):
                self._asked[name] = asks_as, now
                due.append(dataset)
        if not due:
            return
        thread = threading.Thread(target=self._ask, args=(settings, due), daemon=True, name="dataset-quality")
        try:
            thread.start()
        except RuntimeError:  # no thread to be had: the page comes without Meta's word, and the next look asks
            for dataset in due:
                del self._asked[dataset.pixel_id]

    def _ask(self, settings: Settings, datasets: list[Dataset]) -> None:
        for dataset in datasets:
            token = ask_about_token(self._client, settings, dataset)
            told = ask(self._client, settings, dataset)
            with self._lock:
                if self._asked[dataset.pixel_id][0] == asker(settings, dataset):  # else a newer token is asked with
                    self._known[dataset.pixel_id], self._tokens[dataset.pixel_id] = told, token
