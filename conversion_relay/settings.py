"""Every setting, read once at start into one frozen `Settings`.

Precedence, from strong to weak:
1. META_ACCESS_TOKEN_FILE: the token in this file, because a token that is renewed while we run can only come by file.
2. The environment.
3. The TOML file that RELAY_CONFIG names. Its top-level keys are the variables' own names.
4. The default in `Settings`.
With [[dataset]] tables in the file, the META_ names, origins and API keys of each dataset come from its table alone:
a variable of the environment could not say which of them it is for.

Secrets. A token in an error message or a log is a leaked token, and a start that fails is what people paste into
chats. So every secret is a `Secret`, which does not print itself, and an error names the setting, the rule and an
example, never the value, whatever the setting. `Settings.secrets` hands the texts to the log filter alone, as the last
net (`telemetry.NoSecrets`).

Which names there are, and what the file may hold: `settings_file.py`. How an origin is read: `intake/origins.py`.

Mistakes end the start with exit code 78: what is missing is named all at once, what is malformed is named one by one.
Rejected: a settings library. It would quote the value in its message, and be loaded by every Lambda function.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

import msgspec

from conversion_relay.errors import SettingsError
from conversion_relay.event import PUBLIC_EVENT_NAMES
from conversion_relay.intake.accept import Policy
from conversion_relay.intake.consent import POLICY_HEADER, GpcPolicy, SilencePolicy, told
from conversion_relay.intake.origins import normal_origin
from conversion_relay.payments.configured import Choices, api_keys_of, choices_of, secrets_of
from conversion_relay.settings_file import OutboxUrl, read_file, refuse_misspelt, secrets_in, source_tables, token_files
from conversion_relay.telemetry import Secret

REQUIRED = ("META_PIXEL_ID", "META_ACCESS_TOKEN")
TOKEN_FILE = "META_ACCESS_TOKEN_FILE"  # noqa: S105 - the name of a variable
LogFormat = Literal["auto", "json", "text"]
BotPolicy = Literal["mark", "drop", "keep"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset (pixel) at Meta, and who may send to it: pages by origin, backends by API key."""

    pixel_id: str
    access_token: Secret
    app_secret: Secret = Secret("")
    """Where it is set, each call proves that its sender has it (META_APP_SECRET)."""
    test_event_code: str | None = None
    allowed_origins: frozenset[str] = frozenset()
    api_keys: tuple[Secret, ...] = ()
    bots: BotPolicy = "mark"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the operator decides. Events that name no dataset go to the first one."""

    datasets: tuple[Dataset, ...]
    graph_url: str = "https://graph.facebook.com"
    graph_version: str = "v27.0"
    outbox: str = "sqlite:///conversion-relay.db"
    default_country: str | None = None
    trusted_proxies: tuple[Network, ...] = ()
    viewer_header: str = ""
    """A header in which trusted proxies name the visitor's address (RELAY_VIEWER_HEADER), in lower case."""
    admin_password: Secret = Secret("")
    webhook_secrets: dict[str, tuple[Secret, ...]] = {}
    """By provider, what vouches for its notices."""
    provider_keys: dict[str, tuple[Secret, ...]] = {}
    """By provider, the keys with which it is asked back (STRIPE_API_KEY)."""
    payments: Choices = Choices()
    gpc: GpcPolicy = "limited_data_use"
    silence: SilencePolicy = "send"
    """What becomes of an event whose visitor said nothing about consent (RELAY_CONSENT)."""
    set_cookies: bool = False
    public_event_names: frozenset[str] = PUBLIC_EVENT_NAMES
    max_value: float | None = None
    """The most money that a page may report in one event, in the event's own currency (RELAY_MAX_VALUE)."""
    held_event_names: frozenset[str] = frozenset({"Purchase"})
    """Event names that are held for a person, once Meta may have had the event for longer than it de-duplicates."""
    most_calls: int = 8
    """Requests to Meta in flight at once, for each dataset."""
    most_connections: int = 512
    """Of one IPv4 address or IPv6 /64, to each server process; trusted proxies have no such limit."""
    variants: bool = False
    ballast: bool = True
    """Whether a service keeps a file that it gives up on a full disk (RELAY_BALLAST)."""
    log_format: LogFormat = "auto"
    notify: tuple[Secret, ...] = ()
    """Who is told of what needs a person: mailto: and https: addresses."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, required: tuple[str, ...] = REQUIRED) -> "Settings":
        """Reads `environ` (by default the process's own) and the files that it names.

        `required`: the variables that must be there; a command that sends nothing needs none. Raises SettingsError
        with every missing variable, or with the first malformed one.
        """
        environ = os.environ if environ is None else environ
        refuse_misspelt(environ)
        name = environ.get("RELAY_CONFIG")
        from_file, several = read_file(name, environ) if name else ({}, ())
        env = {**from_file, **environ}
        given = {name for name, value in env.items() if value} | (
            {"META_ACCESS_TOKEN"} if env.get(TOKEN_FILE) else set()
        )
        missing = [name for name in required if name not in given] if not several else []
        if missing:
            raise SettingsError(f"Missing required environment variables: {', '.join(missing)}")
        datasets = tuple(map(_dataset, several or (env,)))
        return cls(
            datasets=datasets,
            graph_url=_graph_url(env.get("META_GRAPH_URL", "https://graph.facebook.com")),
            graph_version=_matching(
                "META_GRAPH_VERSION", env.get("META_GRAPH_VERSION", "v27.0"), r"v\d{1,3}\.\d", "v27.0"
            ),
            outbox=OutboxUrl(env.get("RELAY_OUTBOX") or "sqlite:///conversion-relay.db"),
            default_country=_country(env.get("RELAY_DEFAULT_COUNTRY")),
            trusted_proxies=_networks(env.get("RELAY_TRUSTED_PROXIES", "")),
            viewer_header=_matching(
                "RELAY_VIEWER_HEADER",
                env.get("RELAY_VIEWER_HEADER", ""),
                r"[A-Za-z0-9-]{0,60}",
                "the name of a header, such as CloudFront-Viewer-Address",
            ).lower(),
            admin_password=Secret(env.get("RELAY_ADMIN_PASSWORD", "")),
            webhook_secrets=_secrets(secrets_of(env)),
            provider_keys=_secrets(api_keys_of(env)),
            payments=choices_of(
                env, source_tables(name) if name else (), has_test_code=datasets[0].test_event_code is not None
            ),
            gpc=_one_of("RELAY_GPC", env.get("RELAY_GPC") or "limited_data_use", get_args(GpcPolicy)),
            silence=_one_of("RELAY_CONSENT", env.get("RELAY_CONSENT") or "send", get_args(SilencePolicy)),
            set_cookies=_boolean("RELAY_SET_COOKIES", env.get("RELAY_SET_COOKIES", "")),
            public_event_names=frozenset(_listed(env.get("RELAY_PUBLIC_EVENTS", ""))) or PUBLIC_EVENT_NAMES,
            max_value=_amount("RELAY_MAX_VALUE", env.get("RELAY_MAX_VALUE", "")),
            held_event_names=frozenset(_listed(env.get("RELAY_HOLD_LATE", "Purchase"))),
            most_calls=int(
                _matching("RELAY_MOST_CALLS", env.get("RELAY_MOST_CALLS", "8"), r"[1-9]|[1-5]\d|6[0-4]", "1 to 64")
            ),
            most_connections=int(
                _matching(
                    "RELAY_MOST_CONNECTIONS", env.get("RELAY_MOST_CONNECTIONS", "512"), r"[1-9]\d{0,4}", "1 to 99999"
                )
            ),
            variants=_boolean("RELAY_VARIANTS", env.get("RELAY_VARIANTS", "")),
            ballast=_boolean("RELAY_BALLAST", env.get("RELAY_BALLAST") or "true"),
            log_format=_one_of("RELAY_LOG_FORMAT", env.get("RELAY_LOG_FORMAT") or "auto", get_args(LogFormat)),
            notify=tuple(Secret(_address(address)) for address in _listed(env.get("RELAY_NOTIFY", ""))),
        )

    @staticmethod
    def files() -> list[Path]:
        """The files whose settings may change while we run, for `SettingsWatch`."""
        return token_files(os.environ)

    @property
    def only_dataset(self) -> str | None:
        """The id of the one configured dataset; None where there are several, or none."""
        ids = [dataset.pixel_id for dataset in self.datasets]
        return ids[0] if len(ids) == 1 and ids != ["0"] else None

    def dataset(self, pixel_id: str) -> Dataset | None:
        """The dataset of that id; None for one that is not configured (any more), whose events then wait."""
        return next((d for d in self.datasets if d.pixel_id == pixel_id), None)

    def policy(self, dataset: Dataset) -> Policy:
        """What the door (`intake.accept`) needs to know for one dataset."""
        return Policy(
            dataset=dataset.pixel_id,
            default_country=self.default_country,
            variants=self.variants,
            gpc=self.gpc,
            silence=self.silence,
            public_event_names=self.public_event_names,
            max_value=self.max_value,
        )

    @property
    def told_policy(self) -> dict[str, str]:
        """The header that tells a page's script RELAY_GPC and RELAY_CONSENT."""
        return {POLICY_HEADER: told(self.gpc, self.silence)}

    def secrets(self) -> list[str]:
        """All secrets in clear, for the log filter (`telemetry.NoSecrets`) and for nothing else."""
        of_providers = [*self.webhook_secrets.values(), *self.provider_keys.values()]
        found = [self.admin_password, *(secret for group in of_providers for secret in group)]
        # Of "test:whsec_1" and of "ADDRESS KEY", what a log must not show is the last part.
        found += [Secret(s.reveal().removeprefix("test:").rpartition(" ")[2]) for group in of_providers for s in group]
        for dataset in self.datasets:
            found += [dataset.access_token, dataset.app_secret, *dataset.api_keys]
        found += [*self.notify, *map(Secret, secrets_in(self.outbox))]
        return list(dict.fromkeys(secret.reveal() for secret in found if secret))


def _token_in(file: str) -> str:
    """The token that stands in this file."""
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{TOKEN_FILE}: the file cannot be read: {error.__class__.__name__}") from None


def _dataset(table: Mapping[str, str]) -> Dataset:
    return Dataset(
        pixel_id=_matching(
            "META_PIXEL_ID", table.get("META_PIXEL_ID") or "0", r"\d{1,20}", "digits only, e.g. 1232612085335834"
        ),
        access_token=_token(_token_in(file) if (file := table.get(TOKEN_FILE)) else table.get("META_ACCESS_TOKEN", "")),
        app_secret=Secret(table.get("META_APP_SECRET", "").strip()),
        test_event_code=table.get("META_TEST_EVENT_CODE") or None,
        allowed_origins=frozenset(map(normal_origin, _listed(table.get("RELAY_ALLOWED_ORIGINS", "")))),
        api_keys=tuple(map(Secret, _listed(table.get("RELAY_API_KEYS", "")))),
        bots=_one_of("RELAY_BOTS", table.get("RELAY_BOTS", "mark"), get_args(BotPolicy)),
    )


def _token(text: str) -> Secret:
    if text and not re.fullmatch(r"[!-~]+", text):
        raise SettingsError("META_ACCESS_TOKEN: holds a space or an odd character; paste it without line breaks")
    return Secret(text)


def _graph_url(url: str) -> str:
    parts = _parts("META_GRAPH_URL", url)
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not (parts.scheme == "https" or (parts.scheme == "http" and loopback)) or not parts.hostname:
        raise SettingsError("META_GRAPH_URL: https only (http for 127.0.0.1, ::1 and localhost)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError("META_GRAPH_URL: scheme, host and port only")
    return url.rstrip("/")


def _address(text: str) -> str:
    parts = _parts("RELAY_NOTIFY", text)
    loopback = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not ((parts.scheme == "https" or loopback) and parts.hostname) and not re.match(
        r"mailto:[^@\s]+@[^@\s]+$", text
    ):
        raise SettingsError("RELAY_NOTIFY: addresses such as mailto:you@example.com or https://hooks.slack.com/...")
    return text


def _parts(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        raise SettingsError(f"{name}: expected a URL such as https://shop.example") from None
    return parts


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part) for part in _listed(text))
    except ValueError:
        raise SettingsError("RELAY_TRUSTED_PROXIES: networks such as 127.0.0.1/32,10.0.0.0/8") from None


def _secrets(found: Mapping[str, list[str]]) -> dict[str, tuple[Secret, ...]]:
    return {name: tuple(map(Secret, texts)) for name, texts in found.items()}


def _country(text: str | None) -> str | None:
    if not text:
        return None
    return _matching("RELAY_DEFAULT_COUNTRY", text, r"[A-Za-z]{2}", "two letters such as DE").lower()


def _matching(name: str, text: str, pattern: str, example: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise SettingsError(f"{name}: expected {example}")
    return text


def _amount(name: str, text: str) -> float | None:
    return float(_matching(name, text, r"\d{1,12}(\.\d{1,4})?", "an amount such as 500")) if text else None


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> Any:
    if text not in allowed:
        raise SettingsError(f"{name}: one of {', '.join(allowed)}")
    return text


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("", "0", "1", "false", "true", "no", "yes"):
        raise SettingsError(f"{name}: true or false")
    return text.lower() in ("1", "true", "yes")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
