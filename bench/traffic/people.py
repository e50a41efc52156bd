"""People of several countries and alphabets: names, addresses of e-mail, phones, ages.

Names are put together from syllables, since any list of names repeats after a few thousand people.
"""

import datetime
import random
from typing import NamedTuple

from bench.traffic.draws import common_first, digits, rank, weighted
from bench.traffic.places import COUNTRIES, Country, Town


class Person(NamedTuple):
    """All in plain text, as somebody typed it."""

    first: str
    last: str
    email: str
    phone: str
    born: str
    gender: str
    town: Town
    country: Country


def person(draw: random.Random) -> Person:
    country = weighted(draw, COUNTRIES)
    alphabet = weighted(draw, country.alphabets)
    first, last = _name(draw, alphabet), _name(draw, alphabet)
    if draw.random() < 0.08:
        last = f"{last}{draw.choice(['-', ' ', ' de ', ' van '])}{_name(draw, alphabet)}"
    return Person(
        first=_typed(draw, first),
        last=_typed(draw, last),
        email=_email(draw),
        phone=_phone(draw, country),
        born=_born(draw),
        gender=draw.choice(["f", "m", "F", "M", "female", "male"]),
        town=common_first(draw, country.towns),
        country=country,
    )


_SYLLABLES = """
english ash bel car dan el fin gra hol iv jo kel lor mar nat ow per quin ros sam tay ur vic wil yar zac
accents é ñu çel ã ôme rü ßle å lø ðir ěk ž šan ř łuk ąn ő gül ış ë mäh jör zoë née aï
greek α νι κό λα ος γε ώρ γι μα ρί δη μή τρ ης Ελέ να πα πά
cyrillic ана ол ег ири на вла ди мир ова ёна щук юри й све тла ев ґор ію
arabic مح مد فا طمة عل ي نور ال دين سا رة يو سف
hebrew דו יד רח לה כהן שי מע ון לוי נו עם
devanagari रा हुल प्रि या शर् मा सि ंह अन िता
han 王 李 張 劉 陳 楊 偉 芳 秀 娜 敏 静 强 磊 军 洋 勇 艳 杰 涛 明 超 霞 平
kana さ くら は ると ゆ い ア オイ ケン タ ミ サキ
hangul 김 이 박 최 정 민 서 준 하 윤 지 우 현 수 영
"""
SYLLABLES = {line.split()[0]: line.split()[1:] for line in _SYLLABLES.strip().splitlines()}
PROVIDERS = """
gmail.com hotmail.com yahoo.com outlook.com icloud.com gmx.de web.de orange.fr libero.it mail.ru qq.com 163.com
naver.com wp.pl seznam.cz uol.com.br proton.me btinternet.com aol.com fastmail.com ziggo.nl telia.example
""".split()  # noqa: SIM905 (a list of its own line for each would hide the order)


def _name(draw: random.Random, alphabet: str) -> str:
    """Common ones are short and often the same; the tail is long."""
    syllables = SYLLABLES[alphabet]
    known = random.Random(rank(draw, 60_000))
    return "".join(known.choices(syllables, k=known.choice([2, 2, 3, 3, 4]))).capitalize()


def _typed(draw: random.Random, name: str) -> str:
    """As forms get it."""
    return weighted(draw, {name: 80, name.upper(): 6, name.lower(): 8, f" {name}": 3, f"{name}  ": 2, f"{name}'s": 1})


def _email(draw: random.Random) -> str:
    known = random.Random(draw.getrandbits(40))
    base = "".join(known.choices(SYLLABLES["english"], k=known.choice([2, 3, 4])))
    second = "".join(known.choices(SYLLABLES["english"], k=2))
    number = digits(draw, draw.choice([1, 2, 3, 4]))
    forms = {
        f"{base}.{second}{number}": 35,
        f"{base}{number}": 30,
        f"{base[0]}{second}_{number}": 12,
        f"{base}.{second}+{draw.choice(['shop', 'news', 'a1', f'x{number}'])}": 10,
        f"{base.title()}.{second.title()}{number}": 9,
        f"{base}-{second}.{base[:2]}{number}": 4,
    }
    host = common_first(draw, PROVIDERS)
    if draw.random() < 0.18:  # a company's own domain
        ending = draw.choice(["com", "de", "co.uk", "io"])
        host = f"{draw.choice(['', '', 'mail.', 'Post.'])}{second}{base[:3]}{number}.{ending}"
    address = f"{weighted(draw, forms)}@{host}"
    return weighted(draw, {address: 88, address.upper(): 3, f" {address}": 4, f"{address} ": 4, f"{address}\n": 1})


def _phone(draw: random.Random, country: Country) -> str:
    """One number in one of the spellings that people use."""
    area, rest = draw.choice(country.areas), digits(draw, country.subscriber)
    head, tail = rest[:3], rest[3:]
    code, trunk = country.calling_code, country.trunk
    spellings = {
        f"+{code}{area}{rest}": 30,
        f"+{code} {area} {head} {tail}": 20,
        f"+{code} ({area}) {head}-{tail}": 14,
        f"00{code} {area} {rest}": 8,
        f"{trunk}{area} {head} {tail}": 10,
        f"({trunk}{area}) {head}-{tail}": 6,
        f"{trunk}{area}.{head}.{tail}": 4,
        f"+{code}-{area}-{head}-{tail}": 6,
        f" +{code}  {area}{rest} ": 2,
    }
    return weighted(draw, spellings)


def _born(draw: random.Random) -> str:
    """Mostly 20 to 60 years old; some are 90."""
    age = min(95.0, 16 + draw.gammavariate(4, 6.5))
    day = datetime.date(2026, 6, 1) - datetime.timedelta(days=int(age * 365.25) + draw.randrange(365))
    return day.strftime(weighted(draw, {"%Y%m%d": 60, "%Y-%m-%d": 35, "%Y/%m/%d": 5}))
