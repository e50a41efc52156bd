"""The visitor's request of `Event.set_request_context`, and what of it may be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from conversion_relay.event import Rejection
from conversion_relay.facebook_business.model import Model
from conversion_relay.intake.request_facts import Network, RequestFacts

UNREADABLE = (TypeError, ValueError, AttributeError, LookupError)
NO_REQUEST = Rejection(
    "wrong_type", "request_context", "the visitor's request cannot be read; give set_request_context the whole request"
)


@dataclass
class Preference(Model):
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


def facts_of(context: Any, trusted_proxies: Sequence[Network], viewer_header: str = "") -> RequestFacts:
    """What the request tells; `context` as `set_request_context` took it. Raises one of UNREADABLE."""
    if is_django := hasattr(context, "META"):
        found: Any = {**context.META, "wsgi.url_scheme": context.scheme}
    else:
        found = context if isinstance(context, dict) else getattr(context, "environ", None) or context.scope
    is_wsgi = is_django or "REQUEST_METHOD" in found
    read = RequestFacts.from_wsgi if is_wsgi else RequestFacts.from_asgi
    return read(found, trusted_proxies, viewer_header=viewer_header)
