"""The words that every room uses: an event as a caller writes it (`Event`), and as it is kept (`SealedEvent`).

Field names are Meta's, from the pages "Server Event Parameters", "Customer Information Parameters" and
"Standard Parameters": https://developers.facebook.com/docs/marketing-api/conversions-api/parameters
In `user_data` the readable names (`email`, `phone`, ...) work beside Meta's two-letter ones.
"""

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import msgspec

from conversion_relay.personal_data.foreign_types import OCTETS, json_form

if TYPE_CHECKING:
    # What a program may give, for type checkers alone. Before anybody reads it, the door (`intake.built.checked`) makes
    # of it what stands in the other branch, by which msgspec decodes JSON.
    from collections.abc import Sequence
    from decimal import Decimal
    from uuid import UUID

    type_of_id = str | int | UUID
    type_of_text = type_of_id | bytes | datetime.date | Sequence[type_of_id | bytes]
    type_of_ids = Sequence[type_of_id]
    type_of_amount = float | Decimal
else:
    type_of_id = str
    type_of_text = str | int | list[str | int]
    type_of_ids = list[str | int]
    type_of_amount = float

PUBLIC_EVENT_NAMES = frozenset(
    {"PageView", "ViewContent", "Search", "Contact", "Lead", "AddToCart", "InitiateCheckout"}
)
"""What a browser may send without a key. No name here says that money moved or that an account exists."""

PAID_EVENT_NAMES = frozenset({"Purchase", "Subscribe", "StartTrial", "Donate"})
"""Money moved, or will. Where a page may send them at all, each network has a bound for a day."""

STANDARD_EVENT_NAMES = PUBLIC_EVENT_NAMES | {
    "AddPaymentInfo",
    "AddToWishlist",
    "CompleteRegistration",
    "CustomizeProduct",
    "Donate",
    "FindLocation",
    "Purchase",
    "Schedule",
    "StartTrial",
    "SubmitApplication",
    "Subscribe",
}

ActionSource = Literal[
    "email",
    "website",
    "app",
    "phone_call",
    "chat",
    "physical_store",
    "system_generated",
    "business_messaging",
    "other",
]


class UserData(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who did it: plain or hashed, single values or lists. It lives only until `intake` has hashed it.

    `phone` has its country code, or is read by `country` or RELAY_DEFAULT_COUNTRY; `country` and `state` are names or
    codes; `date_of_birth` is YYYYMMDD, ISO 8601 or a date. What cannot be read is left out (`Tracked.dropped`)."""

    email: type_of_text | None = None
    phone: type_of_text | None = None
    first_name: type_of_text | None = None
    last_name: type_of_text | None = None
    city: type_of_text | None = None
    state: type_of_text | None = None
    zip: type_of_text | None = None
    country: type_of_text | None = None
    date_of_birth: type_of_text | None = None
    gender: type_of_text | None = None
    external_id: type_of_text | None = None
    em: type_of_text | None = None
    ph: type_of_text | None = None
    fn: type_of_text | None = None
    ln: type_of_text | None = None
    ct: type_of_text | None = None
    st: type_of_text | None = None
    zp: type_of_text | None = None
    db: type_of_text | None = None
    ge: type_of_text | None = None
    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbc: str | None = None
    fbp: str | None = None
    subscription_id: str | int | None = None
    fb_login_id: str | int | None = None
    lead_id: str | int | None = None
    anon_id: str | None = None
    madid: str | None = None
    page_id: str | int | None = None
    page_scoped_user_id: str | int | None = None
    whatsapp_business_account_id: str | int | None = None
    ctwa_clid: str | None = None
    ig_account_id: str | int | None = None
    ig_sid: str | int | None = None
    dobd: type_of_text | None = None
    dobm: type_of_text | None = None
    doby: type_of_text | None = None
    f5first: type_of_text | None = None
    f5last: type_of_text | None = None
    fi: type_of_text | None = None

    def __repr__(self) -> str:
        """Only the names of the keys that are given, because a traceback or a log line must not show a person."""
        return f"UserData({', '.join(present(self))})"


DeliveryCategory = Literal["in_store", "curbside", "home_delivery"]


class Content(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of `custom_data.contents`; `item_price` in the currency's major unit."""

    id: str | int
    quantity: int = 1
    item_price: type_of_amount | None = None
    title: str | None = None
    description: str | None = None
    brand: str | None = None
    category: str | None = None
    delivery_category: DeliveryCategory | None = None


class CustomData(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the event was worth. `value` is in the currency's major unit (299.99, not 29999); currency is ISO 4217."""

    value: type_of_amount | None = None
    currency: str | None = None
    content_name: str | None = None
    content_category: str | None = None
    content_ids: type_of_ids | None = None
    content_type: str | None = None
    contents: list[Content] | None = None
    order_id: type_of_id | None = None
    num_items: int | None = None
    predicted_ltv: type_of_amount | None = None
    net_revenue: type_of_amount | None = None
    search_string: str | None = None
    status: str | bool | None = None
    properties: dict[str, Any] | None = None
    """Custom properties of your own; sent beside the standard ones."""

    def to_wire(self) -> dict[str, Any]:
        """Meta's flat object: standard names and custom properties side by side."""
        wire: dict[str, Any] = msgspec.to_builtins(self, builtin_types=OCTETS, enc_hook=json_form)
        own = wire.pop("properties", None) or {}
        return {**wire, **own}


if TYPE_CHECKING:
    Read = TypeVar("Read")
    Given = TypeVar("Given")

    class Member(Generic[Read, Given]):
        """A program may give it in more types than it is read in; a union of them would keep msgspec from decoding."""

        def __get__(self, event: object, owner: object = None) -> Read: ...
        def __set__(self, event: object, value: Given) -> None: ...


class Event(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A server event as a caller writes it. `intake` fills in what is missing and can be known.

    >>> msgspec.json.decode(b'{"event_name": "Lead", "user_data": {"email": "joe@example.com"}}', type=Event).user_data
    UserData(email)
    """

    event_name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    if TYPE_CHECKING:
        user_data: Member[UserData, UserData | Mapping[str, Any]] = Member()
        """Who did it: a `UserData`, or a dictionary of its members."""
        event_time: Member[int | float | None, type_of_amount | datetime.datetime | str | None] = Member()
        """Unix seconds, or a date with a time zone; the moment of acceptance when absent."""
        event_id: Member[str | None, type_of_id | None] = Member()
        """The string that the browser pixel sends as `eventID`; a UUID version 7 when absent."""
    else:
        user_data: UserData = msgspec.field(default_factory=UserData)
        event_time: int | float | None = None
        event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    action_source: ActionSource = "website"
    event_source_url: Annotated[str, msgspec.Meta(max_length=8192)] | None = None
    referrer_url: Annotated[str, msgspec.Meta(max_length=8192)] | None = None
    if TYPE_CHECKING:
        custom_data: Member[dict[str, Any] | None, CustomData | Mapping[str, Any] | None] = Member()
        """Standard and custom properties: a `CustomData`, or a dictionary in Meta's form."""
    else:
        custom_data: dict[str, Any] | None = None
    opt_out: bool | None = None
    data_processing_options: list[str] | None = None
    data_processing_options_country: int | None = None
    data_processing_options_state: int | None = None
    app_data: dict[str, Any] | None = None
    original_event_data: dict[str, Any] | None = None
    attribution_data: dict[str, Any] | None = None
    messaging_channel: str | None = None
    customer_segmentation: str | None = None
    advanced_measurement_table: str | None = None
    consent: Literal["granted", "denied"] | None = None
    """What the visitor said about marketing; never sent to Meta (no field of theirs carries it)."""
    gpc: bool | None = None
    """The browser's Global Privacy Control where the page's script read it; never sent to Meta."""
    pixel: bool | None = None
    """Whether the page's script gave the same id to the pixel; never sent to Meta."""

    def __repr__(self) -> str:
        """Only names, as of `UserData`: before the door, a person may stand in any member."""
        return f"{type(self).__name__}({', '.join(present(self))})"


class EventAsRead(Event):
    """An event that was not written quite as above, and what could not be read of it."""

    left_out: tuple[tuple[str, str], ...] = ()
    """(path, reason) of each member that is not in it; never a value. No member of JSON sets this."""


class SealedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event after the door: hashed and final. Every attempt sends the same bytes."""

    dataset: str
    event_name: str
    event_id: str
    event_time: int
    expires_at: int
    """Unix seconds after which it is not sent any more, an hour before Meta would refuse it."""
    body: bytes
    """Meta's JSON of this one event."""
    consent: Literal["granted"] | None = None
    """What the visitor said; kept beside the body, so that consent can be decided again before sending."""

    def __repr__(self) -> str:
        """Without the body: a traceback that shows arguments leaves the machine, with the visitor's address in it."""
        return f"SealedEvent({self.dataset}, {self.event_name}, {self.event_id})"


class Rejection(msgspec.Struct, frozen=True):
    """The door did not take an event, and nothing of it was kept.

    `reason`: a stable word for programs. `field`: where. `message`: the rule and the remedy, never the value.
    """

    reason: str
    field: str
    message: str


class Receipt(msgspec.Struct, frozen=True):
    """What became of one event that was put: it is durable now, or (`duplicate`) it was before."""

    event_id: str
    duplicate: bool = False


def present(given: msgspec.Struct) -> list[str]:
    """Names of the members that hold something; never their values."""
    return [name for name in given.__struct_fields__ if getattr(given, name) is not None]
