"""Whether a notice is genuine, and what it says, with everything that is asked for on the way.

A source of one's own and a provider of the table are told apart here and nowhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from conversion_relay.errors import SignatureError
from conversion_relay.payments import NO_OPTIONS, PROVIDERS, Notice, module_of, read, read_answer, sources, verify
from conversion_relay.payments.notice import Ask, Ignored, Mode
from conversion_relay.payments.order_names import with_order_names
from conversion_relay.relay import Relay
from conversion_relay.webhooks.answers import Answered, refused
from conversion_relay.webhooks.asking import Asking, Unreachable


class Sent(NamedTuple):
    """A notice as it came, and by which line."""

    raw: bytes
    headers: Mapping[str, str]
    """By names in small letters."""
    query: str = ""
    network: str = ""
    """"" where nobody knows."""


class Secrets(Protocol):
    """What vouches for a provider's notices, where it is kept elsewhere than in the settings."""

    def of(self, provider: str) -> Sequence[str]: ...

    def renewed(self, provider: str) -> bool:
        """Asked when a signature did not fit, or no secret is known: whether `of` gives other secrets now."""


class InSettings:
    """Secrets of the settings of now."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def of(self, provider: str) -> Sequence[str]:
        return [secret.reveal() for secret in self._relay.settings.webhook_secrets.get(provider, ())]

    def renewed(self, provider: str) -> bool:
        return False


class Notices:
    """Reads the notices of every provider that the settings know."""

    def __init__(
        self, relay: Relay, secrets: Secrets | None, asking: Asking | None, clock: Callable[[], float]
    ) -> None:
        self._relay, self._clock = relay, clock
        self._secrets, self._asking = secrets or InSettings(relay), asking or Asking()

    def is_known(self, provider: str) -> bool:
        return provider in PROVIDERS or provider in self._relay.settings.payments.sources

    def word_for_received(self, provider: str) -> str:
        """What the sender wants to read in an answer of 200; empty where any will do."""
        row, source = PROVIDERS.get(provider), self._relay.settings.payments.sources.get(provider)
        return row.says if row else source.answer if source else ""

    def not_taken(self, provider: str) -> Answered | None:
        if not self.is_known(provider):
            return refused(404, "unknown_provider", "provider", f"one of {', '.join(PROVIDERS)}, or a [[source]]")
        row = PROVIDERS.get(provider)
        if row is None or self._secrets.of(provider) or (row.asks and self._keys(provider)):
            return None
        if self._secrets.renewed(provider):  # put where it is kept after this process had looked
            return None
        return refused(404, "not_configured", "provider", f"set {row.setting}, then send it again")

    def read(self, provider: str, sent: Sent) -> Notice:
        """An Ask where there is no key to ask with. Raises SignatureError, InvalidEvent, and Unreachable where the
        provider did not say."""
        row, source = PROVIDERS.get(provider), self._relay.settings.payments.sources.get(provider)
        if not (row or source):  # the settings have changed since `not_taken`
            raise SignatureError("unknown_provider", "provider", "this sender was taken out of the settings just now")
        if row and row.pings and module_of(provider).is_ping(sent.raw):
            return Ignored("ping")
        return with_order_names(self._meant(provider, source, sent, self._verified(provider, source, sent)))

    def _verified(self, provider: str, source: sources.Source | None, sent: Sent) -> Mode:
        try:
            return self._checked(provider, source, sent)
        except SignatureError as error:
            if error.reason != "signature_wrong" or not self._secrets.renewed(provider):
                raise
            return self._checked(provider, source, sent)

    def _checked(self, provider: str, source: sources.Source | None, sent: Sent) -> Mode:
        secrets, more = self._secrets.of(provider), dict[str, Any]()
        if source:
            return sources.verify(source, sent.raw, sent.headers, secrets, self._clock(), sent.query)
        if PROVIDERS[provider].asks:
            more["can_ask"] = bool(self._keys(provider))
        if PROVIDERS[provider].certificates:
            return self._certified(provider, sent, secrets)
        return verify(provider, sent.raw, sent.headers, secrets, self._clock(), **more)

    def _certified(self, provider: str, sent: Sent, secrets: Sequence[str]) -> Mode:
        url = module_of(provider).certificate_url(sent.headers, secrets)
        more = {"certificates": self._asking.certificate(url, sent.network), "roots": self._asking.roots()}
        try:
            return verify(provider, sent.raw, sent.headers, secrets, self._clock(), **more)
        except SignatureError as error:
            if error.reason == "certificate_untrusted":
                self._asking.forget(url)  # perhaps a gateway's page: kept, it would refuse every notice
            raise

    def _meant(self, provider: str, source: sources.Source | None, sent: Sent, mode: Mode) -> Notice:
        if source:
            return sources.read(source, sent.raw, mode)
        options = self._relay.settings.payments.options.get(provider, NO_OPTIONS)
        notice = read(provider, sent.raw, options, mode)
        if not isinstance(notice, Ask):
            return notice
        keys = [key for key in self._keys(provider) if not _is_of_other_mode(key, notice)]
        if not keys:
            return notice
        body = self._asked(notice, keys, sent.network)
        return Ignored("gone", notice.what) if body is None else read_answer(notice, body, options)

    def _asked(self, ask: Ask, keys: list[str], network: str) -> bytes | None:
        """One key of live mode and one of test mode, perhaps. One that was revoked must not hide the other."""
        refused: Unreachable | None = None
        for key in keys:
            try:
                body = self._asking.answer(ask, PROVIDERS[ask.provider].host, key, network)
            except Unreachable as error:
                if not error.why.startswith("http_4"):
                    raise  # the provider is silent: the next key would wait as long
                refused = error
                continue
            if body is not None:
                return body
        if refused is not None:
            raise refused
        return None

    def _keys(self, provider: str) -> list[str]:
        return [key.reveal() for key in self._relay.settings.provider_keys.get(provider, ())]


def _is_of_other_mode(key: str, ask: Ask) -> bool:
    """Stripe's keys say it (`rk_test_...`), and so do its notices: asked with the wrong one, it has no such object."""
    return ask.provider == "stripe" and ("_live_" if ask.mode == "test" else "_test_") in key
