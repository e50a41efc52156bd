"""Countries with their towns, zips and phone numbers. Weights are shares of a shop's visitors."""

from typing import NamedTuple


class Town(NamedTuple):
    name: str
    state: str
    zip: str


class Country(NamedTuple):
    code: str
    calling_code: str
    trunk: str
    """What is dialled before the area within the country."""
    areas: tuple[str, ...]
    subscriber: int
    """Digits after the area."""
    alphabets: dict[str, int]
    towns: tuple[Town, ...]
    currency: str

    def __hash__(self) -> int:
        return hash(self.code)


def _towns(text: str) -> tuple[Town, ...]:
    return tuple(Town(*(part.strip() for part in line.split(";"))) for line in text.strip().splitlines())


_ENGLISH = {"english": 80, "accents": 12, "hangul": 1, "han": 3, "arabic": 2, "devanagari": 2}
_EUROPE = {"english": 60, "accents": 34, "cyrillic": 3, "arabic": 3}
COUNTRIES: dict[Country, int] = {
    Country("US", "1", "", ("312", "470", "503", "615", "786", "929"), 7, _ENGLISH, _towns("""
        Chicago; IL; 60614
        Atlanta; Georgia; 30303-2845
        Portland; OR; 97205
        Nashville; TN; 37203
        Saint Paul; Minnesota; 55101
        Boise; ID; 83702-4410
        Winston-Salem; nc; 27101"""), "USD"): 30,
    Country("GB", "44", "0", ("7400", "7711", "7911", "7502"), 6, _ENGLISH, _towns("""
        Leeds; West Yorkshire; LS1 4DY
        Bristol; Avon; bs1 5tr
        Stoke-on-Trent; Staffordshire; ST4 2QR
        Edinburgh; Scotland; EH1 1YZ"""), "GBP"): 12,
    Country("DE", "49", "0", ("151", "160", "172", "176"), 8, _EUROPE, _towns("""
        Köln; Nordrhein-Westfalen; 50667
        München; Bayern; 80331
        Frankfurt (Oder); Brandenburg; 15230
        Gräfenhainichen; Sachsen-Anhalt; 06773"""), "EUR"): 12,
    Country("FR", "33", "0", ("6", "7"), 8, _EUROPE, _towns("""
        Lyon; Auvergne-Rhône-Alpes; 69003
        Saint-Étienne; Loire; 42000
        L'Haÿ-les-Roses; Val-de-Marne; 94240"""), "EUR"): 8,
    Country("BR", "55", "0", ("1198", "2197", "3199", "7198"), 7, {"english": 40, "accents": 60}, _towns("""
        Belo Horizonte; MG; 30140-071
        Florianópolis; Santa Catarina; 88010-400
        Goiânia; GO; 74003010"""), "BRL"): 8,
    Country("IN", "91", "0", ("98", "99", "70", "81"), 8, {"english": 70, "devanagari": 30}, _towns("""
        Pune; Maharashtra; 411001
        Bengaluru; KA; 560 001
        Kochi; Kerala; 682011"""), "INR"): 7,
    Country("JP", "81", "0", ("90", "80", "70"), 8, {"kana": 40, "han": 50, "english": 10}, _towns("""
        大阪市; 大阪府; 530-0001
        Sapporo; Hokkaido; 060-0001
        横浜市; 神奈川県; 〒220-0011"""), "JPY"): 5,
    Country("PL", "48", "", ("50", "60", "78"), 7, _EUROPE, _towns("""
        Łódź; łódzkie; 90-001
        Gdańsk; Pomorskie; 80-831"""), "PLN"): 4,
    Country("UA", "380", "0", ("50", "67", "93"), 7, {"cyrillic": 85, "english": 15}, _towns("""
        Львів; Львівська область; 79000
        Kharkiv; Kharkivska; 61000"""), "UAH"): 3,
    Country("GR", "30", "", ("69",), 8, {"greek": 70, "english": 30}, _towns("""
        Θεσσαλονίκη; Κεντρική Μακεδονία; 546 22
        Heraklion; Crete; 71202"""), "EUR"): 3,
    Country("KR", "82", "0", ("10",), 8, {"hangul": 85, "english": 15}, _towns("""
        부산; 부산광역시; 48058
        Incheon; Incheon; 21999"""), "KRW"): 3,
    Country("AE", "971", "0", ("50", "55", "58"), 7, {"arabic": 60, "english": 40}, _towns("""
        دبي; دبي; 00000
        Abu Dhabi; Abu Dhabi; 51133"""), "AED"): 2,
    Country("IL", "972", "0", ("50", "52", "54"), 7, {"hebrew": 70, "english": 30}, _towns("""
        חיפה; Haifa District; 3303220
        Tel Aviv-Yafo; Tel Aviv; 6688102"""), "ILS"): 2,
    Country("TW", "886", "0", ("9",), 8, {"han": 85, "english": 15}, _towns("""
        臺中市; 臺灣; 403
        Kaohsiung; Kaohsiung City; 80661"""), "TWD"): 1,
}  # fmt: skip
