"""PayPal's notices on Lambda: the real zip, under the real runtime client, with `cryptography` from a layer."""

import json
import sys
import time
from pathlib import Path

import pytest

from conversion_relay.cli import webhook_samples
from tests.aws.sandboxes import Sandbox
from tests.aws.standin import http_event
from tests.payments.signing import WEBHOOK_ID, headers_of, paypal_certificates
from tests.processes import until

pytestmark = [pytest.mark.xdist_group("aws"), pytest.mark.timeout(240)]
SITE = Path(next(path for path in sys.path if path.endswith("site-packages")))
OF_PAYPAL = """
import importlib, pathlib
from conversion_relay.http_client import Response
from conversion_relay.webhooks.asking import Asking

here = pathlib.Path(__file__).parent
Asking._get = lambda self, url, headers, network: Response(200, {}, (here / "chain.pem").read_bytes())
Asking.roots = lambda self: [(here / "root.der").read_bytes()]
lambda_handler = importlib.import_module("payment-webhook").lambda_handler
"""
"""Stands for PayPal's host and for the system's roots; all else is the function's own."""


@pytest.fixture
def function(here, tmp_path):
    """The function as it is deployed with a webhook id; called with a notice. Its log grows after the answer."""
    layer, trial = tmp_path / "layer", tmp_path / "trial"
    for folder in (layer, trial):
        folder.mkdir()
    for found in (
        *SITE.glob("cryptography"),
        *SITE.glob("cffi"),
        *SITE.glob("_cffi_backend*"),
        *SITE.glob("pycparser"),
    ):
        (layer / found.name).symlink_to(found)
    _, chain, root = paypal_certificates()
    (trial / "chain.pem").write_bytes(chain)
    (trial / "root.der").write_bytes(root)
    (trial / "of_paypal.py").write_text(OF_PAYPAL)
    secrets = here.aws.client("secretsmanager")
    kept = secrets.create_secret(Name=tmp_path.name, SecretString=json.dumps({"PAYPAL_WEBHOOK_ID": WEBHOOK_ID}))
    opened: list[Sandbox] = []
    log: list[str] = []

    def call(notice: dict, *, has_layer: bool = True, changed: bytes = b"") -> tuple[int, dict, list[str]]:
        deployed = here.aws.function("payment-webhook")
        told = {
            "handler": "of_paypal.lambda_handler" if has_layer else deployed.handler,
            "environment": deployed.environment | {"PAYMENT_SECRETS_ARN": kept["ARN"]},
            "layers": (layer, trial) if has_layer else (),
        }
        if not opened:
            opened.append(Sandbox(type(deployed)(deployed.name, told["handler"], deployed.code, told["environment"],
                                                 60, told["layers"]), log.append))  # fmt: skip
        raw = json.dumps(notice).encode()
        headers = [
            *headers_of("paypal", raw, int(time.time())).items(),
            ("host", "api.courses.example"),
            ("content-type", "application/json"),
        ]
        answer = opened[0].invoke(http_event("POST", "/webhooks/paypal", "", headers, raw + changed))
        return answer["statusCode"], json.loads(answer["body"]), log

    yield call
    for sandbox in opened:
        sandbox.end()


def sold_now(registration_id: str) -> dict:
    """By the machine's own clock, which the function has, too."""
    notice = webhook_samples.sample("paypal", "paid", time.time())
    notice["resource"]["custom_id"] = registration_id
    return notice


def test_a_capture_is_a_purchase_and_a_changed_notice_is_none(here, function):
    registration_id = here.register("paypal@example.com")
    notice = sold_now(registration_id)
    status, answer, log = function(notice, changed=b" ")
    assert (status, answer["error"]) == (400, "signature_wrong"), (answer, log)
    status, answer, log = function(notice)
    assert (status, answer["message"], answer["event_id"]) == (200, "paid", f"purchase_{registration_id}"), log
    assert function(notice)[1]["message"] == "duplicate"
    until(lambda: here.counted("Purchase") == 1)
    (event,) = [event for event in here.arrived() if event["event_name"] == "Purchase"]
    assert (event["custom_data"]["value"], event["custom_data"]["currency"]) == (49.9, "EUR")


def test_without_the_layer_the_log_says_what_is_missing(here, function):
    status, _, log = function(sold_now("1"), has_layer=False)
    assert status >= 500
    until(lambda: "PAYPAL_WEBHOOK_ID: it needs the package cryptography" in "".join(log), so_far=lambda: log)
    assert "a layer" in "".join(log)
