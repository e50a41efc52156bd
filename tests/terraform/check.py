"""`make tf-check`: the seed's deployment steps, typed as written, against AWS's stand-in; nothing leaves this machine.

Build, init, fmt, validate, test, plan, apply, plan again without changes, four requests that arrive at Meta's stand-in,
destroy. The provider comes from a mirror on the disk where there is one (TF_PLUGIN_MIRROR, or found), else by download.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import stripe

from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from conversion_relay.payments import PROVIDERS
from tests.aws.deployment import build
from tests.aws.standin import StandIn, standin
from tests.payments.signing import headers_of
from tests.processes import call, until
from tests.terraform import roles

ROOT = Path(__file__).parents[2]
TOKEN, STRIPE_SECRET, SHOPIFY_SECRET = "EAAterraform-canary-token", "whsec_terraform_canary", "shpss_terraform_canary"
APP_SECRET = "terraform-canary-app-secret"
SECRETS = {name: f"{name.lower()}_canary" for name in (row.setting for row in PROVIDERS.values()) if "SECRET" in name}
SECRETS |= {
    "SHOPIFY_WEBHOOK_SECRET": SHOPIFY_SECRET,
    "STANDARD_WEBHOOK_SECRET": "whsec_Y2FuYXJ5",
    "MOLLIE_API_KEY": "live_x",
}
del SECRETS["STRIPE_WEBHOOK_SECRET"]
OVERRIDE = 'provider "aws" {\n  max_retries = 4\n}\n'
"""An action that the stand-in lacks is an error soon, not after 25 tries; a connection that broke is tried again."""

CHOICES = {
    "trusted_proxies": ["130.176.0.0/17"],
    "viewer_header": "CloudFront-Viewer-Address",
    "consent": "limited_data_use",
    "gpc": "ignore",
    "public_events": ["ViewContent", "Contact", "CompleteRegistration"],
    "held_events": ["Purchase", "Subscribe"],
    "variants": True,
    "meta_test_event_code": "TEST1",
    "test_payments": "test_code",
    "subscriptions": "Subscribe",
    "renewals": "ignore",
    "refunds": "event",
    "free_orders": "send",
    "stripe_payments": ["checkout", "invoice"],
    "stripe_order_key": ["client_reference_id", "metadata.registration_id"],
    "log_format": "text",
    "reserved_concurrency": 20,
    "default_country": "DE",
    "throttle_rate": 60,
    "throttle_burst": 120,
    "log_retention_days": 7,
    "most_deliveries": 3,
    "alarm_email": "ops@courses.example",
    "silence_hours": 6,
    "tags": {"team": "courses", "application": "site"},
    "permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess",
    "meta_pixel_id": "222222222222222",
    "meta_graph_version": "v26.0",
    "courses": {"kintsugi": {"title": "Kintsugi", "category": "craft"}},
    "name_prefix": roles.PREFIX,
    "aws_region": roles.REGION,
    "token_store": "ssm",
    "delivery_mode": "direct",
    "payment_secrets": SECRETS,
    "payment_settings": {
        "SHOPIFY_ORDER_KEY": "notes.registration",
        "SQUARE_WEBHOOK_URL": "https://courses.example/webhooks/square",
    },
}
"""None is the default of its variable."""


def main() -> None:
    meta = Server(create_app(app_secret=APP_SECRET), "127.0.0.1", 0)
    meta.start()
    build()
    with standin(roles.REGION) as aws, tempfile.TemporaryDirectory(prefix="tf-check-") as folder:
        terraform = Terraform(Path(folder), aws, f"http://127.0.0.1:{meta.port}")
        terraform.check()
    meta.stop()
    print("tf-check: everything applied, worked, and was destroyed")


class Terraform:
    def __init__(self, folder: Path, aws: StandIn, meta_url: str) -> None:
        self.standin, self.meta_url, self.folder = aws, meta_url, folder / "tf"
        shutil.copytree(ROOT / "tf", self.folder, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
        for place in ("lambda/dist", "packages"):  # Terraform's own tests look at the default place
            shutil.copytree(ROOT / "lambda/dist", folder / place)
        (folder / "lambda/dist/built.json").unlink()  # they are of the defaults' runtime, which this machine may lack
        (self.folder / "zz_override.tf").write_text(OVERRIDE)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        self.settings = {
            "meta_access_token": TOKEN,
            "meta_app_secret": APP_SECRET,
            "stripe_webhook_secret": STRIPE_SECRET,
            "graph_api_url": meta_url,
            "architecture": "x86_64",
            "python_version": version,
            "batch_seconds": 1,
            "package_folder": str(folder / "packages"),
            "mail_from": "site@courses.example",
            "mail_to": "team@courses.example",
            "allowed_origins": ["https://courses.example"],
            **CHOICES,
        }
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TF_CLI_CONFIG_FILE": str(_configuration(folder)),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "AWS_REGION": roles.REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            **aws.keys,
        }

    def check(self) -> None:
        self.run("fmt", "-check", "-recursive")
        self.run("init", "-input=false", "-lockfile=readonly")
        self.run("validate")
        self.run("test")
        layer = self.standin.client("lambda").publish_layer_version(LayerName="pypi", Content={"ZipFile": b"PK"})
        self.settings["payment_layers"] = [layer["LayerVersionArn"]]
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(self.settings))
        self.env["AWS_ENDPOINT_URL"] = self.standin.url
        self.run("apply", "-input=false", "-auto-approve", "-parallelism=30", seconds=600)
        self.every_variable_is_set()
        state = (self.folder / "terraform.tfstate").read_text()
        assert not [one for one in (TOKEN, APP_SECRET, STRIPE_SECRET, *SECRETS.values()) if one in state], (
            "in the state"
        )
        self.run("plan", "-input=false", "-detailed-exitcode")
        # Verifying an address is a person's part: SES sends a mail to it.
        self.standin.client("sesv2").create_email_identity(EmailIdentity="courses.example")
        with self.standin.iam():
            self.six_events()
        mistakes = roles.wrong(self.standin)
        assert not mistakes, mistakes
        print(f"{len(roles.MAY)} roles, {len(roles.ACTIONS)} actions: each role does only its job")
        self.run("destroy", "-input=false", "-auto-approve", "-parallelism=30", seconds=200)

    def run(self, *arguments: str, seconds: float = 300) -> str:
        started = time.monotonic()
        command = ["terraform", *arguments, *([] if arguments[0] in ("fmt",) else ["-no-color"])]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=seconds, check=False
        )
        print(f"terraform {arguments[0]:9} {time.monotonic() - started:6.1f} s", flush=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-6_000:]}\n{done.stderr[-6_000:]}")
        return done.stdout

    def every_variable_is_set(self) -> None:
        declared = re.findall(
            r'^variable "(\w+)"', "".join(p.read_text() for p in self.folder.glob("*.tf")), re.MULTILINE
        )
        assert set(declared) == self.settings.keys(), set(declared) ^ self.settings.keys()

    def six_events(self) -> None:
        """A page view, a message, two registrations and their payments, as visitors, Stripe and Shopify send them."""
        page = {"content_data": {"content_name": "Course Overview", "content_category": "education"}}
        person = {"name": "Canary Person", "email": "canary.person@example.com"}
        self.post("/view-content", page)
        self.post("/contact", person | {"message": "hello"})
        registration_id = self.post("/register", person | {"course_id": "kintsugi"})["registration_id"]
        body, signature = paid(registration_id)
        self.post("/payment-webhook", body, Stripe_Signature=signature)
        other = {"name": "Canary Person", "email": "canary.person.2@example.com"}
        registration_id = self.post("/register", other | {"course_id": "kintsugi"})["registration_id"]
        order = json.dumps(shopifys(registration_id)).encode()
        self.post("/webhooks/shopify", order, **headers_of("shopify", order, int(time.time()), SHOPIFY_SECRET))
        until(lambda: len(self.arrived()) == 6, 60)
        names = {event["event_name"] for event in self.arrived()}
        assert names == {"ViewContent", "Contact", "CompleteRegistration", "Purchase"}, names
        # A function says so when Meta has answered; the event is at Meta before.
        until(lambda: all(f"Meta Conversions API {name} event sent successfully" in self.all_logs() for name in names))
        for canary in ("canary.person", "Canary Person", TOKEN, APP_SECRET, STRIPE_SECRET, SHOPIFY_SECRET):
            assert canary not in self.all_logs(), canary
        print("six requests, six events")

    def post(self, path: str, body: Any, **headers: str) -> dict[str, Any]:
        headers |= {"user_agent": "Mozilla/5.0", "content_type": "application/json"}
        status, answer = call("POST", self.standin.http_url + path, body, **headers)
        assert status == 200, (path, status, answer, self.all_logs()[-3_000:])
        return answer

    def all_logs(self) -> str:
        return "\n".join(line for lines in self.standin.logs.values() for line in lines)

    def arrived(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.meta_url}/_emulator/events") as answer:
            return [row["event"] for row in json.load(answer)["events"]]


def paid(registration_id: str) -> tuple[bytes, str]:
    session = {
        "id": "cs_1",
        "object": "checkout.session",
        "payment_status": "paid",
        "amount_total": 4900,
        "currency": "eur",
        "client_reference_id": registration_id,
    }
    at = int(time.time())
    kind = "checkout.session.completed"
    payload = json.dumps({"id": "evt_1", "object": "event", "type": kind, "created": at, "data": {"object": session}})
    signature = stripe.WebhookSignature._compute_signature(f"{at}.{payload}", STRIPE_SECRET)
    return payload.encode(), f"t={at},v1={signature}"


def shopifys(registration_id: str) -> dict[str, Any]:
    return {
        "id": 9001,
        "financial_status": "paid",
        "currency": "EUR",
        "total_price": "49.00",
        "note_attributes": [{"name": "registration", "value": registration_id}],
    }


def _configuration(folder: Path) -> Path:
    """Terraform's own: providers from the mirror, where one lies."""
    path = folder / "terraformrc"
    mirror = os.environ.get("TF_PLUGIN_MIRROR") or _found_mirror()
    block = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'
    path.write_text(block if mirror else "")
    return path


def _found_mirror() -> str | None:
    for depth in range(1, 4):
        for found in Path("/").glob("*/" * (depth - 1) + "*/registry.terraform.io"):
            return str(found.parent)
    return None


if __name__ == "__main__":
    main()
