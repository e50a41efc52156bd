"""Money that a page names in a way that nobody can read for certain.

A page's programs format an amount for people ("12,50", "€ 12.50", "1.234,50") or leave a template unfilled
("{{value}}"), and nobody sees the refusal: a program's author reads the 422, a page's visitor does not. So the event
stays, since what happened is certain, and what is not certain about the money is left out and told (`dropped` in the
answer, `X-Relay-Reason`, a counter). Nothing is guessed: "1,299" is a thousand in one country and a little more than
one in another. An amount whose currency is unknown goes with it, or Meta would take the ad account's.

A Purchase stays refused: Meta takes none without its value and currency.
"""

from typing import Any, NamedTuple

from conversion_relay.meta.validate import money

_MONEY = ("value", "predicted_ltv", "net_revenue", "currency")


class WrongMoney(NamedTuple):
    """An amount or a currency that is not sent. `code`: of the rule; `field`: where it stood."""

    field: str
    reason: str
    code: str


def without_wrong_money(custom: dict[str, Any], event_name: str) -> tuple[dict[str, Any], list[WrongMoney]]:
    """A page's `custom_data` without it, and what was left out.

    >>> custom, wrong = without_wrong_money({"value": "12,50", "currency": "EUR"}, "Lead")
    >>> custom, [one.code for one in wrong]
    ({'currency': 'EUR'}, ['not_an_amount'])
    >>> custom, wrong = without_wrong_money({"value": 12.5, "currency": "€"}, "Lead")
    >>> custom, [one.field for one in wrong]
    ({}, ['custom_data.value', 'custom_data.currency'])
    """
    found = () if event_name == "Purchase" else money(custom)
    if not found:
        return custom, []
    wrong = {finding.path.removeprefix("custom_data."): finding for finding in found}
    if "currency" in wrong:
        wrong = dict.fromkeys((name for name in _MONEY if custom.get(name) is not None), wrong["currency"]) | wrong
    told = [WrongMoney(f"custom_data.{name}", f"{why.message}; {why.fix}", why.code) for name, why in wrong.items()]
    return {name: value for name, value in custom.items() if name not in wrong}, told
