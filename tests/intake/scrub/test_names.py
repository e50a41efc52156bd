"""A member's name tells whose its value is, however it is spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.intake.scrub.names import read_name

OF_A_PERSON = """
email Email E-Mail eMail e_mail email_address emailAddress user_email userEmail customer[email]
customer.email billing_email customer_email sha256_email_address sha256_email hashed_email email_sha256
em_hash emailHash email1 email_2 your-email contact_email EMAIL phone Phone phone_number phoneNumber
phone-number billing_phone customer_phone shippingPhone user.phone sha256_phone_number mobile
mobile_number mobilePhone cell_phone telephone tel telefono telefon Telefonnummer handynummer
numéro_de_téléphone tel_number whatsapp_number phone_home phone1 contact_number home_phone first_name
firstName FirstName firstname last_name lastName surname full_name fullName name_first billing_first_name
shipping_last_name customer_name user_name userName your-name contact_name name.first
billing_address.first_name given_name family_name Vorname nachname prénom nom_de_famille apellidos
sobrenome cognome voornaam achternaam imię nazwisko birthday birthdate birth_date date_of_birth
dateOfBirth DOB dob user_birthday geburtsdatum date_de_naissance fecha_nacimiento data_nascimento
data_di_nascita geboortedatum data_urodzenia zip zip_code zipCode postal_code postcode billing_postcode
plz Postleitzahl code_postal codigo_postal código_postal cep kod_pocztowy shipping_zip city billing_city
shipping_city user_city billing_state billing_address_1 address street street_address address1
addressLine1 billing_address shippingAddress home_address Straße adresse dirección gender Geschlecht em
ph fn ln zp ct st db ge user_data.em sha256_ph user[ph] customer.address.city traits.address.postalCode
billingphone useremail customeremail billingfirstname userfirstname phonenumber password ssn
credit_card_number ip_address emailaddress leadPhone lead_email телефон имя 電話番号 メールアドレス 手机号 이메일
nombre_cliente Имя Фамилия kunden_email customer.name shipping.name billing.state user.name
customer_first_name CustomerFirstName FIRST_NAME Last-Name LAST_NAME [email] $email $first_name
user_properties.email contact.properties.firstname billing:telephone shippingaddress order_email
newsletter_email wpforms[fields][3][email] gform_email input_email phone_e164 phoneNumberE164 mobile_no
Mobile_Number user_phone_number user-telephone-number whatsapp contact_no sms_number số_điện_thoại sđt no_hp
NomorHP फ़ोन मोबाइल ईमेल जन्मतिथि เบอร์โทร ที่อยู่ địa_chỉ alamat kode_pos pincode họ_tên nama_lengkap
prezime uzvārds Pavardė perekonnanimi eesnimi apelyido გვარი ազգանուն نام_خانوادگی e-pasts el_paštas telefoninumber
telepono تلفن naslov adrese
dzimšanas_datums rojstni_datum FirstName__c Email__pc MobilePhone__c receiver_name
beneficiary_name contact_person
nomor_telepon telepon_pelanggan ngày_sinh access_token authToken apiKey client_secret pwd aadhaar_number
pan_number CURP nif rut passport passport_no national_insurance_number Steuernummer 身份证号
""".split()  # noqa: SIM905

OF_A_BUSINESS = """
content_name product_name item_name course_name event_name company plan email_campaign phone_model
first_purchase city_tour last_name_of_course value currency content_ids contents order_id num_items
content_type content_category search_string status predicted_ltv delivery_category name state region
country title description brand sku price quantity item_id item_category affiliation coupon shipping tax
transaction_id index discount item_list_name payment_type shipping_tier promotion_name creative_name
user_id customer_id account_id email_template email_opt_in email_verified has_email is_phone_verified
phone_type phone_case iPhone headphones smartphone hostname filename store_name store_city venue_address
store_zip city_guide mail_campaign newsletter_name birthday_party birthday_discount gender_category
address_type zip_file first last_visit first_visit last_order_date lastmod page_title page_location
nameplate plan_name tier course_city event_city destination_city telescope cellar cell_count mobile_app
is_mobile mobileVersion device_phone username_length customer_type customer_segment user_type
member_since lead_type lead_source lead_value contact_method contact_reason billing_cycle shipping_method
shipping_cost billing_period subscription_plan streetwear street_style password_strength team_name
game_name company_name brand_name category_name file_name product_first_image addressable_market
telemetry mailbox_size emails_sent email_count number_of_emails phone_brand domain_name host_name
group_name campaign_name ad_name adset_name variant_name color size material season birthstone zip_hoodie
citybike first_class last_minute order_number ticket_number postage property_type landing_page
listing_name customer_number invoice_number member_number first_registration last_delivery last_customer
mobile_user mail_order email_delivery phone_lead home_delivery account_name author parent_name
shipping_lines delivery_number lead_count email_signup customer_since user_count pH PH ST email_subject
emailCampaignId phoneColor number quantity_number line_items order_total customer_lifetime_value
customer_order_count user_agent user_role contact_id contact_form contact_type shipping_address_type
billing_plan form_name form_id page_name screen_name product_address delivery_date delivery_time
delivery_method account_type account_tier account_manager members seats student_discount guest_checkout
passport_holder rut_size token token_count api_version key pin_type whatsapp_campaign session_name
visitor_type recipient_count mobile_device_model name_tag named_entity first_item last_item middle given
family_pack family_plan age_group sex_education gender_neutral ip_rating
""".split()  # noqa: SIM905


# What forms in other languages write above a field, as they write it; the rest is put together by their makers' tools.
LABELS_OF_FORMS = (
    """
Ihr Name|Dein Name|Vollständiger Name|Name des Teilnehmers|Ansprechpartner|Rückrufnummer|Telefon privat|Telefon (mobil)
Telefonnummer für Rückfragen|Geb.-Datum|Prénom et nom|Votre nom|Nom de naissance|Année de naissance|N° tél
Numéro de portable|Téléphone fixe|Primer nombre|Apellido materno|Tu nombre|Nº de teléfono|Teléfono fijo
Año de nacimiento
Nome e apelido|Seu nome|Telemóvel|Telefone para contato|Cognome e nome|Il tuo nome|Recapito telefonico|Anno di nascita
Uw naam|Je naam|Tussenvoegsel|Roepnaam|Geboortejaar|Telefon komórkowy|Telefon kontaktowy|Rok urodzenia|Jméno zákazníka
Mobilní číslo|Rodné číslo|Fullständigt namn|Ditt namn|Födelseår|Fulde navn|Tlf. nr.|CPR-nummer|Koko nimi|Matkapuhelin
Syntymäpäivä|Adınız Soyadınız|Cep telefonu numarası|Doğum Tarihiniz|Πλήρες όνομα|Αριθμός τηλεφώνου
Τηλέφωνο επικοινωνίας|ΚινητόΤηλέφωνο|Имя клиента|ПолноеИмя|ВашТелефон|Год рождения|Контактное лицо|По батькові|ПІБ
Мобільний|Телефон за връзка|Три имена|Дата на раждане|טלפון נייד|שם הלקוח|השם שלך|رقم الموبايل|الاسم بالكامل|اسم العميل
تاريخ الولادة|تلفن همراه|نام کامل|ग्राहक का नाम|पहला नाम|संपर्क नंबर|ชื่อลูกค้า|ชื่อเต็ม|โทรศัพท์มือถือ|วันเดือนปีเกิด
Tên của bạn|Số di động|收件人姓名|您的姓名|客户姓名|联系电话|電話號碼|出生年月日|お電話番号|ご連絡先|ご担当者名
携帯電話番号
お名前（カナ）|フリガナ|お誕生日|고객명|고객 이름|신청자명|휴대전화번호|비상연락처
Nomor ponsel|Nama panggilan|Tarikh lahir
No. telefon bimbit|Telefonszáma|Születési idő|Nume complet|Telefon mobil|Mobilus telefonas|Tālruņa numurs|Mobiiltelefon
Telefon nömrəsi|Аты-жөні|Телефон нөмірі|মোবাইল নম্বর|தொலைபேசி எண்|Farsími|Numri i telefonit|ტელეფონის ნომერი
What is your name?|What's your full name?|What is your phone number?|Student's name|Preferred first name|Invitee name
DOB (MM/DD/YYYY)|form_fields[Kundenname]|form_fields[Rechnungsadresse]|first and last name|gift_recipient_name|_clname
N° de tél|Телефон за контакт|Електронна поща|E-postaadress|Nama Anda|Rue et numéro|Calle y número|Via e numero civico
Ulica i numer|Adres zamieszkania|Ulice a číslo popisné|Utca, házszám|Улица, дом|Açık adres
عنوان السكن|כתובת מגורים|Alamat lengkap
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("eventModel.user_data.address.first_name", "name"),
        ("event[items][customer][phone]", "phone"),
        ("child_name", "name"),
        ("custName", "name"),
        ("caller_id", "phone"),
        ("mobNo", "phone"),
        ("session_token", "secret"),
        ("bank_account_number", "secret"),
        ("houseNo", "address"),
        ("customer_apartment", "address"),
        ("q5_address", "address"),
        ("CallerCity", "city"),
        ("WaId", "phone"),
        ("fio", "name"),
        ("shoujihao", "phone"),
        ("denwaBangou", "phone"),
        ("nr_domu", "address"),
        ("browser_ip", "network address"),
        ("product.customer.rating", ""),
        ("items.0.name_of_customer_choice", ""),
        ("apartment_type", ""),
        ("token_price", ""),
    ],
)
def test_what_tag_managers_call_centres_and_sign_ups_call_it(name, kind):
    read = read_name(name)
    assert (read.kind if read.strength >= 2 else "") == kind


@pytest.mark.parametrize("name", [*OF_A_PERSON, *LABELS_OF_FORMS])
def test_a_persons_name_is_known(name):
    assert read_name(name).strength >= 2 and read_name(name).kind


# The same languages about what is sold, the letters of a person's word in some.
OF_A_BUSINESS_ABROAD = (
    """
Ihr Kurs|Ihr Gutschein|Name des Kurses|Handymodell|Handyvertrag|IP-Telefonie|Kundentyp|Kundennummer|Votre commande
Nom du cours|Nombre de places|Portable PC|Tu pedido|Nombre del curso|Plan móvil|Seu pedido|Nome do curso|Tuo ordine
Je bestelling|Nazwa produktu|Mobilní aplikace|Din kurs|Tuotteen nimi|Telefon modeli|Όνομα προϊόντος|Κινητό μοντέλο
Ваш курс|ТипКлиента|ИмяФайла|Мобильное приложение|Мобільний додаток|מחשב נייד|סוג לקוח|تطبيق الجوال|نوع العميل
आपका ऑर्डर|मोबाइल मॉडल|รุ่นมือถือ|เคสโทรศัพท์|ประเภทลูกค้า|智能手机|手机壳|客户类型|用户编号|姓名贴|電話占い|お客様番号|会員番号
会員ランク|名前シール|メイク|姓名判断|핸드폰기종|고객유형|회원등급|이름표|전화상담|설명|Casing ponsel|Telefon kılıfı
What is your budget?|your_course|Is this your first course?|gift_message|phone_gift|size_s|email_and_sms|name and logo
age and gender targeting|din_norm|din_name|ton_name|reviewer_count|landline_plan|fur_color
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


@pytest.mark.parametrize("name", [*OF_A_BUSINESS, *OF_A_BUSINESS_ABROAD])
def test_a_business_name_is_left_alone(name):
    assert read_name(name).strength < 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("phoneNumber", "phone"),
        ("sha256_email_address", "email"),
        ("date_of_birth", "date of birth"),
        ("billing_postcode", "postal code"),
        ("creditCardNumber", "secret"),
        ("ph", "phone"),
    ],
)
def test_the_kind_is_told(name, kind):
    assert read_name(name).kind == kind


@pytest.mark.parametrize(
    "spelled", ["{a}_{b}", "{a}-{b}", "{a} {b}", "{a}.{b}", "{A}{B}", "{a}{B}", "{a}[{b}]", "{a}{b}"]
)
@pytest.mark.parametrize(("a", "b"), [("first", "name"), ("phone", "number"), ("birth", "date"), ("customer", "email")])
def test_the_spelling_does_not_matter(spelled, a, b):
    name = spelled.format(a=a, b=b, A=a.title(), B=b.title())
    assert read_name(name).strength == 3
    assert read_name(f"billing_{name}").strength == 3 and read_name(f"{name}_2").strength == 3


@pytest.mark.parametrize("name", ["ｐｈｏｎｅ", "pho\u200bne", "E\u2011Mail", "Prénom", "Pre\u0301nom", "TÉLÉPHONE"])
def test_nor_do_accents_widths_and_letters_of_no_width(name):
    assert read_name(name).strength == 3


@pytest.mark.parametrize(
    ("name", "is_person", "is_business"),
    [
        ("customer", True, False),
        ("billing_info", True, False),
        ("user_data", True, False),
        ("contents", False, True),
        ("order_items", False, True),
        ("custom_data", False, False),
        ("order", False, False),
    ],
)
def test_containers_say_whose_their_members_are(name, is_person, is_business):
    assert (read_name(name).is_person, read_name(name).is_business) == (is_person, is_business)


@given(name=st.text(max_size=128))
def test_any_text_is_a_name(name):
    assert 0 <= read_name(name).strength <= 3


PERSONS_OF_AN_EVENT = """
event_attendee_name event_attendee_phone hotel_guest_name ticket_buyer_name course_student_email tour_passenger_phone
shopify_customer_name WooCommerceEventsAttendeeName cus_name cus_cel cus_taxnumber buyer_document last_name_kana
soldTo_name consignee 받는분 수령자명 nume_familie
""".split()  # noqa: SIM905
NO_PERSONS = """
has_customer_name is_event_guest_email event_name event_email event_attendee_count event_guest_list product_name
average_customer_age top_customer_city kana document document_name product_document
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", PERSONS_OF_AN_EVENT)
def test_whoever_came_or_bought_is_a_person_whatever_they_came_to(name):
    """Of ticket shops, hotels and course platforms, of Eduzz and Hotmart, SAP and EC-CUBE."""
    assert read_name(name).strength == 3


@pytest.mark.parametrize("name", NO_PERSONS)
def test_what_is_said_of_many_or_of_the_thing_itself_stays(name):
    assert read_name(name).strength < 2
