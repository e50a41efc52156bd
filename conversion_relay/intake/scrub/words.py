"""The words by which `names.py` tells a person's member from a business's: a table, one line for each language or kind.

Every word stands as it is compared: in small letters, without accents and without what parts words ("Prénom" is
`prenom`, "date-of-birth" is `dateofbirth`); `_words` folds them, so that they may stand here as they are spelled.

STRONG  is personal whatever stands before it ("acme_email"), unless that is one of NEVER_BEFORE ("has_email").
FIRM    is personal by itself and after a word for a person ("zip", "billing_zip"), not after others ("store_zip").
WEAK    is personal only with a word for a person, or beside a person's other members ("customer_name").
CODES   are Meta's own, exact and in small letters ("ph", not "pH").

The first two stand in `clear_words.py`.
"""

from conversion_relay.intake.scrub import clear_words
from conversion_relay.personal_data import folded


def _words(*lines: str) -> frozenset[str]:
    return frozenset(folded(word).casefold() for line in lines for word in line.split())


STRONG = {kind: _words(*lines) for kind, lines in clear_words.STRONG.items()}
FIRM = {kind: _words(*lines) for kind, lines in clear_words.FIRM.items()}
ORDINALS = _words("first last middle given family")
"""A name's parts, if a person stands before them: `customer_last`, but not `last_customer`."""

WEAK: dict[str, frozenset[str]] = {
    "name": _words(
        "name names first last middle given family nom nombre nombres nome naam nazwa navn namn nimi nev nume",
        "ime име vards vardas jina pangalan ismi emri nomi nafn izena eesnimed სახელი անուն نام নাম பெயர் పేరు",
        "ad isim adi meno ονομα 名前 名 名字 이름 명 성 الاسم שם ชื่อ nama tên नाम displayname",
    ),
    "state": _words(
        "state region province county bundesland provincia estado provincie wojewodztwo ort plaats область",
        "district municipio kelurahan kecamatan kota ilce",
    ),
    "phone": _words("portable cel"),
    "secret": _words("document documento taxnumber"),
    "address": _words("line1 line2 addr addr1 apartment apt suite flat bairro barrio colonia complemento"),
    "age": _words("age alter edad idade eta leeftijd wiek"),
}

CODES = {
    "em": "email",
    "ph": "phone",
    "fn": "name",
    "ln": "name",
    "ct": "city",
    "st": "state",
    "zp": "postal code",
    "db": "date of birth",
    "ge": "gender",
    "dobd": "date of birth",
    "dobm": "date of birth",
    "doby": "date of birth",
    "f5first": "name",
    "f5last": "name",
}

PERSONS = _words(
    "your my user users customer customers client clients contact contacts billing shipping delivery buyer",
    "buyers purchaser payer payee member members person persons people personal profile subscriber lead leads",
    "guest guests student students participant participants attendee attendees visitor visitors recipient",
    "recipients receiver receivers beneficiary addressee accountholder",
    "sender employee patient passenger passengers traveler traveller applicant donor guardian spouse",
    "registrant registration signup invoice invoicee cardholder consignee respondent prospect shopper consumer",
    "mailing bill ship billto shipto traits identity identities pii userdata userprovided provided ud",
    "advancedmatching customerinfo lieferung rechnung rechnungs liefer kunde kunden kundin nutzer benutzer",
    "besucher teilnehmer empfanger absender kaufer ansprechpartner facturation livraison utilisateur acheteur",
    "destinataire facturacion envio cliente clientes usuario comprador destinatario contacto faturamento",
    "entrega usuaria contato fatturazione spedizione utente acquirente contatto klant factuur bezorg gebruiker",
    "koper klient klienta uzytkownik odbiorca kontakt kontakts клиент покупатель пользователь",
    "cus soldto khách kháchhàng pelanggan ग्राहक ลูกค้า teilnehmers reviewer kund zakaznik zakaznika musteri клиента",
    "покупателя العميل invitee caller",
    "お客様 顧客 会員 注文者 担当者 ご担当者 客户 客戶 顾客 用户 고객 회원 신청자 주문자 수령인",
)
"""A word for a person, or for a person's part of an order."""

YOUR = _words(
    "your ihr ihre ihren dein deine votre tuo tua vostro vostra uw jouw twoj twoje vas vase ваш ваша ваше твой твоё",
    "您的 आपका",
)
YOUR_ELSEWHERE = _words("ton tu tus su sus seu seus sua suas je ditt din dit")
"""Short words that are others in English: `din`, `je`."""
WEAK_IN_ENGLISH = _words("name names middle given family state region province county age line1 line2 portable")
AND = _words("and und et y e i en og och ja ve si и та і και")

BESIDE = _words(
    "the a of de del della du des von vom da do di la el hash hashed sha sha1 md md5 encrypted enc value values",
    "text string raw plain primary secondary main default home work private mobile cell landline business",
    "office daytime day evening emergency alt alternate alternative other new old current previous confirm",
    "confirmed confirmation verify verified repeat retype reply to from e normalized normalised clean cleaned",
    "formatted e164 int integer digits lower lowercase full complete field fields form forms input data info",
    "information details attribute attributes properties wpforms wpcf gform hs international intl national local",
    "line number no nr num ihr ihre dein votre tu su seu sua vostra uw twoj cf custom key account sms",
    "whatsapp viber legal checkout order orders newsletter address street postal optional required x c pc",
    "privat geschaftlich dienstlich fur ruckfragen professionnel personnel fixe fijo fisso paterno materno contato",
    "para pa s gift komorkowy kontaktowy επικοινωνιας за връзка mm dd yyyy का নম্বর எண்",
    "kana furigana 確認 カナ かな 番号 号码 號碼 번호",
)
"""Says nothing about whose it is: may stand before and behind."""

NEVER_BEHIND = _words(
    "verified confirmed optional required newsletter order orders checkout sms whatsapp viber legal reply to",
    "from full form account registration registrations registrant signup lead leads subscriber subscribers",
    "guest guests member members delivery invoice visitor visitors student students participant participants",
    "passenger passengers prospect prospects forms day evening daytime night custom key new old current",
    "previous other alternative your my the a x gift",
)
"""Of BESIDE, what makes a business's member of the word that it stands behind: email_verified, email_newsletter."""

OF_AN_EVENT = _words(
    "attendee guest student buyer purchaser customer participant recipient passenger patient registrant donor",
    "traveler traveller applicant shopper",
)
"""Directly before a name, an address of mail or a phone it is this person's, whatever they came to or bought:
event_attendee_name, hotel_guest_phone."""

FACTS = _words(
    "number nr has is was are were can does did num count total send sent via by per method opt optin accept",
    "accepts allow allows allowed enable enabled use uses no not without with",
    "prefers preferred verified valid invalid wrong missing",
)
"""Begin a question or a count, whoever it is about: has_customer_email."""

NEVER_BEFORE = FACTS | _words(
    "smart head ear micro game gaming",
    "android i product products item items brand category model device type kind campaign template course event",
    "content sku tag label page subject job file host domain step plan variant click open opened clicked",
)
"""Before a STRONG word these make it a fact about a business: has_email, device_phone."""

BUSINESS = _words(
    "contents item items product products line_items lineitem lineitems cart basket variant variants sku offer",
    "offers course courses event events venue venues store stores shop shops location locations hotel hotels",
    "destination destinations place places company companies organization organisation business branch school",
    "seller merchant vendor publisher restaurant property listing listings departure arrival pickup origin",
    "depot warehouse brand category tour tours flight vehicle movie book kurs kurse produkt produkte artikel",
    "curso cursos produit produits producto productos prodotto prodotti veranstaltung",
)
"""A container with one of these words describes what is sold: below it only STRONG names are personal."""

PRODUCT_FACTS = _words(
    "sku price productid itemid itemname productname quantity brand category variant contentid gtin ean currencycode"
)
"""Beside one of these, a `name` is a product's."""
TRAVEL = _words(
    "destination destinations hotel checkindate checkoutdate departing departuredate returningdate neighborhood",
    "numadults numchildren propertytype listingtype destinationids hotelid availability bodystyle makemodel",
    "departingdeparturedate returningdeparturedate originairport destinationairport starrating hotelscore",
)
"""Meta's own parameters of travel and real estate, where `city` is what is offered."""

LABELS = _words("name key field label property fieldname fieldkey attribute question column_id column_name")
ANSWERS = _words("value values val answer answers stringvalue text response")
"""A form as pairs: {"name": "email", "value": ...}."""
TITLES = _words("title ref")
SAID = ANSWERS - _words("value values val")
"""The same of Typeform and Google Forms. A product has a title and a value, but no answer."""

CODE_WORDS = _words(
    "id ids sku skus ean eans gtin gtins upc isbn issn mpn asin code codes barcode barcodes number no nr num",
    "ref reference order invoice transaction ticket serial article artikel item product variant batch lot",
    "tracking parcel shipment coupon reservation quote po case document contract policy membership promo",
    "discount gift model part style token key session cart checkout subscription license imei vin template",
    "version build bestellung bestellnummer rechnung commande pedido voucher gtin8 gtin12 gtin13 gtin14 receipt",
    "booking",
)
"""Under a name with one of these, a text that begins with 00 is a code."""
