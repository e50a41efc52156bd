"""Event, UserData, CustomData, Content and Preference with the SDK's members, and what they are as an event of ours.

Members are kept as they were given: the door normalises and hashes, once, when the request is executed. (The SDK does
so in its setters, and raises there.) `app_data` and the like are dictionaries in Meta's own form.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

import msgspec

from conversion_relay import event as ours
from conversion_relay.intake.members import read_members
from conversion_relay.intake.request_facts import NO_FACTS, Network, RequestFacts

_SEVERAL = {
    "email": ("emails", "email"),
    "phone": ("phones", "phone"),
    "gender": ("genders", "gender"),
    "date_of_birth": ("dates_of_birth", "date_of_birth"),
    "last_name": ("last_names", "last_name"),
    "first_name": ("first_names", "first_name"),
    "city": ("cities", "city"),
    "state": ("states", "state"),
    "country_code": ("country_codes", "country"),
    "zip_code": ("zip_codes", "zip"),
    "external_id": ("external_ids", "external_id"),
}
"""The SDK's name for one value -> (its name for several, our name)."""


@dataclass
class UserData:
    """Who did it. A single value and its plural are two names of one member, as in the SDK."""

    email: Any = None
    phone: Any = None
    gender: Any = None
    date_of_birth: Any = None
    last_name: Any = None
    first_name: Any = None
    city: Any = None
    state: Any = None
    country_code: Any = None
    zip_code: Any = None
    external_id: Any = None
    client_ip_address: Any = None
    client_user_agent: Any = None
    fbc: Any = None
    fbp: Any = None
    subscription_id: Any = None
    fb_login_id: Any = None
    lead_id: Any = None
    f5first: Any = None
    f5last: Any = None
    fi: Any = None
    dobd: Any = None
    dobm: Any = None
    doby: Any = None
    emails: Any = None
    phones: Any = None
    genders: Any = None
    dates_of_birth: Any = None
    last_names: Any = None
    first_names: Any = None
    cities: Any = None
    states: Any = None
    country_codes: Any = None
    zip_codes: Any = None
    external_ids: Any = None
    madid: Any = None
    anon_id: Any = None
    ctwa_clid: Any = None
    page_id: Any = None

    def to_wire(self) -> dict[str, Any]:
        """In our names, single values and plurals together."""
        wire = _given(self)
        for one, (several, name) in _SEVERAL.items():
            values = [*_listed(wire.pop(one, None)), *_listed(wire.pop(several, None))]
            if values:
                wire[name] = [_plain(value) for value in values]
        return wire

    def __repr__(self) -> str:
        """Only names: a traceback must not show a person."""
        return f"UserData({', '.join(_given(self))})"


@dataclass
class Content:
    """One line of an order."""

    product_id: Any = None
    quantity: Any = None
    item_price: Any = None
    title: Any = None
    description: Any = None
    brand: Any = None
    category: Any = None
    delivery_category: Any = None

    def to_wire(self) -> dict[str, Any]:
        wire = {name: _plain(value) for name, value in _given(self).items()}
        return {("id" if name == "product_id" else name): value for name, value in wire.items()}


@dataclass
class CustomData:
    """What the event was worth."""

    value: Any = None
    net_revenue: Any = None
    currency: Any = None
    content_name: Any = None
    content_category: Any = None
    content_ids: Any = None
    contents: Any = None
    content_type: Any = None
    order_id: Any = None
    predicted_ltv: Any = None
    num_items: Any = None
    status: Any = None
    search_string: Any = None
    delivery_category: Any = None
    item_number: Any = None
    custom_properties: dict[str, Any] | None = None

    def add_custom_property(self, key: str, value: Any) -> None:
        """A property of your own."""
        self.custom_properties = {**(self.custom_properties or {}), key: value}

    def to_wire(self) -> dict[str, Any]:
        wire = {name: _plain(value) for name, value in _given(self).items()}
        if "contents" in wire:
            wire["contents"] = [_wired(one) for one in _listed(self.contents)]
        own = wire.pop("custom_properties", None)
        return {**wire, **own} if isinstance(own, dict) else wire if own is None else {**wire, "custom_properties": own}


@dataclass
class Preference:
    """What `set_request_context` may fill in."""

    is_fbc_allowed: bool = True
    is_fbp_allowed: bool = True
    is_client_ip_address_allowed: bool = True
    is_referrer_url_allowed: bool = True
    is_event_source_url_allowed: bool = True

    def allowed(self, facts: RequestFacts) -> RequestFacts:
        """The facts without what is not allowed."""
        return msgspec.structs.replace(
            facts,
            fbc=facts.fbc if self.is_fbc_allowed else None,
            fbp=facts.fbp if self.is_fbp_allowed else None,
            client_ip_address=facts.client_ip_address if self.is_client_ip_address_allowed else None,
            referrer=facts.referrer if self.is_referrer_url_allowed else None,
            url=facts.url if self.is_event_source_url_allowed else None,
        )


@dataclass
class Event:
    """One server event."""

    event_name: Any = None
    event_time: Any = None
    event_source_url: Any = None
    opt_out: Any = None
    event_id: Any = None
    user_data: UserData | None = None
    custom_data: CustomData | None = None
    app_data: Any = None
    data_processing_options: Any = None
    data_processing_options_country: Any = None
    data_processing_options_state: Any = None
    action_source: Any = None
    advanced_measurement_table: Any = None
    messaging_channel: Any = None
    original_event_data: Any = None
    attribution_data: Any = None
    referrer_url: Any = None
    _context: Any = field(default=None, init=False, repr=False)
    _preference: Preference = field(default_factory=Preference, init=False, repr=False)

    def set_request_context(self, context: Any, preference: Preference | None = None) -> "Event":
        """The visitor's request: Django's, Flask's or Starlette's, an ASGI scope or a WSGI environment."""
        if not (isinstance(context, dict) or any(hasattr(context, name) for name in ("META", "environ", "scope"))):
            raise TypeError("a request of Django, Flask or Starlette, an ASGI scope or a WSGI environment is needed")
        self._context, self._preference = context, preference or Preference()
        return self

    setRequestContext = set_request_context

    def get_request_context(self) -> Any:
        return self._context

    def get_preference(self) -> Preference:
        return self._preference

    def facts(self, trusted_proxies: Sequence[Network] = ()) -> RequestFacts:
        """What the request tells, as far as the preference allows."""
        if self._context is None:
            return NO_FACTS
        return self._preference.allowed(_facts_of(self._context, trusted_proxies))

    def as_ours(self) -> ours.Event | ours.Rejection:
        """The event that the Relay takes; total, since the door reads members of any type."""
        wire = {name: _plain(value) for name, value in _given(self).items() if not name.startswith("_")}
        wire["user_data"] = _wired(self.user_data or UserData())
        if self.custom_data is not None:
            wire["custom_data"] = _wired(self.custom_data)
        return read_members(wire)

    def __repr__(self) -> str:
        """Only names: a traceback must not show a person."""
        return f"Event({', '.join(name for name in _given(self) if not name.startswith('_'))})"


def _facts_of(context: Any, trusted_proxies: Sequence[Network]) -> RequestFacts:
    if hasattr(context, "META"):
        return RequestFacts.from_wsgi({**context.META, "wsgi.url_scheme": context.scheme}, trusted_proxies)
    found = context if isinstance(context, dict) else getattr(context, "environ", None) or context.scope
    is_wsgi = "REQUEST_METHOD" in found
    return RequestFacts.from_wsgi(found, trusted_proxies) if is_wsgi else RequestFacts.from_asgi(found, trusted_proxies)


def _given(shape: Any) -> dict[str, Any]:
    return {one.name: value for one in fields(shape) if (value := getattr(shape, one.name)) is not None}


def _wired(value: Any) -> Any:
    """What is no shape of ours stays what it is: the door says what is wrong with it, and the other events are kept."""
    return value.to_wire() if isinstance(value, UserData | CustomData | Content) else value


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | set) else [value]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
