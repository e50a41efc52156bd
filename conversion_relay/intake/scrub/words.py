"""The words by which `names.py` tells a person's member from a business's: a table, one line for each language or kind.

Every word stands as it is compared: in small letters, without accents and without what parts words ("Prénom" is
`prenom`, "date-of-birth" is `dateofbirth`); `_words` folds them, so that they may be written here as they are spelled.

STRONG  is personal whatever stands before it ("acme_email"), unless that is one of NEVER_BEFORE ("has_email").
FIRM    is personal by itself and after a word for a person ("zip", "billing_zip"), not after others ("store_zip").
WEAK    is personal only with a word for a person, or beside a person's other members ("customer_name").
CODES   are Meta's own, exact and in small letters ("ph", not "pH").
"""

from conversion_relay.personal_data import folded


def _words(*lines: str) -> frozenset[str]:
    return frozenset(folded(word).casefold() for line in lines for word in line.split())


STRONG: dict[str, frozenset[str]] = {
    "email": _words(
        "email emails emailaddress emailaddresses mailaddress useremail emailadress",  # a spelling that sites have
        "emailadresse mailadresse epost epostadresse epostadress emailadres courriel adressemail adresseemail",
        "adressecourriel correo correoelectronico direccioncorreo direcciondecorreo enderecoemail",
        "indirizzoemail adresemail sahkoposti sahkopostiosoite eposta epostaadresi emailcim емейл имейл почта",
        "электроннаяпочта メール メールアドレス eメール 邮箱 电子邮件 電子郵件 信箱 이메일 이메일주소",
        "البريدالإلكتروني بريدإلكتروني אימייל דואל ηλεκτρονικοταχυδρομειο อีเมล ईमेल thưđiệntử surel",
        "електроннапошта пошта epasts elpastas elpastoadresas eposti meil elektronskaposta имејл",
        "netfang tolvupostur baruapepe ელფოსტა էլփոստ ایمیل پستالکترونیک ইমেইল மின்னஞ்சல் ఇమెయిల్",
        "adresseelectronique correioeletronico postaelettronica emailovaadresa elektronickaposta mejl mejladress emel",
        "emailadresa emailadresi epostiaadress elektronickaadresa imejl correu адресэлектроннойпочты епоща",
        "מייל דואראלקטרוני الايميل الإيميل ايميل อีเมล์ 电子邮箱 邮箱地址 電子信箱 電郵 电邮 電子メール メアド",
    ),
    "phone": _words(
        "phone phones phonenumber phonenumbers phonenum phoneno phonenr telephone telephonenumber telephoneno",
        "telnumber mobilephone mobilenumber mobileno mobilenum cellphone cellnumber cellphonenumber msisdn",
        "numberphone whatsappnumber whatsappno phonee164 contactnumber faxnumber homephone workphone telno",
        "telnr telefon telefonnummer telefonnr rufnummer handynummer handynr mobilnummer mobiltelefon wanumber",
        "mobiltelefonnummer numerotelephone numerodetelephone numtelephone numtel telephonenumero",
        "telephoneportable telephonemobile telportable telefono telefonos numerotelefono numerodetelefono",
        "telefonomovil telefonocelular numerocelular telefone numerotelefone numerodetelefone celular cellulare",
        "numerotelefonico numerocellulare telefoon telefoonnummer mobielnummer numertelefonu nrtelefonu",
        "telefonu puhelin puhelinnumero telefonszam telefonnumarasi ceptelefonu numartelefon telefonnicislo",
        "телефон номертелефона мобильный мобильныйтелефон τηλεφωνο κινητο 電話 電話番号 携帯 携帯電話 电话 联系手机",
        "手机号 手机号码 电话号码 手機號碼 전화 전화번호 휴대폰 휴대전화 휴대폰번호 هاتف الهاتف رقمالهاتف",
        "جوال رقمالجوال טלפון מספרטלפון โทรศัพท์ เบอร์โทร เบอร์โทรศัพท์ เบอร์มือถือ फोन फ़ोन फोननंबर मोबाइल मोबाइलनंबर",
        "sốđiệnthoại sốđt sđt điệnthoại điệnthoạididộng nohp nomorhp handphone nohandphone nomorhandphone notelp",
        "notelepon nomortelepon telepon nowa nomorwa nomorwhatsapp номертелефону contactno contactnum smsnumber",
        "telefonas telefononumeris talrunis telefonanumurs telefoninumber telefonskastevilka brojtelefona brojmobitela",
        "бројтелефона telepono numeroongtelepono nambayasimu simaelefon simanumer ტელეფონი հեռախոս հեռախոսահամար",
        "تلفن شمارهتلفن موبایل شمارهموبایل فوننمبر ফোন মোবাইল ফোননম্বর தொலைபேசி ఫోన్ mobno phno phnumber",
        "ruckrufnummer festnetz festnetznummer ntel numeroportable numerodeportable numerodemobile nodetelefono",
        "numdetelefono telemovel notelemovel nodetelemovel recapitotelefonico contactotelefonico gsmnummer",
        "mobilnicislo cislomobilu telefonnecislo mobilnecislo tlf tlfnr mobilnr matkapuhelin matkapuhelinnumero",
        "puhelinnumerosi telefonnumaraniz ceptelefonunumarasi gsmno cepno notelefon telefonbimbit nrtelefon mobilszam",
        "telefonszama talrunanumurs mobiiltelefon telefonnomrəsi mobilnomrə əlaqənomrəsi nambariyasimu",
        "farsimi numriitelefonit nomorponsel sốdiđộng callbacknumber textremindernumber landline callerid callernumber",
        "αριθμοςτηλεφωνου номермобильного телефоненномер телефоннөмірі פלאפון סלולרי",
        "رقمالموبايل رقمالهاتفالمحمول رقمالتواصل رقمالواتساب تلفنهمراه شمارهتماس شمارههمراه दूरभाष",
        "संपर्कनंबर หมายเลขโทรศัพท์ เบอร์ติดต่อ கைபேசி மொபைல் ტელეფონისნომერი მობილური բջջային 電話號碼 联系方式 聯絡方式",
        "連絡先 携帯番号 연락처 numerodewhatsapp notelefonbimbit sốđiệnthoạicủabạn",
    ),
    "name": _words(
        "firstname firstnames lastname lastnames surname forename givenname givennames familyname middlename",
        "fullname maidenname namefirst namelast firstandlastname firstlastname fname lname cardholdername",
        "nameoncard cardholder vorname nachname familienname zuname vorundnachname vornamenachname prenom",
        "prenoms nomdefamille nomprenom prenomnom nomcomplet apellido apellidos primerapellido segundoapellido",
        "nombrecompleto nombreyapellidos nombresyapellidos sobrenome primeironome ultimonome nomecompleto",
        "nomeesobrenome cognome cognomi nomeecognome voornaam voornamen achternaam volledigenaam imie imiona",
        "nazwisko imieinazwisko fornavn etternavn efternavn fornamn efternamn etunimi sukunimi jmeno prijmeni",
        "krestnijmeno priezvisko vezeteknev keresztnev teljesnev prenume numedefamilie soyad soyadi soyisim",
        "adsoyad adisoyadi isimsoyisim имя фамилия отчество фио імя прізвище ονοματεπωνυμο επωνυμο 氏名 姓名",
        "お名前 苗字 성명 성함 الاسمالأول اسمالعائلة الاسمالكامل שםפרטי שםמשפחה שםמלא ชื่อจริง นามสกุล ชื่อนามสกุล",
        "họtên họvàtên tênkháchhàng namalengkap namadepan namabelakang पूरानाम उपनाम повнеімя",
        "prezime imeiprezime imeprezime презиме имеипрезиме имепрезиме priimek imeinpriimek mbiemri emermbiemer",
        "uzvards vardsuzvards vardsunuzvards pavarde vardaspavarde vardasirpavarde eesnimi perekonnanimi perenimi",
        "eftirnafn fornafn fulltnafn cognoms nomicognoms apelidos nomeeapelidos abizena izenabizenak apelyido",
        "pangalanatapelyido buongpangalan jinakamili jinalaukoo jinalakwanza namakeluarga namapenuh имямәтегі тегі",
        "фамилиясы familiyasi გვარი სახელიდაგვარი ազգանուն անունազգանուն نامخانوادگی نامونامخانوادگی پورانام",
        "পুরোনাম পদবি முழுப்பெயர் contactperson contactpersonname personadecontacto personnedecontact",
        "ansprechpartner kontaktperson vollstandigername rufname geburtsname madchenname nomdenaissance nomdusage",
        "nomdejeunefille primernombre segundonombre nombredepila nombredeltitular nomeproprio nomeeapelido nominativo",
        "tussenvoegsel voorletters roepnaam meisjesnaam familienaam krstnemeno celemeno fullstandigtnamn helanamnet",
        "tilltalsnamn fuldenavn fulltnavn kokonimi nimesi adiniz soyadiniz isminiz musteriadi namapanggilan",
        "namapertama childname kidname kidsname fathername mothername ownername holdername policyholdername tenantname",
        "namaakhir utonev csaladnev numecomplet numelecomplet numeletau punoime taisnimi unangpangalan cognom",
        "tencuaban τοονομασας middleinitial preferredname preferredfirstname accountholder accountholdername",
        "inviteename childsname insuredname custname",
        "parentsname cfname clname πληρεςονομα контактноелицо полноеимя побатькові піб собственоиме триимена атыжөні",
        "השםשלך שםהלקוח الاسمبالكامل الاسمالأخير اسمك اسمالعميل نامکامل पहलानाम अंतिमनाम आपकानाम ชื่อเต็ม ชื่อเล่น",
        "আপনারনাম முழுபெயர் முதல்பெயர் 联系人 聯絡人 收件人 收货人 收貨人 예금주",
    ),
    "date of birth": _words(
        "birthdate birthdates dateofbirth dob birthyear yearofbirth birthmonth birthdaydate dayofbirth",
        "monthofbirth geburtsdatum geburtstag geburtsjahr datedenaissance datenaissance fechanacimiento",
        "fechadenacimiento datanascimento datadenascimento nascimento datadinascita datanascita geboortedatum",
        "dataurodzenia fodselsdato fodselsdag fodelsedatum syntymaaika datumnarozeni datumnarodenia",
        "szuletesidatum datanasterii dogumtarihi датарождения деньрождения датанародження ημερομηνιαγεννησης",
        "生年月日 誕生日 出生日期 出生年月 생년월일 تاريخالميلاد תאריךלידה",
        "ngàysinh tanggallahir tgllahir जन्मतिथि วันเกิด datumrodenja датумрођења датараѓања rojstnidatum datumrojstva",
        "dzimsanasdatums gimimodata sunniaeg sunnikuupaev datelindja ditelindja petsangkapanganakan kapanganakan",
        "tareheyakuzaliwa faedingardagur datanaixement დაბადებისთარიღი ծննդյանամսաթիվ تاریختولد জন্মতারিখ",
        "gebdatum anneedenaissance anodenacimiento annodinascita geboortejaar rokurodzenia roknarozeni fodelsedag",
        "fodelsear syntymapaiva dogumtarihiniz dogumgunu dogumtarixi tarikhlahir szuletesiido szuletesiev yob",
        "datadenaixement годрождения деньнародження датанараждане туғанкүні تاريخالولادة जन्मतारीख วันเดือนปีเกิด",
        "பிறந்ததேதி",
        "出生年月日",
    ),
    "secret": _words(
        "password passwd passwort kennwort motdepasse contrasena senha wachtwoord haslo пароль ssn",
        "socialsecuritynumber socialsecurity creditcardnumber creditcardno creditcard debitcardnumber debitcard",
        "cardnumber cardno ccnumber ccno cvv cvc iban kreditkarte kreditkartennummer kartennummer",
        "passportnumber passportno driverslicense driverlicense driverslicensenumber nationalid taxid",
        "codicefiscale cpf pesel personnummer dni bsn sozialversicherungsnummer personalausweisnummer",
        "pwd accesstoken authtoken refreshtoken idtoken bearertoken apikey apisecret clientsecret",
        "aadhaar aadhar aadhaarnumber aadharnumber pancard pannumber curp cuit cuil nric nationalidnumber",
        "nationalinsurancenumber socialinsurancenumber taxfilenumber medicarenumber drivinglicence drivinglicense",
        "driverslicence steuernummer steueridentifikationsnummer steuerid tckimlikno tckimlik",
        "身份证 身份证号 身份证号码 マイナンバー 주민등록번호",
        "rodnecislo cprnummer fodselsnummer henkilotunnus תעודתזהות 身份證字號",
        "sessiontoken csrftoken xsrftoken resettoken logintoken bankaccount bankaccountnumber bankaccountno sortcode",
        "routingnumber identitynumber identitycard idcardnumber снилс инн",
    ),
}

FIRM: dict[str, frozenset[str]] = {
    "secret": _words("passport nif nie rut nino tckn cccd cmnd nik ktp amka jmbg oib cnp egn cnic nin"),
    "email": _words("mail mails"),
    "phone": _words(
        "tel mobile cell handy fax mobil movil mobiel gsm тел whatsapp",
        "מובייל נייד الجوال الموبايل موبايل мобільний сотовый mobiil simi komorka ponsel มือถือ 핸드폰 手机 手機",
        "kannykka mobitel mobilni",
    ),
    "name": _words(
        "username nickname vollername initials firstinitial spitzname benutzername 姓 フリガナ ふりがな セイ メイ",
        "apelido اللقب",
    ),
    "date of birth": _words("birthday bday geburt anniversaire cumpleanos compleanno urodziny 生日 생일"),
    "gender": _words(
        "gender sex geschlecht sexe sexo genero sesso geslacht plec kon cinsiyet пол 性別 性别 성별 anrede",
        "giớitính jeniskelamin लिंग เพศ стать",
    ),
    "address": _words(
        "address addresses address1 address2 addressline addressline1 addressline2 streetaddress streetname",
        "street housenumber homeaddress mailingaddress postaladdress postaladdress adresse anschrift strasse",
        "straße hausnummer rue numerorue direccion calle domicilio endereco rua logradouro indirizzo straat",
        "straatnaam huisnummer ulica numerdomu adres gata gatuadress osoite katuosoite adresa ulice utca sokak",
        "adrese adresas aadress naslov ulicaibroj anwani tirahan heimilisfang gatve მისამართი հասցե آدرس نشانی ঠিকানা",
        "адрес улица διευθυνση 住所 地址 详细地址 주소 العنوان כתובת địachỉ alamat पता ที่อยู่ адреса вулиця",
        "wohnadresse adressepostale enderecocompleto numerocivico woonadres adress leveransadress lahiosoite adresiniz",
        "адресдоставки 收货地址 番地 ご住所 상세주소 배송지 lakcim houseno hausnr huisnr",
    ),
    "postal code": _words(
        "zip zipcode zips postalcode postcode postalzip zippostal zippostalcode plz postleitzahl codepostal",
        "codigopostal codpostal cep codicepostale kodpocztowy postnummer postnr postinumero psc iranyitoszam",
        "postakodu ziporpostalcode индекс почтовыйиндекс 郵便番号 邮编 邮政编码 郵遞區號 우편번호 الرمزالبريدي",
        "מיקוד mãbưuđiện mãbưuchính kodepos pincode पिनकोड รหัสไปรษณีย์ eircode plzort",
        "пощенскикод поштовийіндекс postanskibroj poskod ταχυδρομικοςκωδικας",
    ),
    "city": _words(
        "city town wohnort stadt ville ciudad cidade citta woonplaats miasto kaupunki mesto varos sehir город",
        "место πολη 市区町村 城市 도시 المدينة עיר",
    ),
    "network address": _words(
        "ip ipv ipaddress ipv4address ipv6address clientip userip visitorip remoteaddr remoteip ipaddr",
        "clientipaddress ipadresse adresseip direccionip xforwardedfor xrealip realip",
    ),
}

ORDINALS = _words("first last middle given family")
"""A name's parts, if a person stands before them: `customer_last`, but not `last_customer`."""

WEAK: dict[str, frozenset[str]] = {
    "name": _words(
        "name names first last middle given family nom nombre nombres nome naam nazwa navn namn nimi nev nume",
        "ime име vards vardas jina pangalan ismi emri nomi nafn izena eesnimed სახელი անուն نام নাম பெயர் పేరు",
        "ad isim adi meno ονομα 名前 名 名字 이름 명 성 الاسم שם ชื่อ nama tên नाम displayname",
    ),
    "state": _words(
        "state region province county bundesland provincia estado provincie wojewodztwo ort plaats область"
    ),
    "phone": _words("portable"),
    "address": _words("line1 line2 addr addr1 apartment apt suite flat bairro barrio colonia"),
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
    "khách kháchhàng pelanggan ग्राहक ลูกค้า teilnehmers reviewer kund zakaznik zakaznika musteri клиента",
    "покупателя العميل invitee",
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
    "確認 カナ かな 番号 号码 號碼 번호",
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

NEVER_BEFORE = _words(
    "number nr has is was are were can does did num count total send sent via by per method opt optin accept",
    "accepts allow allows allowed enable enabled use uses no not without with smart head ear micro game gaming",
    "android i product products item items brand category model device type kind campaign template course event",
    "content sku tag label page subject job file host domain step plan variant click open opened clicked",
    "prefers preferred verified valid invalid wrong missing",
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
