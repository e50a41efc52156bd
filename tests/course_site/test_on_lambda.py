"""A function over one route: every event is answered in its caller's shape, and no answer and no log tells too much."""

import json

import pytest

from conversion_relay import OutboxUnavailable, Settings, SettingsError
from conversion_relay.aws import AwsError, AwsUnreachable
from conversion_relay.cli.webhook_samples import sample
from conversion_relay.course_site.on_aws import open_site, with_kept_secrets
from conversion_relay.course_site.on_lambda import answer, is_test_document
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.site import CourseSite
from tests.course_site.shop import EMAIL, FORM, NOW, count, stored
from tests.payments.signing import headers_of, secret_of

HTTP = {
    "version": "2.0",
    "rawPath": "/register",
    "headers": {"host": "api.example", "user-agent": "Mozilla/5.0", "referer": "https://courses.example/?fbclid=AbC"},
    "requestContext": {"http": {"method": "POST", "sourceIp": "8.8.4.4"}},
    "body": json.dumps(FORM),
}
LOAD_BALANCER = {
    "httpMethod": "POST",
    "path": "/register",
    "headers": {"host": "api.example", "x-forwarded-for": "6.6.6.6, 8.8.4.4", "user-agent": "Mozilla/5.0"},
    "requestContext": {"elb": {}},
    "body": json.dumps(FORM),
}
SQS = {"META_PIXEL_ID": "1", "RELAY_OUTBOX": "sqs://sqs.us-east-1.amazonaws.com/1/events", "RELAY_LOG_FORMAT": "json"}


@pytest.mark.parametrize(
    ("event", "is_document"),
    [
        ({"event_type": "Purchase"}, True),
        ({"event_type": None}, True),
        (HTTP, False),
        (HTTP | {"event_type": "Purchase"}, False),
        ({}, False),
        (None, False),
        ("event_type", False),
        (["event_type"], False),
    ],
)
def test_a_document_of_the_test_console_is_no_http_request(event, is_document):
    assert is_test_document(event) is is_document


@pytest.mark.parametrize("event", [HTTP, LOAD_BALANCER], ids=["http api", "load balancer"])
def test_a_request_is_answered_and_its_visitor_is_who_aws_saw(site, event):
    said = answer(event, CourseSite.register, lambda: site)
    assert said["statusCode"] == 200
    (sealed,) = stored(site).values()
    assert sealed["user_data"]["client_ip_address"] == "8.8.4.4"
    assert sealed["event_id"] == json.loads(said["body"])["event_id"]


def test_cookies_are_set_in_the_callers_shape(site):
    said = answer(HTTP, CourseSite.register, lambda: site)
    assert sorted(cookie.partition("=")[0] for cookie in said["cookies"]) == ["_fbc", "_fbp"]
    assert all("; Secure" in cookie for cookie in said["cookies"])


@pytest.mark.parametrize("event", [None, 7, "x", [], {}, {"requestContext": 1}, HTTP | {"body": 5}])
def test_what_is_no_request_is_a_400_before_the_site_is_opened(event):
    def never() -> CourseSite:
        raise AssertionError("the site was opened")

    said = answer(event, CourseSite.contact, never)
    assert said["statusCode"] == 400 and json.loads(said["body"])["field"] == "event"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SettingsError("Missing required environment variables: META_PIXEL_ID"), "META_PIXEL_ID"),
        (AwsUnreachable(f"secret of {EMAIL}"), "AwsUnreachable"),
        (AwsError("AccessDeniedException", 400), "could not be answered: AccessDeniedException (HTTP 400)"),
        (RuntimeError(EMAIL), "RuntimeError"),
    ],
)
def test_an_error_of_ours_is_a_500_that_can_be_tried_again_and_quotes_nobody(caplog, error, reason):
    def fails() -> CourseSite:
        raise error

    said = answer(HTTP, CourseSite.register, fails)
    assert (said["statusCode"], said["headers"]["Retry-After"]) == (500, "5")
    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert reason in logged and EMAIL not in logged + json.dumps(said)


@pytest.mark.parametrize(
    ("route", "body"),
    [
        (CourseSite.register, json.dumps(FORM)),
        (CourseSite.payment_webhook, json.dumps(sample("shopify", "paid", NOW - 60))),
    ],
    ids=["visitor", "payment"],
)
def test_why_nothing_could_be_stored_stands_in_the_log_and_not_in_the_answer(caplog, site, monkeypatch, route, body):
    """As when a policy or a key denies the queue: the alarm of the API's 5xx sends people to the log."""

    def denied(*_: object) -> None:
        raise OutboxUnavailable("SQS: KMS.AccessDeniedException (HTTP 400)")

    for verb in ("put", "put_soon"):
        monkeypatch.setattr(site.shop.relay.outbox, verb, denied)
    monkeypatch.setattr(site.shop.registrations, "find", denied)
    site.shop.relay.settings = Settings.from_env(
        SQS | {"SHOPIFY_WEBHOOK_SECRET": secret_of("shopify")}, required=("META_PIXEL_ID",)
    )
    headers = HTTP["headers"] | headers_of("shopify", body.encode(), NOW)
    event = HTTP | {"rawPath": "/webhooks/shopify", "headers": headers, "body": body}
    said = answer(event, route, lambda: site)
    assert said["statusCode"] == 503 and "KMS" not in said["body"]
    assert "KMS.AccessDeniedException" in caplog.text and EMAIL not in caplog.text


@pytest.mark.parametrize("mode", ["", "queue", "direct"])
def test_a_site_is_opened_from_the_environment_alone(mode):
    site = open_site(SQS | {"DELIVERY_MODE": mode, "STRIPE_WEBHOOK_SECRET": "whsec_a,whsec_b", "COURSES": ""})
    assert list(site.shop.stripe_secrets) == ["whsec_a", "whsec_b"]
    assert site.shop.relay.settings.datasets[0].pixel_id == "1"
    preflight = {"requestContext": {"http": {"method": "OPTIONS"}}, "headers": {}}
    assert answer(preflight, CourseSite.register, lambda: site)["statusCode"] == 204


@pytest.mark.parametrize(
    ("environment", "named"),
    [({"META_PIXEL_ID": ""}, "META_PIXEL_ID"), ({"COURSES": "{"}, "COURSES"), ({"RELAY_GPC": "perhaps"}, "RELAY_GPC")],
)
def test_a_wrong_environment_is_named(environment, named):
    with pytest.raises(SettingsError, match=named):
        open_site(SQS | environment)


def test_a_method_that_no_route_has_is_a_405(site):
    context = {"http": {"method": "GET", "sourceIp": "8.8.4.4"}}
    assert answer(HTTP | {"requestContext": context}, CourseSite.register, lambda: site)["statusCode"] == 405
    assert count(site) == 0


def test_behind_cloudfront_a_load_balancer_sees_the_edge_and_the_visitor_is_before_it(site, environment):
    environment["RELAY_TRUSTED_PROXIES"] = "130.176.0.0/17"
    site.shop.relay.settings = Settings.from_env(environment)
    headers = LOAD_BALANCER["headers"] | {"x-forwarded-for": "6.6.6.6, 8.8.4.4, 130.176.1.1"}
    assert answer(LOAD_BALANCER | {"headers": headers}, CourseSite.register, lambda: site)["statusCode"] == 200
    (sealed,) = stored(site).values()
    assert sealed["user_data"]["client_ip_address"] == "8.8.4.4"


class Kept:
    """Secrets Manager."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = secrets

    def call(self, service: str, target: str, body: dict, *, version: str = "1.0") -> dict:
        if body["SecretId"] not in self.secrets:
            raise AwsError("ResourceNotFoundException", 400)  # so does a secret that nobody has filled
        return {"SecretString": self.secrets[body["SecretId"]]}


def test_what_secrets_manager_holds_of_payments_is_read_as_if_it_stood_in_the_environment():
    kept = Kept(stripe="whsec_new", payments='{"SHOPIFY_WEBHOOK_SECRET": "a,test:b", "MOLLIE_API_KEY": "live_x"}')
    arns = {"STRIPE_WEBHOOK_SECRET_ARN": "stripe", "PAYMENT_SECRETS_ARN": "payments"}
    found = with_kept_secrets(SQS | {"STRIPE_WEBHOOK_SECRET": "whsec_old"} | arns, kept)
    settings = Settings.from_env(found, required=("META_PIXEL_ID",))
    revealed = {name: [one.reveal() for one in secrets] for name, secrets in settings.webhook_secrets.items()}
    assert revealed == {"stripe": ["whsec_old", "whsec_new"], "shopify": ["a", "test:b"]}
    assert [key.reveal() for key in settings.provider_keys["mollie"]] == ["live_x"]


def test_a_shop_without_stripe_takes_the_notices_of_its_own_provider():
    """Terraform makes the secret of Stripe's whether it is given one or not."""
    kept = Kept(payments='{"SHOPIFY_WEBHOOK_SECRET": "a"}')
    arns = {"STRIPE_WEBHOOK_SECRET_ARN": "stripe", "PAYMENT_SECRETS_ARN": "payments"}
    settings = Settings.from_env(with_kept_secrets(SQS | arns, kept), required=("META_PIXEL_ID",))
    assert list(settings.webhook_secrets) == ["shopify"]


@pytest.mark.parametrize("text", ["whsec_a", '{"STRIPE_WEBHOOK_SECRET": "whsec_a"}', '{"signing secret":"whsec_a"}'])
def test_stripes_secret_may_be_kept_as_the_console_keeps_it(text):
    kept = Kept(stripe=text)
    assert with_kept_secrets({"STRIPE_WEBHOOK_SECRET_ARN": "stripe"}, kept)["STRIPE_WEBHOOK_SECRET"] == "whsec_a"


@pytest.mark.parametrize(
    "kept", ["", "[]", "canary", '{"SHOPIFY_WEBHOOK_SECRET": 5}', '{"SHOPIFY_WEBHOOK_SECRET": "canary"']
)
def test_a_kept_secret_of_another_shape_is_named_and_not_shown(kept):
    with pytest.raises(SettingsError, match="PAYMENT_SECRETS_ARN") as wrong:
        with_kept_secrets(SQS | {"PAYMENT_SECRETS_ARN": "payments"}, Kept(payments=kept))
    assert "canary" not in str(wrong.value)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("before", [{"SHOPIFY_WEBHOOK_SECRET": "old"}, {}], ids=["rotated", "first"])
def test_another_providers_secret_that_was_changed_is_read_again(site, slash, before):
    order = json.dumps(sample("shopify", "paid", NOW - 60)).encode()
    shop = site.shop
    renewed = Shop(
        shop.relay,
        shop.registrations,
        shop.mail,
        stripe_secrets=[],
        read_secrets=lambda: {"shopify": [secret_of("shopify")]},
        clock=lambda: NOW,
    )
    shop.relay.settings = Settings.from_env(SQS | before, required=("META_PIXEL_ID",))
    headers = HTTP["headers"] | headers_of("shopify", order, NOW)
    path = f"/webhooks/shopify{slash}"
    event = HTTP | {"rawPath": path, "headers": headers, "body": order.decode()}
    assert answer(event, CourseSite.payment_webhook, lambda: CourseSite(renewed))["statusCode"] == 200
