"""Every setting, read once at start into one frozen `Settings`.

Precedence, from strong to weak:
1. META_ACCESS_TOKEN_FILE: the token in this file, because a token that is renewed while we run can only come by file.
2. The environment.
3. The TOML file that RELAY_CONFIG names. Its top-level keys are the variables' own names.
4. The default in `Settings`.
With [[dataset]] tables in the file, the META_ names, origins and API keys of each dataset come from its table alone:
a variable of the environment could not say which of them it is for. For the same reason a table's own RELAY_CONSENT,
RELAY_GPC and the like are stronger than the environment's (`dataset.py`).

Secrets. A token in an error message or a log is a leaked token, and a start that fails is what people paste into
chats. So every secret is a `Secret`, which does not print itself, and an error names the setting, the rule and an
example, never the value, whatever the setting. `Settings.secrets` hands the texts to the log filter alone, as the last
net (`telemetry.NoSecrets`).

Which names there are: `names.py`. What the file may hold: `file.py`. How an origin is read: `intake/origins.py`.

Mistakes end the start with exit code 78: what is missing is named all at once, what is malformed is named one by one.
Rejected: a settings library. It would quote the value in its message, and be loaded by every Lambda function.
"""

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import msgspec

from conversion_relay.errors import SettingsError, leaves_no_variables
from conversion_relay.event import PUBLIC_EVENT_NAMES
from conversion_relay.intake.accept import Policy
from conversion_relay.intake.consent import POLICY_HEADER, Decision, GpcPolicy, SilencePolicy, decision, told
from conversion_relay.payments.configured import Choices, api_keys_of, choices_of, secrets_of
from conversion_relay.settings.dataset import (
    TOKEN_FILE,
    Dataset,
    read_dataset,
    read_tables,
    refuse_wrong_copies,
    with_line,
)
from conversion_relay.settings.file import Seen, files_behind, look_at, named_in, read_file, source_tables
from conversion_relay.settings.misspelt import refuse_misspelt
from conversion_relay.settings.names import is_setting
from conversion_relay.settings.values import (
    OutboxUrl,
    amount,
    as_meant,
    boolean,
    country,
    event_names,
    listed,
    matching,
    one_of,
    parts_of,
    secrets_in,
    told_to,
)
from conversion_relay.telemetry import Secret

__all__ = ["Dataset", "Settings"]
REQUIRED = ("META_PIXEL_ID", "META_ACCESS_TOKEN")
_OF_ONE = ("gpc", "silence", "default_country", "public_event_names", "max_value")
"""What a [[dataset]] table may say for itself."""
_GPC_STRICTNESS = ("ignore", "limited_data_use", "withhold")
LogFormat = Literal["auto", "json", "text"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the operator decides. Events that name no dataset go to the first one.

    Over 150 lines: a line for each setting, and one where it is read."""

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
    read_from: tuple[Seen, ...] = ()
    """The files as they were before they were read, for `SettingsWatch`: what changes while they are read is seen."""

    @classmethod
    @leaves_no_variables
    def from_env(cls, environ: Mapping[str, str] | None = None, *, required: tuple[str, ...] = REQUIRED) -> "Settings":
        """Reads `environ` (by default the process's own) and the files that it names.

        `required`: the variables that must be there; a command that sends nothing needs none. Raises SettingsError
        with every missing variable, or with the first malformed one.
        """
        environ = os.environ if environ is None else environ
        name = as_meant("RELAY_CONFIG", environ.get("RELAY_CONFIG") or "")
        try:
            refuse_misspelt(environ)
            return cls._read(environ, name, required)
        except SettingsError as error:
            raise with_line(error, name) from None

    @classmethod
    def _read(cls, environ: Mapping[str, str], name: str, required: tuple[str, ...]) -> "Settings":
        """`name`: of the TOML file, "" where there is none."""
        read_from = look_at((name,) if name else ())
        from_file, several = read_file(name, environ) if name else ({}, ())
        read_from += look_at(named_in((environ, from_file, *several)))
        env = _as_meant({**from_file, **environ})
        given = {name for name, value in env.items() if value} | (
            {"META_ACCESS_TOKEN"} if env.get(TOKEN_FILE) else set()
        )
        missing = [name for name in required if name not in given] if not several else []
        if missing:
            raise SettingsError(f"Missing required environment variables: {', '.join(missing)}")
        datasets = read_tables(several) if several else (read_dataset(env, is_table=False),)
        refuse_wrong_copies(datasets)
        return cls(
            datasets=datasets,
            graph_url=_graph_url(env.get("META_GRAPH_URL", "https://graph.facebook.com")),
            graph_version=matching(
                "META_GRAPH_VERSION", env.get("META_GRAPH_VERSION", "v27.0"), r"v\d{1,3}\.\d", "v27.0"
            ),
            outbox=OutboxUrl(env.get("RELAY_OUTBOX") or "sqlite:///conversion-relay.db"),
            default_country=country(env.get("RELAY_DEFAULT_COUNTRY")),
            trusted_proxies=_networks(env.get("RELAY_TRUSTED_PROXIES", "")),
            viewer_header=matching(
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
            gpc=one_of("RELAY_GPC", env.get("RELAY_GPC") or "limited_data_use", get_args(GpcPolicy)),
            silence=one_of("RELAY_CONSENT", env.get("RELAY_CONSENT") or "send", get_args(SilencePolicy)),
            set_cookies=boolean("RELAY_SET_COOKIES", env.get("RELAY_SET_COOKIES", "")),
            public_event_names=event_names("RELAY_PUBLIC_EVENTS", env.get("RELAY_PUBLIC_EVENTS", ""))
            or PUBLIC_EVENT_NAMES,
            max_value=amount("RELAY_MAX_VALUE", env.get("RELAY_MAX_VALUE", "")),
            held_event_names=event_names("RELAY_HOLD_LATE", env.get("RELAY_HOLD_LATE", "Purchase")),
            most_calls=int(
                matching("RELAY_MOST_CALLS", env.get("RELAY_MOST_CALLS", "8"), r"[1-9]|[1-5]\d|6[0-4]", "1 to 64")
            ),
            most_connections=int(
                matching(
                    "RELAY_MOST_CONNECTIONS", env.get("RELAY_MOST_CONNECTIONS", "512"), r"[1-9]\d{0,4}", "1 to 99999"
                )
            ),
            variants=boolean("RELAY_VARIANTS", env.get("RELAY_VARIANTS", "")),
            ballast=boolean("RELAY_BALLAST", env.get("RELAY_BALLAST") or "true"),
            log_format=one_of("RELAY_LOG_FORMAT", env.get("RELAY_LOG_FORMAT") or "auto", get_args(LogFormat)),
            notify=tuple(Secret(told_to(address)) for address in listed(env.get("RELAY_NOTIFY", ""))),
            read_from=read_from,
        )

    @staticmethod
    def files() -> list[str]:
        """The files whose settings may change while we run, for `SettingsWatch`."""
        return files_behind(os.environ)

    @property
    def only_dataset(self) -> str | None:
        """The id of the one configured dataset; None where there are several, or none."""
        ids = [dataset.pixel_id for dataset in self.datasets]
        return ids[0] if len(ids) == 1 and ids != ["0"] else None

    def dataset(self, pixel_id: str) -> Dataset | None:
        """The dataset of that id; None for one that is not configured (any more), whose events then wait."""
        return next((d for d in self.datasets if d.pixel_id == pixel_id), None)

    def with_copies(self, *datasets: Dataset) -> tuple[Dataset, ...]:
        """These, and then those that get a copy of their events; each once."""
        names = [*(one.pixel_id for one in datasets), *(name for one in datasets for name in one.copies_to)]
        if len(names) == 1:
            return datasets
        return tuple(found for name in dict.fromkeys(names) if (found := self.dataset(name)))

    def of(self, dataset: Dataset) -> "Settings":
        """As they hold for one dataset: what its table says of itself stands in place of what holds for all."""
        own = {name: value for name in _OF_ONE if (value := getattr(dataset, name)) is not None}
        return msgspec.structs.replace(self, **own) if own else self

    def strictest(self, datasets: Iterable[Dataset]) -> "Settings":
        """As they hold for a page that sends to all of these: its script keeps every pixel to one policy."""
        own = [self.of(dataset) for dataset in datasets]
        gpc = max((one.gpc for one in own), key=_GPC_STRICTNESS.index)
        silence = max((one.silence for one in own), key=get_args(SilencePolicy).index)
        return msgspec.structs.replace(self, gpc=gpc, silence=silence)

    def policy(self, dataset: Dataset) -> Policy:
        """What the door (`intake.accept`) needs to know for one dataset."""
        own = self.of(dataset)
        return Policy(
            dataset=dataset.pixel_id,
            default_country=own.default_country,
            variants=own.variants,
            gpc=own.gpc,
            silence=own.silence,
            public_event_names=own.public_event_names,
            max_value=own.max_value,
        )

    def withholds(self, said: Literal["granted", "denied"] | None, *, gpc: bool) -> bool:
        """Whether nothing of such a visit goes to Meta: what the visitor said, what the browser signals."""
        return decision(said, gpc=gpc, policy=self.gpc, silence=self.silence) is Decision.WITHHOLD

    @property
    def told_policy(self) -> dict[str, str]:
        """The header that tells a page's script RELAY_GPC and RELAY_CONSENT; of one dataset, `of(dataset)`'s."""
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


def _as_meant(env: Mapping[str, str]) -> dict[str, str]:
    """What is no setting of ours stays as it is. A program may give a mapping of its own, with other types in it."""
    meant = dict(env)
    for name, text in env.items():
        if not is_setting(name):
            continue
        if not isinstance(text, str):
            raise SettingsError(f"{name}: a text is needed, as in the environment, not {type(text).__name__}")
        meant[name] = as_meant(name, text)
    return meant


def _graph_url(url: str) -> str:
    parts = parts_of("META_GRAPH_URL", url)
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not (parts.scheme == "https" or (parts.scheme == "http" and loopback)) or not parts.hostname:
        raise SettingsError("META_GRAPH_URL: https only (http for 127.0.0.1, ::1 and localhost)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError("META_GRAPH_URL: scheme, host and port only")
    if re.search(r"/v\d+\.\d+/?$", parts.path):
        raise SettingsError("META_GRAPH_URL: without the version, which META_GRAPH_VERSION says")
    return url.rstrip("/")


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part) for part in listed(text))
    except ValueError:
        raise SettingsError("RELAY_TRUSTED_PROXIES: networks such as 127.0.0.1/32,10.0.0.0/8") from None


def _secrets(found: Mapping[str, list[str]]) -> dict[str, tuple[Secret, ...]]:
    return {name: tuple(map(Secret, texts)) for name, texts in found.items()}
