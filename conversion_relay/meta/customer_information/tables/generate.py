"""Writes the tables beside it: `python -m conversion_relay.meta.customer_information.tables.generate`.

Sources: pycountry (ISO 3166, ISO 4217), Babel (CLDR names in English and in each country's official languages),
libphonenumber (calling codes). Run after an update of these; a test shows that nothing differs.
"""

from pathlib import Path

import babel
import phonenumbers
import pycountry
from babel.languages import get_official_languages

from conversion_relay.meta.customer_information.folding import name_key

HERE = Path(__file__).parent

COMMON_NAMES = {
    "ae": ["uae", "emirates"],
    "bo": ["bolivia"],
    "cd": [
        *["drcongo", "drofcongo", "drofthecongo", "drc", "rdc", "congodr", "congodrc", "congokinshasa", "zaire"],
        *["democraticrepublicofcongo", "congodemocraticrepublic", "congodemocraticrepublicofthe"],
    ],
    "cg": ["congobrazzaville", "republicofthecongo", "republicofcongo", "congorepublic"],
    "cn": ["prc", "mainlandchina", "prchina"],
    "ci": ["ivorycoast"],
    "cv": ["capeverde"],
    "cz": ["czechrepublic"],
    "gb": [
        *["uk", "greatbritain", "britain", "england", "scotland", "wales", "northernireland"],
        *["grossbritannien", "grandebretagne", "granbretana", "granbretagna", "grabretanha", "grootbrittannie"],
    ],
    "fm": ["micronesia"],
    "hk": ["hongkong", "hongkongsar"],
    "ie": ["republicofireland", "eire"],
    "kp": ["northkorea", "koreanorth", "dprk"],
    "kr": ["southkorea", "koreasouth", "korea", "republicofkorea", "korearepublic", "rok"],
    "la": ["laos", "laopdr"],
    "mk": ["macedonia", "fyrom"],
    "mm": ["burma"],
    "mo": ["macau", "macao", "macausar", "macaosar"],
    "nl": ["holland"],
    "ps": ["palestine", "palestinianterritory", "stateofpalestine"],
    "ru": ["russia", "russianfederation"],
    "sa": ["ksa"],
    "sk": ["slovakrepublic"],
    "sy": ["syria"],
    "sz": ["swaziland"],
    "tl": ["easttimor"],
    "tr": ["turkey", "turkiye"],
    "tw": ["taiwan"],
    "us": ["usofa", "usofamerica", "unitedstatesofamerica", "america", "eeuu", "eua"],
    "va": ["vatican", "vaticancity", "holysee"],
    "vg": ["britishvirginislands"],
    "vi": ["usvirginislands", "unitedstatesvirginislands"],
    "vn": ["vietnam"],
    "za": ["rsa"],
}
WIDELY_USED = ["en", "de", "fr", "es", "it", "pt", "nl"]
"""Shops write other countries in their own language; the official languages of each come on top."""
US_EXTRA = {"washingtondc": "dc", "districtofcolumbia": "dc", "usvirginislands": "vi", "washingtonstate": "wa"}
CANADA_EXTRA = {"newfoundland": "nl"}
# National prefixes that are not 0; from each country's numbering plan.
TRUNKS = {"us": "1", "ca": "1", "ru": "8", "kz": "8", "by": "8", "tm": "8", "hu": "06", "lt": "8", "mn": "0"}
NO_TRUNK = [
    "bj",
    "ci",
    "sm",
    "va",
    "it",
    "es",
    "pt",
    "pl",
    "cz",
    "gr",
    "dk",
    "no",
    "lu",
    "mt",
    "cy",
    "lv",
    "ee",
    "is",
    "hk",
    "sg",
    "qa",
    "kw",
    "om",
    "bh",
    "cr",
    "pa",
    "sv",
    "gt",
    "hn",
    "ni",
    "mo",
]
SAID_WITHOUT_TRUNK = {"ar", "cn", "in"}
"""Countries where people leave out the trunk prefix 0, though libphonenumber writes it or does not know it."""
# Minor units that are not two digits: https://www.six-group.com/en/products-services/financial-information/data-standards.html
EXPONENTS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
NOT_MONEY = {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"}


def main() -> None:
    for name, text in tables().items():
        (HERE / name).write_text(text, "utf-8")


def tables() -> dict[str, str]:
    """File name -> content."""
    return {
        "countries.py": _countries(),
        "states.py": _states(),
        "calling_codes.py": _calling(),
        "currencies.py": _money(),
    }


def _countries() -> str:
    alpha_2 = sorted(country.alpha_2.lower() for country in pycountry.countries)
    alpha_3 = {country.alpha_3.lower(): country.alpha_2.lower() for country in pycountry.countries}
    names: dict[str, str] = {}
    for country in pycountry.countries:
        code = country.alpha_2.lower()
        known = [country.name, getattr(country, "official_name", ""), getattr(country, "common_name", "")]
        known += [country.name.partition(",")[0]] if code not in ("kp", "kr", "cd", "cg", "fm", "vg", "vi") else []
        told = [*known, *_cldr_names(country.alpha_2), *COMMON_NAMES.get(code, [])]
        told += [form for name in told for form in _other_forms(name)]
        for key in map(name_key, told):
            if len(key) > 2 or (key and not key.isascii()):
                names.setdefault(key, code)
    names |= {key: code for code, common in COMMON_NAMES.items() for key in common}
    pairs = " ".join(three + two for three, two in sorted(alpha_3.items()))
    return (
        _HEAD.format("Countries of ISO 3166-1: codes, and names as `folding.name_key` folds them.")
        + f"ALPHA_2 = frozenset({_wrapped(' '.join(alpha_2))}.split())\n"
        + f"ALPHA_3 = {{pair[:3]: pair[3:] for pair in {_wrapped(pairs)}.split()}}\n"
        + f"NAMES = {{name: row[:2] for row in (\n{_by_code(names)}) for name in row[3:].split()}}\n"
    )


def _by_code(names: dict[str, str]) -> str:
    """Rows of a code and its names. As one text a row they are half of the bytecode that a dictionary's would be."""
    rows: list[str] = []
    for code in sorted(set(names.values())):
        for name in sorted(name for name in names if names[name] == code):
            if not rows or not rows[-1].startswith(code) or len(rows[-1]) + len(name) > 100:
                rows.append(code)
            rows[-1] += f" {name}"
    return "".join(f'    "{row}",\n' for row in rows)


def _other_forms(text: str) -> list[str]:
    """ "Korea, Republic of" is written "Republic of Korea", "St. Kitts & Nevis" "Saint Kitts and Nevis"."""
    before, comma, after = text.partition(", ")
    forms = [f"{after} {before}"] if comma else []
    forms += [f"{after.removeprefix('The ')} {before}"] if comma else []
    spelt_out, saint = text.replace("&", "and"), text.replace("St. ", "Saint ")
    return [*forms, spelt_out, saint, saint.replace("&", "and"), text.replace("Saint ", "St ")]


def _cldr_names(territory: str) -> list[str]:
    found = []
    for language in [*WIDELY_USED, *get_official_languages(territory, de_facto=True, regional=True)]:
        try:
            found.append(babel.Locale.parse(language).territories.get(territory, ""))
        except (babel.UnknownLocaleError, ValueError):
            continue
    return [name for name in found if name]


def _states() -> str:
    states = {}
    for country in ("US", "CA"):
        subdivisions = pycountry.subdivisions.get(country_code=country)  # type: ignore[no-untyped-call]
        states[country] = {name_key(s.name): s.code.partition("-")[2].lower() for s in subdivisions}
    us = {k: v for k, v in states["US"].items() if v != "um"} | US_EXTRA
    return (
        _HEAD.format("States and provinces by name; outside the US and Canada Meta wants the name itself.")
        + f"UNITED_STATES = {_mapping(us)}\nCANADA = {_mapping(states['CA'] | CANADA_EXTRA)}\n"
    )


def _calling() -> str:
    codes = {
        region.lower(): str(code)
        for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items())
        for region in regions
        if region != "001"
    }
    trunks = TRUNKS | dict.fromkeys(NO_TRUNK, "")
    without = sorted(SAID_WITHOUT_TRUNK | {region for region in codes if _is_said_without_0(region, trunks)})
    return (
        _HEAD.format("Calling codes, for a national number where libphonenumber is not installed.")
        + f"CALLING_CODES = {_mapping(codes)}\nTRUNK_PREFIXES = {_mapping(trunks)}\n"
        + f"SAID_WITHOUT_TRUNK = frozenset({_wrapped(' '.join(without))}.split())\n"
        + '"""Countries where a mobile number is written without a trunk prefix 0, by libphonenumber or by custom.\n\n'
        + 'Elsewhere a number without it is more likely international."""\n'
    )


def _is_said_without_0(region: str, trunks: dict[str, str]) -> bool:
    number = phonenumbers.example_number_for_type(region.upper(), phonenumbers.PhoneNumberType.MOBILE)
    if number is None or trunks.get(region, "0") != "0" or number.country_code == 1:
        return False
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return not written.lstrip("(").startswith("0")


def _money() -> str:
    codes = {c.alpha_3: EXPONENTS.get(c.alpha_3, 2) for c in pycountry.currencies if c.alpha_3 not in NOT_MONEY}
    rows = "".join(f'    "{code}": {n},\n' for code, n in sorted(codes.items()))
    return _HEAD.format("ISO 4217: digits of each currency's minor unit.") + f"CURRENCY_EXPONENTS = {{\n{rows}}}\n"


def _mapping(pairs: dict[str, str]) -> str:
    rows = "".join(f'    "{key}": "{value}",\n' for key, value in sorted(pairs.items()))
    return f"{{\n{rows}}}"


def _wrapped(words: str) -> str:
    lines, line = [], ""
    for word in words.split():
        if len(line) + len(word) > 96:
            lines.append(line)
            line = ""
        line += word + " "
    return "(\n" + "".join(f'    "{text}"\n' for text in [*lines, line.rstrip()]) + ")"


_HEAD = '"""{}\n\nWritten by generate.py; change it there.\n"""\n\n'

if __name__ == "__main__":
    main()
