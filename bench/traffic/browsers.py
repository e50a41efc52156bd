"""What browsers call themselves: a few families, thousands of versions, builds and devices."""

import random

from bench.traffic.draws import common_first, digits, letters, rank, weighted

FAMILIES = {
    "iphone": 22,
    "android": 20,
    "desktop": 18,
    "facebook_ios": 14,
    "facebook_android": 10,
    "samsung": 6,
    "edge": 5,
    "firefox": 5,
}
PHONES = [
    "SM-S931B",
    "SM-A556E",
    "SM-A155F",
    "2409BRN2CA",
    "CPH2665",
    "V2339",
    "RMX3939",
    "moto_g84",
    "XQ-DE54",
    "M2101K6G",
    "LE2115",
    "KB2003",
]
SYSTEMS = [
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "X11; CrOS x86_64 16181.61.0",
]
LANGUAGES = [
    "en_US",
    "de_DE",
    "pt_BR",
    "fr_FR",
    "ja_JP",
    "ko_KR",
    "pl_PL",
    "en_GB",
    "hi_IN",
    "uk_UA",
    "el_GR",
    "he_IL",
    "zh_TW",
    "ar_AE",
]
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


def browser(draw: random.Random) -> str:
    family = weighted(draw, FAMILIES)
    if family in {"iphone", "facebook_ios"}:
        return _apple(draw, family)
    chrome, system = _chrome(draw), common_first(draw, SYSTEMS)
    phone = f"Linux; Android {16 - rank(draw, 9)}; {common_first(draw, PHONES)}"
    match family:
        case "android":
            return f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} {chrome} Mobile Safari/537.36"
        case "facebook_android":
            web = f"Mozilla/5.0 ({phone}; wv) {WEBKIT} Version/4.0 {chrome} Mobile Safari/537.36"
            return f"{web} [FB_IAB/FB4A;FBAV/{_app(draw)};]"
        case "samsung":
            return f"Mozilla/5.0 ({phone}) {WEBKIT} SamsungBrowser/{28 - rank(draw, 8)}.0 {chrome} Mobile Safari/537.36"
        case "edge":
            edge = f"Edg/{142 - rank(draw, 40)}.0.{rank(draw, 4_000)}.{rank(draw, 99)}"
            return f"Mozilla/5.0 ({system}) {WEBKIT} {chrome} Safari/537.36 {edge}"
        case "firefox":
            version = f"{145 - rank(draw, 70)}.0"
            return f"Mozilla/5.0 ({system}; rv:{version}) Gecko/20100101 Firefox/{version}"
    return f"Mozilla/5.0 ({system}) {WEBKIT} {chrome} Safari/537.36"


def _chrome(draw: random.Random) -> str:
    """Most hide their build; apps and old ones show it."""
    build = f"{rank(draw, 3_500) + 4_000}.{rank(draw, 200)}" if draw.random() < 0.3 else "0.0"
    return f"Chrome/{142 - rank(draw, 60)}.0.{build}"


def _apple(draw: random.Random, family: str) -> str:
    major, minor = 26 - rank(draw, 12), rank(draw, 6)
    system = (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {major}_{minor} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    )
    if family == "iphone":
        return f"{system} Version/{major}.{minor} Mobile/15E148 Safari/604.1"
    build = f"Mobile/{major - 4}{letters(draw, 1, 'ABCDEF')}{rank(draw, 300) + 100}"
    device = f"iPhone{18 - rank(draw, 6)},{1 + rank(draw, 4)}"
    app = f"FBAN/FBIOS;FBAV/{_app(draw)};FBBV/{digits(draw, 9)};FBDV/{device};FBMD/iPhone;FBSN/iOS;FBSV/{major}.{minor}"
    return f"{system} {build} [{app};FBSS/3;FBLC/{common_first(draw, LANGUAGES)};FBOP/80]"


def _app(draw: random.Random) -> str:
    return f"{520 - rank(draw, 80)}.0.0.{rank(draw, 90) + 10}.{rank(draw, 290) + 10}"
