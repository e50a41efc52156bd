"""What the settings say about payments: secrets, keys, places of the order's key, and what is counted.

The names: `{PROVIDER}_WEBHOOK_SECRET` (PAYPAL_WEBHOOK_ID), several comma-separated while they are rotated, `test:`
before one of the provider's test mode; `{PROVIDER}_ORDER_KEY`, places in the notice; and the RELAY_ names of `Terms`. A
setting that holds an empty secret ends the start: nobody shall find that out by a forged payment.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_type_hints

import msgspec

from conversion_relay.errors import SettingsError
from conversion_relay.patterns import seldom
from conversion_relay.payments import PROVIDERS
from conversion_relay.payments.events import Terms
from conversion_relay.payments.options import Options
from conversion_relay.payments.signature import TEST, mode_of
from conversion_relay.payments.source_table import source_of
from conversion_relay.payments.sources import Source

STRIPE_KINDS = ("checkout", "payment_intent", "invoice", "refund", "charge")
TERMS = {
    "RELAY_TEST_PAYMENTS": "tests",
    "RELAY_SUBSCRIPTIONS": "first",
    "RELAY_REFUNDS": "refunds",
    "RELAY_RENEWALS": "renewals",
    "RELAY_FREE_ORDERS": "free",
}
SECRET = re.compile(r"([A-Z0-9]+)_WEBHOOK_SECRET")
_ORDER_KEY = re.compile(r"([A-Z0-9]+)_ORDER_KEY")
_PLACE = seldom(r"[\w -]+(?:\.[\w -]+)*")
"""Metadata and notes are named by shops: `notes.Order number`, `metadata.wp-order`."""

_MISTAKEN = {
    "STRIPE_WEBHOOK_SECRET": (("sk_", "rk_", "pk_", "we_"), "the endpoint's signing secret begins with whsec_"),
    "PADDLE_WEBHOOK_SECRET": (("ntfset_", "pdl_live_", "pdl_sdbx_"), "the secret key begins with pdl_ntfset_"),
    "STANDARD_WEBHOOK_SECRET": (("whpk_", "whsk_"), "signatures by a key pair (v1a) are not read, those of whsec_ are"),
    "PAYPAL_WEBHOOK_ID": (("http", "WH-"), "the webhook's id, as the app's page at PayPal shows it"),
}
"""What stands beside a secret on the provider's page. With it every notice would be refused as forged."""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What `Settings` holds of this room, beside the secrets."""

    terms: Terms = Terms()
    options: dict[str, Options] = {}
    """By provider."""
    sources: dict[str, Source] = {}
    """Senders of one's own, by name."""


def names() -> frozenset[str]:
    """Every setting of payments; those of a source of one's own are known by their form (`is_one`)."""
    rows = PROVIDERS.values()
    found = {name for row in rows for name in (row.setting, row.url_setting, row.key_setting) if name}
    return frozenset(found | TERMS.keys() | {f"{name.upper()}_ORDER_KEY" for name in PROVIDERS} | {"STRIPE_PAYMENTS"})


def is_one(name: str) -> bool:
    """Whether a name of the file may be a setting of payments."""
    return name in names() or bool(SECRET.fullmatch(name))


def is_list(name: str) -> bool:
    return bool(SECRET.fullmatch(name) or _ORDER_KEY.fullmatch(name)) or name in (
        "STRIPE_PAYMENTS",
        "PAYPAL_WEBHOOK_ID",
    )


def choices_of(env: Mapping[str, str], tables: Sequence[Mapping[str, Any]], *, has_test_code: bool) -> Choices:
    """Raises SettingsError, which never shows a value."""
    terms = Terms(**{member: _one_of(name, env[name], member) for name, member in TERMS.items() if env.get(name)})
    if terms.tests == "test_code" and not has_test_code:
        raise SettingsError("RELAY_TEST_PAYMENTS: test_code needs META_TEST_EVENT_CODE, with which they are sent")
    kinds = tuple(_listed(env.get("STRIPE_PAYMENTS", "")))
    if not set(kinds) <= set(STRIPE_KINDS):
        raise SettingsError(f"STRIPE_PAYMENTS: some of {', '.join(STRIPE_KINDS)}")
    if {"refund", "charge"} <= set(kinds):
        raise SettingsError("STRIPE_PAYMENTS: refund or charge, not both: each tells of the same refunds")
    options = {}
    for name in env:
        if (found := _ORDER_KEY.fullmatch(name)) and env[name]:
            provider = found[1].lower()
            places = tuple(_listed(env[name]))
            if not all(_PLACE.fullmatch(place) for place in places):
                raise SettingsError(f"{name}: places in the notice such as metadata.order_id, comma-separated")
            options[provider] = Options(order_key=places)
    if kinds:
        options["stripe"] = Options(order_key=options.get("stripe", Options()).order_key, kinds=kinds)
    sources: dict[str, Source] = {}
    for number, table in enumerate(tables, 1):
        source = source_of(table, number, [*PROVIDERS, *sources])
        if not env.get(source.setting):
            raise SettingsError(f"[[source]] {number}: set {source.setting}, or nobody could be told from a stranger")
        sources[source.name] = source
    return Choices(terms=terms, options=options, sources=sources)


def secrets_of(env: Mapping[str, Any]) -> dict[str, list[str]]:
    """By provider, what vouches for its notices. Square's are "ADDRESS KEY", since its signature is over both."""
    by_setting = {row.setting: name for name, row in PROVIDERS.items()}
    found = {}
    for setting, value in env.items():
        match = SECRET.fullmatch(setting)
        provider = by_setting.get(setting) or (match[1].lower() if match else None)
        if provider is None or not isinstance(value, str) or not value:
            continue
        secrets = _listed(value)
        if not secrets or not all(mode_of(secret)[1] for secret in secrets):
            raise SettingsError(f"{setting}: it holds an empty secret; write each one, with a comma between two")
        mistaken, is_right = _MISTAKEN.get(setting, ((), ""))
        if any(mode_of(secret)[1].startswith(mistaken) for secret in secrets):
            raise SettingsError(f"{setting}: it holds something else of the provider's; {is_right}")
        row = PROVIDERS.get(provider)
        if row and row.certificates and not _has_cryptography():
            raise SettingsError(
                f"{setting}: it needs the package cryptography (pip install 'conversion-relay[paypal]'; on AWS a layer)"
            )
        found[provider] = _with_url(secrets, row.url_setting, env) if row and row.url_setting else secrets
    return found


def _has_cryptography() -> bool:
    from importlib.util import find_spec

    return find_spec("cryptography") is not None


def api_keys_of(env: Mapping[str, str]) -> dict[str, list[str]]:
    """By provider, the keys with which it is asked back."""
    rows = [(name, row.key_setting) for name, row in PROVIDERS.items() if row.key_setting]
    return {name: _listed(env[setting]) for name, setting in rows if _listed(env.get(setting) or "")}


def _with_url(secrets: list[str], setting: str, env: Mapping[str, Any]) -> list[str]:
    url = env.get(setting)
    if not isinstance(url, str) or not re.fullmatch(r"https?://[!-~]+", url):
        raise SettingsError(f"{setting}: the address of the endpoint as the provider has it; the signature is over it")
    parted = [mode_of(secret) for secret in secrets]
    return [f"{TEST if mode == 'test' else ''}{url} {key}" for mode, key in parted]


def _one_of(name: str, given: str, member: str) -> Any:
    allowed = get_args(get_type_hints(Terms)[member])
    if given not in allowed:
        raise SettingsError(f"{name}: one of {', '.join(allowed)}")
    return given


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
