"""What a shop may choose of a provider's reading; `Settings` holds one for each provider that is configured."""

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Empty: the provider's own default."""

    order_key: tuple[str, ...] = ()
    """Places of the shop's own id, the first that holds one counts ({PROVIDER}_ORDER_KEY)."""
    kinds: tuple[str, ...] = ()
    """Which kinds of notices are counted (STRIPE_PAYMENTS)."""


NO_OPTIONS = Options()
