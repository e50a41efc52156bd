"""`doctor` on each answer of Meta's to a request without an event: what is wrong, and what to do about it."""

import json

import pytest

from conversion_relay.cli.checks import checks
from conversion_relay.emulator.app import create_app
from conversion_relay.http_client import Response
from conversion_relay.settings import Settings
from tests.emulator.requests import ask


class Meta:
    """The stand-in as a transport, without a socket."""

    def __init__(self, mode):
        self._app = create_app()
        if mode:
            ask(self._app, "POST", "/_emulator/misbehave", b'{"mode": "%s"}' % mode.encode())

    def send(self, request, deadline):
        path = request.url.removeprefix("https://graph.facebook.com")
        status, headers, body = ask(self._app, "POST", path, request.body)
        return Response(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())

    def close(self):
        """Nothing is open."""


def doctor(mode=None, version="v27.0"):
    environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAx", "META_GRAPH_VERSION": version}
    found = iter(checks(Settings.from_env(environ), Meta(mode)))
    token, _, shown = next(found), next(found), next(found)
    return token, shown


@pytest.mark.parametrize(
    ("mode", "version", "state", "what", "fix"),
    [
        (None, "v27.0", "ok", "takes the token", None),
        (None, "v20.0", "error", "does not serve v20.0", "META_GRAPH_VERSION=v27.0"),
        (None, "v99.0", "error", "does not serve v99.0", "META_GRAPH_VERSION=v27.0"),
        ("token_expired", "v27.0", "error", "token is refused", "META_ACCESS_TOKEN"),
        ("unknown_dataset", "v27.0", "error", "for this dataset", "META_PIXEL_ID"),
        ("throttle", "v27.0", "warning", "a pause", "some minutes"),
        ("http_500", "v27.0", "error", "it is in trouble (code_2)", "some minutes"),
        ("html_503", "v27.0", "error", "cannot be reached: http_503", "network"),
    ],
)
def test_each_answer_has_its_own_remedy(mode, version, state, what, fix):
    token, _ = doctor(mode, version)
    assert token.state == state and what in token.what and (fix or "") in (token.fix or "")


def test_a_version_is_told_without_contradiction():
    shown = {version: doctor(version=version)[1] for version in ("v27.0", "v25.0", "v20.0", "v99.0")}
    assert [check.state for check in shown.values()] == ["ok", "warning", "error", "warning"]
    assert "no end announced" not in shown["v20.0"].what and "newer than v27.0" in shown["v99.0"].what
    assert all(check.fix for version, check in shown.items() if version != "v27.0")
