"""The SDK's exceptions, so that `except FacebookRequestError` around a request goes on catching what is wrong with it.

Meta being down, slow or strict raises nothing here: delivery deals with it later.
"""

from typing import Any

from conversion_relay.errors import InvalidEvent


class FacebookError(Exception):
    """All below."""


class FacebookRequestError(FacebookError):
    """What `execute` raises when every event of a request was refused: then it is an `EventRefused`."""

    def __init__(
        self,
        message: str = "",
        request_context: Any = None,
        http_status: int | None = None,
        http_headers: Any = None,
        body: Any = None,
    ) -> None:
        super().__init__(message)
        self._message, self._context, self._status = message, request_context or {}, http_status
        self._headers, self._body = http_headers or {}, body or {}

    def request_context(self) -> Any:
        return self._context

    def http_status(self) -> int | None:
        return self._status

    def http_headers(self) -> Any:
        return self._headers

    def body(self) -> Any:
        return self._body

    def get_message(self) -> str:
        return self._message

    def api_error_message(self) -> str:
        return self._message

    def api_error_code(self) -> int | None:
        """None, as the next ones: no answer of Meta's stands behind it."""
        return None

    def api_error_subcode(self) -> int | None:
        return None

    def api_error_type(self) -> str | None:
        return None

    def api_blame_field_specs(self) -> Any:
        return None

    def api_transient_error(self) -> bool:
        """No repeat would mend it."""
        return False


class EventRefused(InvalidEvent, FacebookRequestError):
    """Names the member, the rule and the remedy; never a value.

    A handler compares the status with 500 and reads the message out of the body: both are what Meta would answer to
    such an event, whose error is nobody's but the caller's."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(reason, field, message)
        self._status = 400
        error = {"message": self._message, "type": "EventRefused", "code": None, "error_subcode": None}
        self._body = {"error": {**error, "is_transient": False}}


class FacebookBadObjectError(FacebookError):
    """Never raised here, as the next ones."""


class FacebookBadParameterError(FacebookError):
    pass


class FacebookUnavailablePropertyException(FacebookError):
    pass


class FacebookBadParameterTypeException(FacebookError):
    pass
