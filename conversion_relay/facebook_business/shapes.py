"""Event, UserData, CustomData, Content and Preference with the SDK's members, and what they are as an event of ours.

Members are kept as they were given: the door normalises and hashes, once, when the request is executed. (The SDK does
so in its setters, and raises there.) `app_data` and the like are dictionaries in Meta's own form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from conversion_relay import event as ours
from conversion_relay.facebook_business.api import judge
from conversion_relay.facebook_business.model import Model, normalized, prepared
from conversion_relay.facebook_business.plain import (
    Told,
    given,
    is_several,
    keep_a_list,
    listed,
    plain,
    read,
    read_all,
)
from conversion_relay.facebook_business.request_context import NO_REQUEST, UNREADABLE, Preference, facts_of
from conversion_relay.intake.members import read_members
from conversion_relay.intake.request_facts import NO_FACTS, Network, RequestFacts
from conversion_relay.intake.values import LeftOut

_WISHES = ("opt_out", "data_processing_options")
"""A visitor's wish that cannot be read counts as the strictest; see `intake.members`."""
_SOME = "Lead"
"""A part is normalized within an event of a name that asks for nothing."""
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
class UserData(Model):
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

    def to_wire(self, told: Told) -> dict[str, Any]:
        """In our names, single values and plurals together."""
        wire = read(self, "user_data", told)
        for one, (several, name) in _SEVERAL.items():
            values = [value for given in (one, several, name) for value in _listed(wire.pop(given, None))]
            if values:
                wire[name] = values
        return wire

    def normalize(self) -> dict[str, Any]:
        """As Meta would get it: hashed, without what cannot be used."""
        return prepared(Event(event_name=_SOME, user_data=self).as_ours(), "user_data")

    def __repr__(self) -> str:
        """Only names: a traceback must not show a person."""
        return f"UserData({', '.join(given(self))})"


@dataclass
class Content(Model):
    """One line of an order."""

    product_id: Any = None
    quantity: Any = None
    item_price: Any = None
    title: Any = None
    description: Any = None
    brand: Any = None
    category: Any = None
    delivery_category: Any = None

    def to_wire(self, told: Told) -> dict[str, Any]:
        wire = read(self, "custom_data.contents", told)
        return {("id" if name == "product_id" else name): value for name, value in wire.items()}

    def normalize(self) -> dict[str, Any]:
        """As Meta would get it."""
        lines = CustomData(contents=[self]).normalize().get("contents")
        return dict(lines[0]) if lines else {}

    def __repr__(self) -> str:
        """Only names, as of UserData: a text of the shop's may name a person."""
        return f"Content({', '.join(given(self))})"


@dataclass
class CustomData(Model):
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
    custom_properties: Any = None

    def add_custom_property(self, key: str, value: Any) -> None:
        """A property of your own."""
        if not isinstance(key, str | int | Enum):
            raise TypeError("key: the name of a property is a text")
        self.custom_properties = {**(self.custom_properties or {}), key: value}

    def to_wire(self, told: Told) -> dict[str, Any]:
        wire = read(self, "custom_data", told, but=("contents", "custom_properties"))
        if self.contents is not None:
            keep_a_list(self, "contents")
            try:
                several = listed(self.contents) if is_several(self.contents) else [self.contents]
                wire["contents"] = [line for one in several if (line := _line(one, told)) is not None]
            except LeftOut as why:
                told.append(("custom_data.contents", str(why)))
        if isinstance(self.custom_properties, Mapping):
            wire |= read_all(self.custom_properties, "custom_data", told)
        elif self.custom_properties is not None:
            told.append(("custom_data.custom_properties", "no object"))
        return wire

    def normalize(self) -> dict[str, Any]:
        """As Meta would get it: without a person in any text."""
        return prepared(Event(event_name=_SOME, custom_data=self).as_ours(), "custom_data")

    def __repr__(self) -> str:
        """Only names, as of UserData: a text of the shop's may name a person."""
        return f"CustomData({', '.join(given(self))})"


@dataclass
class Event(Model):
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
        if not isinstance(preference, Preference | None):
            raise TypeError("preference: a Preference of conversion_relay.facebook_business is needed")
        self._context, self._preference = context, preference or Preference()
        return self

    setRequestContext = set_request_context

    def get_request_context(self) -> Any:
        return self._context

    def get_preference(self) -> Preference:
        return self._preference

    def facts(self, trusted_proxies: Sequence[Network] = (), viewer_header: str = "") -> RequestFacts:
        """What the request tells, as far as the preference allows."""
        if self._context is None:
            return NO_FACTS
        return self._preference.allowed(facts_of(self._context, trusted_proxies, viewer_header))

    def as_ours(self) -> ours.Event | ours.Rejection:
        """The event that the Relay takes; total, since the door reads members of any type."""
        told: Told = []
        wire = read(self, "", told, but=("user_data", "custom_data"))
        for refused in ("event_name", "event_time", "action_source"):
            if any(path == refused for path, _ in told):  # never left out, see `intake.members`
                wire[refused] = {}
        wire |= {wish: True for wish in _WISHES if any(path == wish for path, _ in told)}
        wire["user_data"] = _shape_or_object(
            UserData() if self.user_data is None else self.user_data, "user_data", told
        )
        if self.custom_data is not None:
            wire["custom_data"] = _shape_or_object(self.custom_data, "custom_data", told)
        event = read_members(wire)
        if isinstance(event, ours.Rejection) or not told:
            return event
        left_out = (*told, *(event.left_out if isinstance(event, ours.EventAsRead) else ()))
        members = {name: getattr(event, name) for name in ours.Event.__struct_fields__}
        return ours.EventAsRead(**members, left_out=left_out)

    def normalize(self) -> dict[str, Any]:
        """As Meta would get it: hashed and scrubbed, with what `set_request_context` tells. Nothing is kept. Raises
        EventRefused for an event that no request would keep."""
        try:
            settings = judge().settings
            facts = self.facts(settings.trusted_proxies, settings.viewer_header)
        except UNREADABLE:
            return normalized(NO_REQUEST, NO_FACTS)
        return normalized(self.as_ours(), facts)

    def __repr__(self) -> str:
        """Only names: a traceback must not show a person."""
        return f"Event({', '.join(name for name in given(self) if not name.startswith('_'))})"


def _line(content: Any, told: Told) -> Any:
    """One of `contents`."""
    if isinstance(content, Content):
        return content.to_wire(told)
    try:
        return plain(content)
    except LeftOut as why:
        told.append(("custom_data.contents", str(why)))
        return None


def _shape_or_object(value: Any, path: str, told: Told) -> Any:
    """What is no shape of ours stays what it is: the door says what is wrong with it, and the other events are kept."""
    if isinstance(value, UserData | CustomData | Content):
        return value.to_wire(told)
    try:
        return plain(value)
    except LeftOut as why:
        told.append((path, str(why)))
        return None


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
