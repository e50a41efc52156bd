"""What a turn of delivery did, and how it is told: the three sentences, the counters, the alerts."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import assert_never

import msgspec

from conversion_relay.outbox import Attempt
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Suspect, Verdict, Withhold
from conversion_relay.telemetry import Counters, Sentences, logger

_ALERTS = {
    "unauthorized": "Meta refuses the access token; events wait, nothing is lost: set a new META_ACCESS_TOKEN",
    "misconfigured": "Meta refuses this token for this dataset; events wait: check META_PIXEL_ID and permissions",
    "unserved_version": "Meta does not serve this version of its API; events wait, nothing is lost: set another "
    "META_GRAPH_VERSION, or leave it out",
    "all_refused": "Meta refuses every event of this dataset; events wait: see `conversion-relay dead list`",
    "error_share": "Meta answered over 15 % of the last 500 requests with an error: see `conversion-relay dead list`",
    "clock_skew": "The clock of this machine is over a minute from Meta's; events are judged by Meta's: set the clock",
    "unknown_error": "Meta answers with an error that is not known; events wait: see `conversion-relay explain`",
    "foreign_answer": "What answers is not Meta's Graph API; events wait: check META_GRAPH_URL and proxies on the way",
    "tls": "No TLS connection to Meta; events wait: check the machine's certificates, its clock and proxies on the way",
    "proxy_address": "HTTPS_PROXY is no address of a proxy; events wait: set it to http://host:port, or unset it",
    "proxy_login": "The proxy of HTTPS_PROXY asks for a login; events wait: set http://user:password@host:port",
    "too_large": "An event is too large for Meta or for a proxy on the way; it waits: see `conversion-relay explain`",
    "accounting_mismatch": "Meta's answers do not add up with what was sent; these events are sent again and again",
}


# "Send events in real time, or within one hour": https://developers.facebook.com/docs/marketing-api/conversions-api/guides/end-to-end-implementation
_FRESH = ((3_600.0, "1h"), (7_200.0, "2h"), (86_400.0, "24h"), (float("inf"), "later"))


class Report(msgspec.Struct):
    """What one turn did."""

    dataset: str
    claimed: int
    calls: int = 0
    delivered: int = 0
    dead: int = 0
    expired: int = 0
    held: int = 0
    withheld: int = 0
    retried: int = 0
    suspected: int = 0
    ambiguous: int = 0
    ambiguous_late: int = 0
    why: str | None = None
    dead_by: dict[str, int] = {}
    ages: dict[str, int] = {}
    """Delivered events by how late they came to Meta: what is late keeps its money, and loses its worth."""

    def note_ages(self, ages: Sequence[float]) -> None:
        """Of events that were delivered now, so many seconds after they happened."""
        ages, counted = sorted(ages), 0
        for most, within in _FRESH:
            upto = bisect_right(ages, most)
            self.ages[within] = self.ages.get(within, 0) + upto - counted
            counted = upto

    def note(
        self,
        verdict: Verdict,
        event_name: str,
        event_ids: list[str],
        attempt: Attempt | None,
        sentences: Sentences,
    ) -> None:
        """Count events of one name that came to the same, and say the sentence for each."""
        n = len(event_ids)
        match verdict:
            case Delivered():
                self.delivered += n
                sentences.sent(event_name, *event_ids)
            case Dead(why="corrupt"):
                self.dead += n
                sentences.error(event_name, *event_ids, why="corrupt")
            case Dead(why=why):
                self.dead += n
                self.dead_by[why] = self.dead_by.get(why, 0) + n
                sentences.failed(event_name, *event_ids, why=why, said=_said(attempt) if attempt else {})
            case Expired():
                self.expired += n
                sentences.failed(event_name, *event_ids, why="too_old")
            case Hold(why=why):
                self.held += n
                sentences.error(event_name, *event_ids, why=why)
            case Withhold():
                self.withheld += n
            case Suspect():
                self.suspected += n if attempt is not None else 0
            case RetryAt(why=why) | Park(why=why):
                self.retried += n
                self.why = why
                if isinstance(verdict, Park):
                    sentences.outage(event_name, n, why)
            case _:
                assert_never(verdict)

    def tell(self, counters: Counters) -> None:
        """One line per turn that left something to do, and the counters."""
        for name in ("calls", "delivered", "dead", "expired", "held", "withheld", "retried", "suspected"):
            counters.add(f"relay_delivery_{name}_total", getattr(self, name), dataset=self.dataset)
        for name in ("ambiguous", "ambiguous_late"):
            counters.add(f"relay_{name}_total", getattr(self, name), dataset=self.dataset)
        for why, n in self.dead_by.items():
            counters.add("relay_dead_total", n, reason=why)
        for _, within in _FRESH:
            n = self.ages.get(within, 0)
            counters.add("relay_delivered_by_age_total", n, dataset=self.dataset, within=within)
        if self.withheld:
            fields = {"dataset": self.dataset, "events": self.withheld}
            logger.warning("Events were forgotten unsent, since their visitors did not agree", extra=fields)
        if self.suspected:
            fields = {"dataset": self.dataset, "events": self.suspected}
            logger.warning("Meta refused events together; they are tried apart from others", extra=fields)
        if self.retried:
            fields = {"dataset": self.dataset, "events": self.retried, "reason": self.why}
            logger.warning("Events wait for another try", extra=fields)


def alert(dataset: str, why: str) -> None:
    """Somebody has to do something about it."""
    logger.error(_ALERTS[why], extra={"dataset": dataset, "reason": why})


def _said(attempt: Attempt) -> dict[str, object]:
    fields = ("status", "code", "subcode", "title", "sentence", "field", "fbtrace_id")
    return {name: value for name in fields if (value := getattr(attempt, name)) is not None}
