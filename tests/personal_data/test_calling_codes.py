"""The table of calling codes is what libphonenumber's own data say, without short codes."""

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

from conversion_relay.personal_data.calling_codes import NATIONAL_LENGTHS


def lengths_of(code: int) -> set[int]:
    """Of fixed and mobile numbers, in all countries behind the code."""
    found: set[int] = set()
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        plan = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        for kind in (plan.fixed_line, plan.mobile, plan.personal_number, plan.voip, plan.toll_free):
            found |= {length for length in kind.possible_length if length > 0} if kind else set()
    return found


def test_every_country_is_there_with_the_lengths_of_its_ordinary_numbers():
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        ordinary = {n for n in lengths_of(code) if 7 <= n <= min(12, 15 - len(str(code)))}
        if ordinary:
            allowed = NATIONAL_LENGTHS[str(code)]
            assert ordinary - {7 if code == 1 else 0} <= set(allowed), code
            assert set(allowed) & lengths_of(code), code


def test_no_code_begins_another_and_no_number_is_longer_than_e164_allows():
    for code, lengths in NATIONAL_LENGTHS.items():
        assert not any(other != code and other.startswith(code) for other in NATIONAL_LENGTHS)
        assert len(code) + lengths[-1] <= 15 and len(code) + lengths[0] >= 8
