"""Asks a provider back: for the object that a notice only names, and for the certificate that its signature needs.

What could go wrong. A notice chooses where we connect to (an inner address, somebody else's host with our key), or
makes us hang, or an answer never ends. So hosts are constants of `payments/`, paths have passed a pattern there,
redirects are not followed, and every call has a deadline and a bound (`http_client.py`). A provider that does not
answer is no reason to lose a payment: the door answers 503, and the notice comes again.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from conversion_relay.http_client import HttpClient, NoAnswer, Response
from conversion_relay.payments.notice import Ask

SECONDS = 4.0
"""Within the five seconds that the least patient providers wait for their answer."""
MOST_CERTIFICATES = 8
MOST_AT_ONCE = 3
"""Anybody can send an unsigned notice that has us ask. Calls that hang must not take every thread that others need, and
one sender must not take every place: all but one are what a network gets, or who sends rubbish without end keeps the
provider's own notices out."""


class Unreachable(Exception):
    """The provider did not say; asking again may help. `why`: a short word for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Fetch(Protocol):
    def __call__(self, url: str, headers: dict[str, str], deadline: float) -> Response | NoAnswer: ...


class Asking:
    """Opened when first needed: most notices say everything themselves."""

    def __init__(self, fetch: Fetch | None = None, roots: list[bytes] | None = None) -> None:
        self._fetch, self._opening = fetch, threading.Lock()
        self._asking: list[str] = []
        """The networks for which somebody is asked now."""
        self._certificates: dict[str, bytes] = {}
        self._roots: list[bytes] | None = roots

    def answer(self, ask: Ask, host: str, api_key: str, network: str = "") -> bytes | None:
        """The object's JSON; None when the provider has no such object. `network`: who sent the notice, "" where nobody
        knows. Raises Unreachable."""
        headers = {"authorization": f"Bearer {api_key}"}
        if ask.context:
            # A connected account's object, which the platform's own account does not have.
            # https://docs.stripe.com/context
            headers["stripe-context"] = ask.context
        said = self._get(f"https://{host}{ask.path}", headers, network)
        if said.status in (404, 410):
            return None
        if said.status != 200:
            raise Unreachable(f"http_{said.status}")
        return said.body

    def roots(self) -> list[bytes]:
        """What this system trusts, as DER."""
        if self._roots is None:
            import ssl

            found = ssl.create_default_context()
            paths = ssl.get_default_verify_paths()
            if not found.get_ca_certs() and paths.capath:  # certificates of a folder are loaded when they are needed
                for path in sorted(Path(paths.capath).glob("*.[0-9]")):
                    found.load_verify_locations(path)
            self._roots = found.get_ca_certs(binary_form=True)
        return self._roots

    def certificate(self, url: str, network: str = "") -> bytes:
        """PEM, kept by its address: `payments/paypal.py` has checked that this is the provider's. Whoever finds that it
        is no certificate to trust says `forget`."""
        found = self._certificates.get(url)
        if found is None:
            said = self._get(url, {}, network)
            if said.status != 200:
                raise Unreachable(f"http_{said.status}")
            found = said.body
            with self._opening:
                while len(self._certificates) >= MOST_CERTIFICATES:
                    self._certificates.pop(next(iter(self._certificates)))
                self._certificates[url] = found
        return found

    def forget(self, url: str) -> None:
        """It is asked for again when the next notice names it."""
        with self._opening:
            self._certificates.pop(url, None)

    def _get(self, url: str, headers: dict[str, str], network: str) -> Response:
        if not self._has_place(network):
            raise Unreachable("too_many_at_once")
        try:
            sent = {"accept": "application/json", "user-agent": "conversion-relay", **headers}
            said = self._client()(url, sent, SECONDS)
        finally:
            with self._opening:
                self._asking.remove(network)
        if isinstance(said, NoAnswer):
            raise Unreachable(said.why)
        return said

    def _has_place(self, network: str) -> bool:
        with self._opening:
            most = MOST_AT_ONCE - 1 if network else MOST_AT_ONCE
            if len(self._asking) >= MOST_AT_ONCE or self._asking.count(network) >= most:
                return False
            self._asking.append(network)
            return True

    def _client(self) -> "Callable[..., Response | NoAnswer]":
        with self._opening:
            if self._fetch is None:
                self._fetch = HttpClient().get
            return self._fetch
