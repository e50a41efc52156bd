"""Meta's own match quality of each dataset, and until when its token is good: asked for beside the delivery of events
and never before a page.

What could go wrong. Meta answers in seconds, or never; a token may not read the figure, and asking again and again
would use up the calls that a page of the token's owner needs. The rule: a look tells what is known and, once in EVERY
seconds, starts one thread that asks for each dataset in turn. A dataset that did not tell is asked again as late.
"""

import threading
from collections.abc import Sequence

from conversion_relay.http_client import HttpClient, Response
from conversion_relay.meta.quality import TokenFacts, quality_request, read_quality, read_token, token_request
from conversion_relay.settings import Dataset, Settings

EVERY = 900.0
DEADLINE = 8.0


def ask(client: HttpClient, settings: Settings, dataset: Dataset) -> dict[str, float] | None:
    """Meta's score by event name; None where it did not tell."""
    token, secret = dataset.access_token.reveal(), dataset.app_secret.reveal()
    url, headers = quality_request(settings.graph_url, settings.graph_version, dataset.pixel_id, token, secret)
    answer = client.get(url, headers, DEADLINE)
    return read_quality(answer.status, answer.body) if isinstance(answer, Response) else None


def ask_about_token(client: HttpClient, settings: Settings, dataset: Dataset) -> TokenFacts | None:
    """None where Meta did not tell: not every token may ask about itself."""
    token, secret = dataset.access_token.reveal(), dataset.app_secret.reveal()
    url, headers = token_request(settings.graph_url, settings.graph_version, token, secret)
    answer = client.get(url, headers, DEADLINE)
    return read_token(answer.status, answer.body) if isinstance(answer, Response) else None


class Scores:
    """What Meta said last, by dataset. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._client = settings, HttpClient()
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, float] | None] = {}
        self._tokens: dict[str, TokenFacts | None] = {}
        self._asked_at: float | None = None

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
        datasets = [dataset for dataset in self._settings.datasets if dataset.access_token]
        if datasets and (self._asked_at is None or abs(now - self._asked_at) >= EVERY):
            self._asked_at = now
            threading.Thread(target=self._ask, args=(datasets,), daemon=True, name="dataset-quality").start()

    def _ask(self, datasets: Sequence[Dataset]) -> None:
        for dataset in datasets:
            token = ask_about_token(self._client, self._settings, dataset)
            told = ask(self._client, self._settings, dataset)
            with self._lock:
                self._known[dataset.pixel_id], self._tokens[dataset.pixel_id] = told, token
