"""What the columns of a table mean: a guess by their headings, in a few languages, that the operator sees and corrects.

Two columns that mean the same are a question, but for match keys, of which Meta takes several. A column that means
nothing to us is left out, and said so.
"""

import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from conversion_relay.cli.table.dialect import Question
from conversion_relay.cli.table.wishes import WISHES
from conversion_relay.event import UserData
from conversion_relay.intake.spellings import spelling
from conversion_relay.personal_data import folded

PERSON = frozenset(UserData.__struct_fields__)
EVENT = ("event_name", "event_time", "event_id", "action_source", "event_source_url", *WISHES)
OF_ALL = ("event_name", "action_source")
"""What an option may say of all rows."""
CUSTOM = ("value", "currency", "order_id", "content_name", "content_category", "content_ids", "num_items", "status")
FIELDS = (*EVENT, *CUSTOM, *sorted(PERSON))
IGNORED = "-"
_ALSO = {
    "email": "e mail|email address|mail|e mail address|customer email|billing email|emailadresse|e mail adresse"
    "|correo|emailaddress|adresse e mail|adresse email|mail adresse|courriel|correo electronico|indirizzo email"
    "|e mailadres|e mailadresse|adres e mail|メールアドレス|电子邮件|邮箱|이메일|customer e mail"
    "|customer email address",
    "phone": "phone number|telephone|tel|mobile|mobile phone|mobile number|telefon|handy|telefonnummer"
    "|billing phone|telefonnr|mobilnummer|rufnummer|numero de telephone|telefono|telefone|celular|telefoon"
    "|telefoonnummer|numer telefonu|電話番号|电话|手机号|전화번호",
    "first_name": "firstname|given name|vorname|prenom|nombre|billing first name|fname|prenoms|voornaam|imie|名",
    "last_name": "lastname|surname|family name|nachname|nom|apellido|billing last name|lname|apellidos"
    "|nom de famille|cognome|sobrenome|achternaam|nazwisko|姓",
    "city": "town|ort|stadt|ville|ciudad|billing city|wohnort|localidad|cidade|citta|woonplaats|miasto|市区町村|城市",
    "state": "region|province|bundesland|billing state|st",
    "zip": "zip code|zipcode|postal code|postcode|postalcode|plz|postleitzahl|code postal|billing postcode"
    "|codigo postal|cep|cap|postnummer|kod pocztowy|郵便番号|邮编|billing zip",
    "country": "country code|land|pays|pais|billing country|paese|kraj|国|国家",
    "date_of_birth": "birthday|birthdate|birth date|dob|geburtsdatum|geburtstag",
    "gender": "sex|geschlecht",
    "external_id": "customer id|user id|client id|kundennummer|extern id|contact id|crm id",
    "event_name": "event|conversion name|conversion event|ereignis",
    "event_time": "time|date|datetime|timestamp|created|created at|order date|purchase date|datum|zeit"
    "|conversion time|bestelldatum|date created|paid at|bestellzeitpunkt|kaufdatum|rechnungsdatum|erstellt am"
    "|date de commande|date de la commande|fecha|fecha del pedido|fecha de compra|data|data do pedido|data ordine"
    "|besteldatum|data zamowienia|注文日時|注文日|下单时间|created utc|created date utc|completed at",
    "event_id": "id|eventid",
    "action_source": "source|channel",
    "event_source_url": "url|page|page url|landing page",
    "value": "amount|total|price|revenue|order total|betrag|summe|umsatz|conversion value|gesamt|importe|montant"
    "|gesamtsumme|gesamtbetrag|bestellsumme|rechnungsbetrag|preis|montant total|montant ttc|total ttc|prix|precio"
    "|importe total|valor|valor total|prezzo|importo|totale|bedrag|totaal|kwota|合計金額|金額|金额"
    "|order total amount|total price|grand total",
    "currency": "currency code|waehrung|währung|devise|moneda|conversion currency|valuta|divisa|moeda|waluta|通貨|货币",
    "order_id": "order|order number|order no|transaction id|invoice|invoice number|bestellnummer|auftragsnummer"
    "|rechnungsnummer|auftragsnr|bestellnr|bestell nr|auftrag|bestellung|rechnungsnr|numero de commande"
    "|n de commande|commande|reference commande|numero de pedido|n de pedido|pedido|numero ordine|ordine"
    "|ordernummer|bestelnummer|numer zamowienia|注文番号|订单号|订单编号|주문번호|orderid",
    "lead_id": "leadid|meta lead id|facebook lead id|leadgen id",
    "client_ip_address": "ip|ip address|client ip",
    "client_user_agent": "user agent|useragent|browser",
    "content_name": "product|product name|item|produkt|artikel",
}
_FIELD_OF = {folded(alias): field for field, aliases in _ALSO.items() for alias in aliases.split("|")}
_FIELD_OF |= {field.replace("_", " "): field for field in FIELDS}


_OBJECT = re.compile(r"(?:user|custom) data ")
"""Of `user_data.em`, as programs write an event's objects into a table."""


class Columns(msgspec.Struct, frozen=True):
    """`fields`: by column, "" for one that is left out."""

    fields: tuple[str, ...]
    headings: tuple[str, ...]

    def of(self, field: str) -> int | None:
        return self.fields.index(field) if field in self.fields else None

    @property
    def left_out(self) -> list[str]:
        return [heading for heading, field in zip(self.headings, self.fields, strict=True) if not field]


def columns(headings: Sequence[str], given: Mapping[str, str], of_all: Collection[str] = ()) -> Columns | Question:
    """`given`: by heading, what the operator says it means ("-": leave it out). `of_all`: fields that an option says of
    all rows: a column that only looks like one of these (Shopify's "Source", a ticket shop's "Event") does not count.

    >>> columns(["E-Mail", "Betrag", "Lieblingsfarbe"], {}).fields
    ('email', 'value', '')
    """
    fields = [_said(given[h]) if h in given else _guess(h) for h in headings]
    for at, heading in enumerate(headings):
        if fields[at] in of_all and heading not in given and spelling(heading) != spelling(fields[at]):
            fields[at] = ""
    for field in dict.fromkeys(fields):
        alike = [heading for heading, other in zip(headings, fields, strict=True) if other == field]
        if field and len(alike) > 1 and field not in PERSON:
            names = ", ".join(repr(heading) for heading in alike)
            what = f"{len(alike)} columns look like {field}: {names}"
            return Question(what, tuple(f"--map '{heading}={IGNORED}'" for heading in alike))
    return Columns(tuple(fields), tuple(headings))


def known(headings: Sequence[str]) -> int:
    """How many of these mean something to us."""
    return sum(map(bool, map(_guess, headings)))


def _said(field: str) -> str:
    return "" if field == IGNORED else field


def _guess(heading: str) -> str:
    plain = re.sub(r"[\s_\-.()\[\]#°*:]+", " ", folded(heading).lower()).strip()
    return _FIELD_OF.get(plain) or _FIELD_OF.get(_OBJECT.sub("", plain, count=1), "")
