"""msgspec's sentence for a value of the wrong shape, told by field and without the value."""

from typing import Literal

import msgspec
import pytest

from conversion_relay.intake.misshapen import wrong_shape


class Body(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    consent: Literal["granted", "denied"] = "granted"
    colour: Literal["red"] = "red"


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        (b"{}", "missing_field", "key"),
        (b'{"key":"k","shoe":"joe@example.com"}', "unknown_field", "shoe"),
        (b'{"key":"k","consent":"joe@example.com"}', "wrong_type", "consent"),
        (b'{"key":"k","colour":"joe@example.com"}', "wrong_type", "colour"),
        (b'{"key":["joe@example.com"]}', "wrong_type", "key"),
        (b'"joe@example.com"', "wrong_type", "body"),
    ],
)
def test_the_field_is_named_and_the_value_is_not_shown(body, reason, field):
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(body, type=Body)
    refused = wrong_shape(raised.value)
    assert (refused.reason, refused.field) == (reason, field)
    assert "joe" not in refused.message and refused.message
    assert ("granted" in refused.message) == (field == "consent")
