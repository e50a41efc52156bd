"""A visit, remembered under the id of an order, for the webhook that reports the payment later.

The webhook comes from the payment provider's machine: it knows neither the visitor's browser nor the click that brought
them, and without these Meta matches few purchases. So what the visitor's own request tells is kept for seven days; for
90 where the visitor agreed, because a subscription renews after months and a bank debit may take weeks.

What could go wrong, and the rule against it:
- A person is kept. Only address, user agent, Meta's two browser ids and the scrubbed page are; each must look like what
  Meta would take, else it is left out.
- The visitor declined, and the provider's notice, which says nothing of it, is counted. So the refusal is kept, and
  nothing else of this visitor; what an earlier visit left is gone with it. A later visit takes it back by a yes.
- A stranger who learns or guesses an order's id sends a visit of their own. What a backend said stands before what a
  page said, whichever came first, and of another browser than the one that is known nothing is taken: not even a click
  where none is known, or a sale that came by no ad would be somebody's. They may refuse in another's name: that costs a
  figure, and the other way round would cost a choice.
- A stranger names a key of the relay's own. What notices told is kept beside the visits (`webhooks/memory.py`); under
  such a key a page's visit would make one of two payments, or none. So no order is kept under one (`kept_under`).
- The click is older than the visit. The `fbc` is built now, because its third segment says when the click was seen.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from conversion_relay.errors import leaves_no_variables
from conversion_relay.event_id import holds_person, without_email
from conversion_relay.intake import consent
from conversion_relay.intake.mending import kept_apart
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.scrub import scrub_url
from conversion_relay.meta import click_id
from conversion_relay.meta.customer_information.hashing import Dropped
from conversion_relay.meta.customer_information.identifier import normalize_fbc, normalize_fbp
from conversion_relay.meta.customer_information.network import normalize_client_ip_address, normalize_user_agent

if TYPE_CHECKING:
    # A worker that only delivers reads visits, and has no door.
    from conversion_relay.intake.accept import Policy

LONGEST_KEY = 256
OF_NOTICES = ":payment:"
"""In each key under which is kept what a provider's notice told."""


class Visit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the outbox keeps. `consent` and `gpc` are what the visitor said; they count for the event to come."""

    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None
    url: str | None = None
    consent: Literal["granted", "denied"] | None = None
    gpc: bool = False
    for_long: bool = False
    """Kept for 90 days and not for 7: the visitor agreed or declined, or this is an order's name and nobody's visit."""
    order_key: str | None = None
    """Under a payment provider's own id: the order that it was for; then nothing else of a visitor is here."""
    paid_at: int | None = None
    event_name: str | None = None
    """Of the event that was told of it, where that is no `Purchase` called `purchase_<order key>`."""
    event_id: str | None = None
    vouched: bool = False
    """A backend said it, or the program itself; else a page, which anybody can be."""

    def __repr__(self) -> str:
        """Which parts are known, and none of their values, as of `RequestFacts`."""
        return f"Visit({', '.join(name for name in self.__struct_fields__ if getattr(self, name))})"

    def filled_from(self, later: "Visit") -> "Visit":
        """This visit together with a later one for the same order.

        The same browser (same `fbp`): the later one counts, it may have come by a newer click. Any other: a backend's
        stands before a page's, else the first stays. What is missing in it is taken from the other, but where its
        browser is known nothing of a page that does not name the same.

        >>> visit = Visit(fbp="fb.1.1.1").filled_from(Visit(fbp="fb.1.2.2", fbc="fb.1.2.B"))
        >>> visit.fbp, visit.fbc
        ('fb.1.1.1', None)
        >>> visit.filled_from(Visit(fbp="fb.1.3.3", vouched=True)).fbp
        'fb.1.3.3'
        >>> Visit(fbp="fb.1.1.1", fbc="fb.1.1.A").filled_from(Visit(fbp="fb.1.1.1", fbc="fb.1.2.B")).fbc
        'fb.1.2.B'
        >>> Visit(fbp="fb.1.1.1", consent="granted").filled_from(Visit(consent="denied")).fbp is None
        True
        """
        if later.consent == "denied" or (self.consent == "denied" and later.consent == "granted"):
            return later
        if self.consent == "denied":
            return self
        is_same = bool(self.fbp) and self.fbp == later.fbp
        first, then = (later, self) if is_same or (later.vouched and not self.vouched) else (self, later)
        if first.fbp and not (is_same or then.vouched):
            then = Visit(gpc=then.gpc)
        return Visit(**{name: getattr(first, name) or getattr(then, name) for name in self.__struct_fields__})

    def facts(self) -> RequestFacts:
        """As a door would know them if the visitor had sent the event."""
        return RequestFacts(
            client_ip_address=self.client_ip_address,
            client_user_agent=self.client_user_agent,
            fbp=self.fbp,
            fbc=self.fbc,
            url=self.url,
            consent=self.consent,
            gpc=self.gpc,
        )


@leaves_no_variables
def visit_of(
    facts: RequestFacts,
    said: Literal["granted", "denied"] | None,
    policy: "Policy",
    now: float,
    *,
    vouched: bool = False,
) -> Visit | None:
    """What may be remembered of this visitor: of one who declined that alone, None of one whose silence is a no.
    `now` in Unix seconds."""
    by_signal = consent.decision(said, gpc=facts.gpc, policy=policy.gpc)
    if by_signal is consent.Decision.WITHHOLD:
        return Visit(consent="denied", gpc=facts.gpc, for_long=True)
    if said is None and policy.silence == "withhold":
        return None
    return Visit(
        client_ip_address=_sound(facts.client_ip_address, normalize_client_ip_address),
        client_user_agent=_sound(facts.client_user_agent, normalize_user_agent),
        fbp=_sound(facts.fbp, normalize_fbp),
        # Now, since the third segment says when the click was first seen.
        fbc=_sound(click_id.fbc_from_url(facts.url, now, known=facts.fbc), normalize_fbc),
        url=scrub_url(facts.url),
        consent=said,
        gpc=facts.gpc,
        for_long=said == "granted",
        vouched=vouched,
    )


def kept_under(key: str) -> str:
    """The outbox' key for what a shop calls its order.

    >>> kept_under("1001"), kept_under("stripe:payment:refused:1001")
    ('1001', '/stripe:payment:refused:1001')
    """
    named = without_email(storable(key))
    return f"/{named}" if OF_NOTICES in named else named


def storable(key: str) -> str:
    r"""The key with those letters written out that no store holds, or not each: half of an emoji, a byte of another
    charset (`mending.py`), a zero byte. So it is one key, and no other's.

    >>> storable("kurs-\udce9"), storable("a\x00")
    ('kurs-\\udce9', 'a\\u0000')
    """
    return kept_apart(key).replace("\x00", r"\u0000")


class _Paid(msgspec.Struct):
    order_id: str | int | None = None


class _Sealed(msgspec.Struct):
    custom_data: _Paid | None = None


_sealed_decoder = msgspec.json.Decoder(_Sealed)


def keys_of_sealed(event_id: str, body: bytes | None) -> list[str]:
    """The outbox' keys under which a visit for this event may be kept. `body`: Meta's JSON, where it is still there.

    >>> keys_of_sealed("purchase_abc", b'{"custom_data":{"order_id":1001}}'), keys_of_sealed("purchase_abc", None)
    (['1001', 'abc'], ['abc'])
    """
    try:
        paid = _sealed_decoder.decode(body).custom_data if body else None
    except msgspec.MsgspecError:  # damaged, or an order's id of another kind
        paid = None
    return [kept_under(key) for key in keys_of(paid and paid.order_id, event_id)]


def _sound(text: str | None, normalize: Callable[[str], str | Dropped]) -> str | None:
    """The text in the form that Meta takes, else None: what has another form could be anything, even an address."""
    normal = normalize(text) if text and not holds_person(text) else None
    return normal if isinstance(normal, str) else None


def keys_of(order_id: object, event_id: object) -> list[str]:
    """The keys under which a visit for this event may be kept: the order's id, and the event id without its prefix.

    >>> keys_of(1001, "purchase_abc_1"), keys_of(None, "018a07a9-baa4"), keys_of("abc", "purchase_abc")
    (['1001', 'abc_1'], [], ['abc'])
    """
    # True is an int to Python; as a key, every order that says so would share one visit.
    is_id = isinstance(order_id, str | int) and not isinstance(order_id, bool)
    keys = [str(order_id)] if is_id and order_id else []
    keys.append(str(event_id).partition("_")[2] if event_id else "")
    return [key for key in dict.fromkeys(keys) if key and len(key) <= LONGEST_KEY]
