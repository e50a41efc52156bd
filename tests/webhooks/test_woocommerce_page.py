"""docs/guides/woocommerce.md: the file for the shop, run by PHP, and what the order's notice becomes with it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from conversion_relay.cli import webhook_samples
from tests.failures.conditions import need_command
from tests.test_documents import ROOT, blocks
from tests.webhooks.shop import EVERY_PROVIDER, NOW, open_shop

PAGE, FILE = "docs/guides/woocommerce.md", ROOT / "examples" / "woocommerce" / "conversion-relay.php"
FBP = "fb.1.1596403881668.1116446470"
WORDPRESS = r"""
error_reporting(E_ALL);
set_error_handler(function ($kind, $text) { fwrite(STDERR, $text); exit(1); });
define('ABSPATH', '/');
const DAY_IN_SECONDS = 86400;
$hooks = [];
function add_action($name, $call, $priority = 10) { $GLOBALS['hooks'][$name] = $call; }
function esc_url($text) { return htmlspecialchars($text, ENT_QUOTES); }
function esc_attr($text) { return htmlspecialchars($text, ENT_QUOTES); }
function wp_unslash($text) { return stripslashes($text); }
function sanitize_text_field($text) { return trim(strip_tags($text)); }
function wp_json_encode($what) { return json_encode($what); }
function wc_get_order($id) { return $id === 52 ? $GLOBALS['order'] : false; }
class Order {
    public $meta = [], $saved = false, $paid = true, $paid_ago = 0;
    function update_meta_data($key, $value) { $this->meta[$key] = $value; }
    function delete_meta_data($key) { unset($this->meta[$key]); }
    function save() { $this->saved = true; }
    function is_paid() { return $this->paid; }
    function get_date_paid() {
        return $this->paid_ago === null ? null : new DateTime('@' . (time() - $this->paid_ago));
    }
    function get_id() { return 52; }
    function get_total() { return '49.90'; }
    function get_currency() { return 'EUR'; }
}
$given = json_decode(stream_get_contents(STDIN), true);
$_COOKIE = $given['cookies'];
$order = new Order();
$order->paid = $given['paid'];
$order->paid_ago = $given['paid_ago'];
$order->meta = $given['before'] ?: [];
require $argv[1];
$printed = [];
foreach (['wp_head', $given['checkout'], 'woocommerce_thankyou'] as $name) {
    ob_start();
    $hooks[$name]($name === 'wp_head' ? '' : ($name === 'woocommerce_thankyou' ? 52 : $order));
    $printed[$name] = ob_get_clean();
}
$meta = [];
foreach ($order->meta as $key => $value) { $meta[] = ['key' => $key, 'value' => $value]; }
echo json_encode(['meta' => $meta, 'saved' => $order->saved, 'printed' => $printed]);
"""
CHECKOUTS = (
    "woocommerce_checkout_order_created",
    "woocommerce_store_api_checkout_update_order_meta",
    "woocommerce_before_pay_action",
)


def bought(
    cookies: dict[str, str],
    checkout: str = CHECKOUTS[0],
    *,
    paid: bool = True,
    paid_ago: int | None = 0,
    before: dict[str, str] | None = None,
    file: Path = FILE,
) -> dict:
    """What the file wrote into an order and onto the pages, in a shop of a few functions."""
    need_command("php")
    given = json.dumps({"cookies": cookies, "paid": paid, "paid_ago": paid_ago, "before": before, "checkout": checkout})
    done = subprocess.run(
        ["php", "-r", WORDPRESS, "--", str(file)], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path, **EVERY_PROVIDER) as opened:
        yield opened


def notice(meta: list[dict]) -> dict:
    return json.loads(json.dumps(webhook_samples.sample("woocommerce", "paid", NOW - 60))) | {"meta_data": meta}


@pytest.mark.parametrize("checkout", CHECKOUTS)
def test_an_orders_purchase_has_the_visit_and_the_id_that_the_thank_you_page_gives_to_the_pixel(shop, checkout):
    told = bought({"_fbp": FBP, "_fbc": "", "cmplz_marketing": "allow"}, checkout)
    assert told["saved"] and shop.told("woocommerce", notice(told["meta"])).body["message"] == "accepted"
    ((event_id, event),) = shop.events().items()
    assert event["user_data"]["fbp"] == FBP and event["user_data"]["client_user_agent"] == "Mozilla/5.0"
    said = re.search(r"trackOnce\((.+), { pixelOnly: true }\)", told["printed"]["woocommerce_thankyou"])
    name_and_values = json.loads(f"[{said[1]}]")
    assert name_and_values == [event_id, "Purchase", {"value": 49.9, "currency": "EUR"}]
    assert blocks(PAGE, "sh") == [f"conversion-relay explain {event_id}\n"]


def test_of_who_declined_the_refusal_alone_is_in_the_order_and_nothing_is_sent(shop):
    told = bought({"_fbp": FBP, "cmplz_marketing": "deny"})
    assert [one["key"] for one in told["meta"]] == ["consent"]
    assert shop.told("woocommerce", notice(told["meta"])).body == {"message": "withheld"}


def test_who_declines_before_they_pay_leaves_nothing_of_what_they_had_agreed_to(shop):
    before = {"_fbp": FBP, "_fbc": "fb.1.1596403881668.IwAR", "consent": "granted"}
    told = bought({"_fbp": FBP, "cmplz_marketing": "deny"}, "woocommerce_before_pay_action", before=before)
    assert told["meta"] == [{"key": "consent", "value": "denied"}]
    # A refusal stands where the link to pay is opened in a browser that was not asked.
    refused = bought({"_fbp": FBP}, "woocommerce_before_pay_action", before={"consent": "denied"})
    assert refused["meta"] == told["meta"]


@pytest.mark.parametrize("paid_ago", [None, 2 * 86_400])
def test_the_pixel_hears_nothing_of_what_is_paid_at_the_door_and_of_a_page_that_is_opened_again_days_after(paid_ago):
    """Meta knows a second copy for two days. An order in work that is paid on delivery has no date of payment."""
    assert bought({}, paid_ago=paid_ago)["printed"]["woocommerce_thankyou"] == ""


def test_who_was_not_asked_leaves_no_cookie_in_the_order_and_an_unpaid_order_tells_the_pixel_nothing():
    told = bought({"_fbp": FBP, "cmplz_marketing": "<b>"}, paid=False)
    assert told["meta"] == [] and told["printed"]["woocommerce_thankyou"] == ""


def test_the_tag_is_one_that_a_relay_serves_and_asks_the_banner_as_the_page_on_browsers_says():
    tag = bought({})["printed"]["wp_head"]
    (file,) = re.findall(r'src="https://relay\.shop\.example/([\w.-]+)"', tag)
    assert (ROOT / "src" / file).is_file()
    known = (ROOT / "docs/browser.md").read_text("utf-8")
    for condition in re.findall(r'data-consent-\w+="(.+?)"', tag):
        assert f"`{condition}`" in known


def test_a_shop_that_asks_nobody_keeps_the_visit_and_holds_nothing(tmp_path):
    file = tmp_path / "conversion-relay.php"
    file.write_text(FILE.read_text().replace("= 'cmplz_marketing';", "= '';"))
    told = bought({"_fbp": FBP}, file=file)
    assert [one["key"] for one in told["meta"]] == ["_fbp"] and "data-consent" not in told["printed"]["wp_head"]
