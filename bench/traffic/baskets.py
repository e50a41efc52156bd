"""What was looked at or bought: nothing to twenty lines, and the events that tell of it."""

import random
from typing import Any

from bench.traffic.draws import common_first, digits, letters, rank, weighted

EVENT_NAMES = {
    "PageView": 30,
    "ViewContent": 26,
    "AddToCart": 9,
    "Search": 6,
    "Purchase": 7,
    "InitiateCheckout": 5,
    "Lead": 4,
    "CompleteRegistration": 3,
    "Contact": 2,
    "AddPaymentInfo": 2,
    "Subscribe": 1,
    "AddToWishlist": 1,
    "Quiz finished": 2,
    "scroll_75": 2,
}
WITH_MONEY = {"Purchase", "InitiateCheckout", "AddToCart", "AddPaymentInfo", "Subscribe"}
TITLES = [
    "Linen shirt",
    "Candle “Nº 5”",
    "Kaffeemühle",
    "Tapis berbère 120×180",
    "抹茶碗",
    "Шапка",
    "USB-C hub 7-in-1",
    "Ceramic mug",
]


def custom_data(draw: random.Random, name: str, currency: str) -> dict[str, Any] | None:
    """Of an event of this name; None for pages that tell nothing."""
    if name in {"PageView", "Contact", "scroll_75"} and draw.random() < 0.8:
        return None
    lines = contents(draw, name)
    given: dict[str, Any] = {}
    if lines:
        given |= {"content_type": draw.choice(["product", "product", "product_group"]), "contents": lines}
        given["content_ids"] = [line["id"] for line in lines]
    if name in WITH_MONEY or (lines and draw.random() < 0.6):
        value = (
            sum(line.get("item_price", 9.9) * line["quantity"] for line in lines) or draw.randrange(100, 90_000) / 100
        )
        given |= {"value": round(value, 2), "currency": weighted(draw, {currency: 85, currency.lower(): 15})}
    if name == "Purchase":
        given |= {
            "order_id": f"{draw.choice(['', '#', 'SO-'])}{digits(draw, draw.randrange(5, 10))}",
            "num_items": len(lines),
        }
    if name == "Search":
        given["search_string"] = common_first(draw, [*TITLES, "gift under 50", "größe 43", "xl"])
    if draw.random() < 0.4:
        given["content_name"] = f"{common_first(draw, TITLES)} {rank(draw, 900)}"
        given["content_category"] = draw.choice(["Home & Living > Kitchen", "apparel", "Sale", "Électroménager"])
    if draw.random() < 0.2:
        given |= {"customer_type": draw.choice(["new", "returning"]), "theme": letters(draw, 6, "abcdef")}
    return given or None


def contents(draw: random.Random, name: str) -> list[dict[str, Any]]:
    """0 to 20 lines; most baskets hold one or two things."""
    if name in {"Purchase", "InitiateCheckout"}:
        n = min(20, 1 + rank(draw, 20))
    else:
        n = weighted(draw, {0: 40, 1: 50, 4: 6, 12: 4}) if name != "ViewContent" else 1
    return [_line(draw) for _ in range(n)]


def _line(draw: random.Random) -> dict[str, Any]:
    number = rank(draw, 30_000)
    line: dict[str, Any] = {"id": draw.choice([f"sku-{number}", f"{44_000_000_000 + number}", f"A{number:06d}/bl"])}
    line["quantity"] = 1 + rank(draw, 5)
    if draw.random() < 0.85:
        line["item_price"] = draw.randrange(99, 60_000) / 100
    if draw.random() < 0.1:
        line |= {"title": common_first(draw, TITLES), "brand": draw.choice(["Lumen", "Nord", "Sól"])}
    return line
