"""Events that a crawler's browser sent: marked, dropped or left alone, as the dataset's RELAY_BOTS says.

What could go wrong. Crawlers run a page's script, so its server events grow while its sales do not, and Meta learns
from visits that nobody made. But a list of crawlers is a guess: who drops by it loses people some day. So the rule is:
label first. `mark` counts them, for the dashboard and /metrics, and sends them; `drop` is chosen by who has seen the
count. Only what a page sends is looked at: a backend's own requests name no visitor's browser.

The list has hundreds of patterns and takes long for a text made to be slow, while a site sees few browsers. So an
answer is remembered by user agent, and what is looked at is cut: long texts, and words that no browser has.
"""

import re
from functools import cache, lru_cache
from typing import Any

from conversion_relay.collector.door import Admitted
from conversion_relay.event import Rejection
from conversion_relay.telemetry import Counters

MOST_AGENTS, MOST_CHARACTERS = 8_192, 300
COUNTER = "relay_bot_events_total"
_LONG_WORD = re.compile(r"([^\s;()/,]{40})[^\s;()/,]+")
REFUSED = Rejection("bot", "client_user_agent", "a crawler sent it; RELAY_BOTS=mark would send it on and count it")


@lru_cache(MOST_AGENTS)
def is_bot(user_agent: str) -> bool:
    """
    >>> is_bot("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    True
    >>> is_bot("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0")
    False
    """
    return bool(_detector().isCrawler(shortened(user_agent)))


def shortened(user_agent: str) -> str:
    """
    >>> len(shortened("x" * 60_000)), len(shortened("x " * 60_000))
    (40, 300)
    """
    return _LONG_WORD.sub(r"\1", user_agent[:MOST_CHARACTERS])


@cache
def _detector() -> Any:
    from crawlerdetect import CrawlerDetect  # 40 ms

    return CrawlerDetect()


def refusal(admitted: Admitted, counters: Counters) -> Rejection | None:
    """Of an event from this sender; what is marked or dropped is counted."""
    policy, agent = admitted.dataset.bots, admitted.facts.client_user_agent
    if policy == "keep" or admitted.sender != "browser" or not agent or not is_bot(agent):
        return None
    counters.add(COUNTER, dataset=admitted.dataset.pixel_id, policy=policy)
    return REFUSED if policy == "drop" else None
