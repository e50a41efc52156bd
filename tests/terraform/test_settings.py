"""No setting is forgotten on AWS: each has a variable, or docs/aws.md says why none makes sense there."""

import re
from pathlib import Path

import pytest

from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings
from conversion_relay.settings.names import ENVIRONMENT_ONLY, OF_A_DATASET, OF_ALL

ROOT = Path(__file__).parents[2]
TERRAFORM = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "tf").glob("*.tf")))
GIVEN = set(re.findall(r'\b([A-Z]+_[A-Z_]+)"?\s*=(?!=)', re.sub(r"#.*|description.*|error_message.*", "", TERRAFORM)))
"""What the functions get by name."""
MAPS = [re.compile(found) for found in re.findall(r'"(\^\(.*WEBHOOK.*\)\$)"', TERRAFORM)]
"""And what `payment_secrets` and `payment_settings` take."""
PAGE = (ROOT / "docs/aws.md").read_text("utf-8")
REASONS = {
    name: reason
    for names, reason in re.findall(r"^\| (`[A-Z_`, ]+`) \| (.+) \|$", PAGE, re.MULTILINE)
    for name in re.findall(r"[A-Z_]+", names)
}
ALL = sorted(OF_A_DATASET | OF_ALL | ENVIRONMENT_ONLY)


@pytest.mark.parametrize("name", ALL)
def test_a_setting_has_a_variable_or_a_reason_why_it_has_none(name):
    has_variable = name in GIVEN or any(one.match(name) for one in MAPS)
    assert has_variable != (name in REASONS), "one of the two"


def test_a_reason_is_about_a_setting_that_there_is():
    assert len(MAPS) == 2 and REASONS.keys() <= set(ALL)


def test_every_variable_is_named_on_the_page_or_in_the_sample():
    sample = (ROOT / "tf/terraform.tfvars.example").read_text("utf-8")
    of_settings = re.findall(r'^variable "(\w+)"', (ROOT / "tf/settings.tf").read_text("utf-8"), re.MULTILINE)
    assert not [name for name in of_settings if f"`{name}`" not in PAGE and name not in sample]


SENTENCES = re.findall(r'"\\"(.+?)\\""', (ROOT / "tf/monitoring.tf").read_text("utf-8"))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_a_metric_filter_looks_for_is_what_the_delivery_function_says(sentence):
    files = ("aws/deliver.py", "delivery/report.py", "telemetry.py")
    said = "".join((ROOT / "conversion_relay" / file).read_text("utf-8") for file in files)
    assert sentence in said and len(SENTENCES) == 5


ORIGIN = re.compile(
    re.search(r'can\(regex\("(.+?)", origin\)\)', TERRAFORM)[1].replace("\\\\", "\\").replace("^([^][", "^([^\\]\\[")
)
"""What Terraform takes for an origin; its port is looked at by another function."""
COUNTRIES = set(re.search(r'split\(" ", "([A-Z ]+)"\)', TERRAFORM)[1].split())


def starts(**environ: str) -> bool:
    try:
        Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAA", **environ})
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize(
    "origin",
    [
        *("https://shop.example", "http://localhost:8080", "https://[2001:db8::1]:444", "https://bücher.example"),
        *("https://user@shop.example", "https://a,b.example", "https://shop example", "https://shop.example/x"),
        *("https://shop.example:x", "https://*.example", "shop.example", "https://[::1", "https://::1", "https://"),
    ],
)
def test_what_terraform_takes_for_an_origin_the_functions_start_with(origin):
    """Else everything is applied, and every request is answered with 500."""
    assert bool(ORIGIN.fullmatch(origin)) == starts(RELAY_ALLOWED_ORIGINS=origin)


def test_terraform_knows_the_countries_that_the_functions_know():
    letters = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
    assert {a + b for a in letters for b in letters if starts(RELAY_DEFAULT_COUNTRY=a + b)} == COUNTRIES
