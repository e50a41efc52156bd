"""As the SDK has it."""

from conversion_relay.facebook_business.requests import BatchProcessor

__all__ = ["BatchProcessor"]
