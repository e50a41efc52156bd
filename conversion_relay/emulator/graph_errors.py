"""Meta's refusals of events, as data: code, subcode, title, text, and where each was read.

Meta documents none of these answers. So each names its source: an answer of Meta's that somebody published (`recorded`,
an address or a name that can be looked up), or nothing, which makes it a guess of ours. The stand-in shows the
difference in its answer: X-Emulator-Recorded holds the source, X-Emulator-Inferred is 1 for a guess. A client may rely
on the first kind; of the second it may rely on the refusal alone, not on code or words.

Titles come in the language of the token's owner; these are the English ones. Where a published answer lacks its
subcode, none is given here.
"""

from typing import Any

import msgspec

GITHUB = "https://github.com"
_RUDDER = f"{GITHUB}/rudderlabs/rudder-transformer test/integrations/destinations/facebook_pixel"
_STAPE = "https://community.stape.io/t/http-status-code-400-invalid-parameter-unexpected-key-index/1753"
_SDK = f"{GITHUB}/facebook/facebook-nodejs-business-sdk/issues"
_INTEGRATORS = "logs of integrators"
"""Read in the code or the log of somebody who integrated the API, without an address that stays."""


class GraphError(msgspec.Struct, frozen=True):
    """An error as Meta words it; `body` is the JSON that it is answered with."""

    code: int
    subcode: int | None = None
    title: str | None = None
    text: str | None = None
    message: str = "Invalid parameter"
    type: str = "OAuthException"
    status: int = 400
    transient: bool = False
    recorded: str | None = None
    """Where this answer of Meta's was published; None: it is our guess."""

    @property
    def inferred(self) -> bool:
        return self.recorded is None

    def headers(self) -> dict[str, str]:
        """Says to a person, and to a test, whether Meta is known to answer so."""
        return {"x-emulator-recorded": self.recorded} if self.recorded else {"x-emulator-inferred": "1"}

    def body(self, trace: str) -> dict[str, Any]:
        """https://developers.facebook.com/docs/graph-api/guides/error-handling"""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if self.subcode is not None:
            error |= {"error_subcode": self.subcode, "is_transient": self.transient}
        elif self.transient:
            error["is_transient"] = True
        if self.title:
            error |= {"error_user_title": self.title, "error_user_msg": self.text or ""}
        return {"error": error | {"fbtrace_id": trace}}


def refused(subcode: int | None, title: str, text: str, recorded: str | None) -> GraphError:
    return GraphError(100, subcode, title, text, recorded=recorded)


NO_DATA = GraphError(100, message="(#100) param data must be non-empty.", recorded=_INTEGRATORS)
# Also of a body that is no JSON: Meta reads no parameter in it.
DATA_IS_REQUIRED = GraphError(100, message="(#100) The parameter data is required", recorded=_INTEGRATORS)
# As the Graph API speaks of other parameters.
DATASET_IS_REQUIRED = GraphError(100, message="(#100) The parameter dataset_id is required")
DATA_IS_NO_ARRAY = GraphError(100, message="(#100) param data must be an array.")
DATA_IS_NESTED = GraphError(
    100,
    title="data is no JSON",
    text="The stand-in found fields such as data[0][event_name], as PHP's http_build_query writes them. No page of "
    "Meta's says that they are read; send data as JSON, in one field or as the whole body.",
    message="(#100) param data must be an array.",
)
BATCH_IS_NO_ARRAY = GraphError(100, message="(#100) param batch must be a non-empty array.")
BATCH_IS_TOO_LARGE = GraphError(
    100,
    message="Too many requests in batch message. Maximum batch size is 50",
    type="GraphBatchException",
    recorded=f"{GITHUB}/jgorset/facepy tests",
)
OPERATION_IS_WRONG = GraphError(
    100, message="(#100) An operation has a method, a relative_url and, if it has one, a body that is a text."
)
OPERATION_IS_NOT_PLAYED = GraphError(
    100, message="(#100) The stand-in plays no operation with depends_on or attached_files."
)
TOO_OLD = refused(
    2804003,
    "Event Timestamp Too Old",
    "The timestamp for this event is too far in the past. Events need to be sent from your server within 7 days of "
    "when they occurred. Enter a timestamp that has occurred within the last 7 days.",
    _RUDDER,
)
NO_VALUE = refused(
    2804009,
    "Missing Value for Purchase Event",
    "Your purchase event doesn’t include a value parameter. Enter a value. For example: 1.99",
    _RUDDER,
)
NO_CURRENCY = refused(
    2804010,
    "Missing Currency for Purchase Event",
    "Your purchase event doesn’t include a currency parameter. Enter a currency parameter. For example: USD",
    f"{GITHUB}/Adsmurai-Google-Tag-Manager-Templates/adsmurai-facebook-conversions-api-client/issues/7",
)
TOO_BROAD = refused(
    2804050,
    "You haven't added sufficient customer information parameter data for this event",
    "This event has no customer information parameters, or it has a combination of customer information parameters "
    "that is so broad that it is unlikely to be effective for matching.",
    f"{GITHUB}/Setono/meta-conversions-api-php-sdk src/Client/ErrorResponse.php",
)
BAD_CLICK_ID = refused(
    2804001,
    "Click ID Incorrectly Formatted",
    "The click ID (_fbc) parameter is not formatted correctly. See the click ID parameter field for guidelines on "
    "formatting this parameter.",
    f"{GITHUB}/Adsmurai-Google-Tag-Manager-Templates/adsmurai-facebook-conversions-api-client/issues/6",
)
# The title and the subcode are recorded, the sentence below the title is ours.
NOT_HASHED = refused(
    2804016,
    "User Parameter Not Hashed",
    "A customer information parameter of this event was sent without hashing. Hash it with SHA-256.",
    _INTEGRATORS,
)
# An item without an id was answered so in the first source; text in place of the list in the second, where 2021 had
# 2804019, "The parameter $['data'][0]['custom_data']['contents'] must be an array.":
# https://github.com/facebookincubator/ConversionsAPI-Tag-for-GoogleTagManager/issues/20
BAD_CONTENTS = refused(
    2804008,
    "Invalid Contents Parameter",
    "The contents parameter you entered doesn’t contain a list of JSON objects. Enter a list of JSON objects that "
    "contain the product IDs associated with the event plus information about the products. For example: "
    "[{ 'id' : 'ABC123', 'quantity' : '2', 'item_price' : 5.99}, { 'id' : 'XYZ789' , 'quantity' : 2, "
    "'item_price' : 9.99}]",
    f"{GITHUB}/facebookincubator/ConversionsAPI-Tag-for-GoogleTagManager/issues/37, "
    "https://support.taggrs.io/en/articles/3130242",
)
# Published through the SDK's exception, which shows title and text and no subcode. Of 2021: the states after California
# came later, so their codes are taken as well.
BAD_PROCESSING_OPTIONS = refused(
    None,
    "Invalid Values for Country and State Data Processing Options",
    "The values you entered for data_processing_options_country and data_processing_options_state are invalid as a "
    "combination. Valid combinations are 0 and 0, or 1 and 1000.",
    f"{_SDK}/200",
)
NO_TRACKING_FLAG = refused(
    None,
    "Missing Advertiser Tracking Enabled Flag",
    "The parameter 'advertiser_tracking_enabled' is required for the event with the action source 'app' (each set to "
    "either 0 or 1). Apps should expose an opportunity for users to opt-out of ad tracking, resulting in the setting "
    "of the 'advertiser_tracking_enabled' parameter.",
    f"{_SDK}/251",
)
BAD_LEAD = refused(2804036, "Invalid Lead ID", "One or more lead ids are invalid or deleted.", _INTEGRATORS)
BAD_EXTINFO = refused(
    2804043, "Invalid extended device info parameter", "extinfo is an array of 16 values.", _INTEGRATORS
)
NO_CHANNEL = refused(2804063, "Missing messaging channel parameter", "messaging_channel is required.", _INTEGRATORS)
BAD_MESSAGING_EVENT = refused(
    2804066,
    "Messaging Event Invalid Event Type",
    "This event name is not supported for business messaging.",
    _INTEGRATORS,
)
TOO_MANY = refused(2804019, "Server Side Api Parameter Error", "At most 1000 events in data", None)


def path_of(index: int, *parts: str | int) -> str:
    """
    >>> path_of(0, "custom_data", "contents", 2)
    "$['data'][0]['custom_data']['contents'][2]"
    """
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f"['{part}']" for part in ("data", index, *parts))


def missing(index: int, *parts: str | int) -> GraphError:
    """The generic schema error; with `unexpected_key` the only one that tells which event it is about."""
    return _schema(f"The parameter {path_of(index, *parts)} is required", _INTEGRATORS)


def wrong(index: int, *parts: str | int, must: str) -> GraphError:
    return _schema(f"The parameter {path_of(index, *parts)} must {must}.", None)


def unexpected_key(key: str, index: int, *parts: str | int, recorded: str = _STAPE) -> GraphError:
    """A name that Meta does not know, in one of the objects whose names are Meta's alone."""
    return _schema(f'Unexpected key "{key}" on param "{path_of(index, *parts)}".', recorded)


def unexpected_in_event(key: str, index: int) -> GraphError:
    return unexpected_key(key, index, recorded=f"{_SDK}/258")


def _schema(text: str, recorded: str | None) -> GraphError:
    return refused(2804019, "Server Side Api Parameter Error", text, recorded)
