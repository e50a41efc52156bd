"""The shape of a shop's plugin: digests, and about each page its title, its addresses and what the site knows of the
visitor; nulls where there is nothing.

Written after events of four other people's shapes had cost five times as much as those of the first two: campaigns with
brackets and dashes, unfilled templates, URLs and emoji among properties, paths in any alphabet.
"""

import random
from typing import Any
from urllib.parse import quote, quote_plus

from bench.traffic.baskets import EVENT_NAMES, TITLES, WITH_MONEY, contents
from bench.traffic.container import digests
from bench.traffic.draws import common_first, letters, rank, weighted
from bench.traffic.people import person
from bench.traffic.visits import BASE64, visit

SITES = ["https://academy.example", "https://www.kurse.example", "https://boutique.example"]
COURSES = [
    *TITLES,
    "Python für Einsteiger (2025)",
    "SQL & Data: From Zero to Hero",
    "Yoga – 10 Wochen 🔥",
    "Masterclass “Copywriting”…",
    "Curso de Excel avançado",
    "マーケティング講座",
]
CAMPAIGNS = ["[EU] Prospecting – LAL 1% | Purchase", "{{campaign.name}}", "Black-Friday", "Kurs: Neu → -20%", "C++ <3"]


def plugin_event(draw: random.Random, event_id: str, now: float) -> dict[str, Any]:
    name = weighted(draw, EVENT_NAMES)
    who, at = person(draw), int(now) - rank(draw, 80_000)
    seen = visit(draw, at)
    title, page = common_first(draw, COURSES), _page(draw)
    user = {"client_user_agent": seen.browser, "client_ip_address": seen.address, "fbp": seen.fbp, "fbc": seen.fbc}
    if draw.random() < 0.5:
        user |= digests(draw, who)
    custom: dict[str, Any] = {
        "page_title": f"{title} – Academy",
        "post_type": draw.choice(["page", "product", "post"]),
        "post_id": rank(draw, 90_000),
        "user_role": weighted(draw, {"guest": 80, "customer": 15, "subscriber": 5}),
        "event_hour": f"{rank(draw, 24)}-{rank(draw, 24)}",
        "event_url": page.partition("://")[2].partition("?")[0],
        "landing_page": _page(draw),
        "traffic_source": draw.choice(["direct", "facebook.com", "google.com"]),
        "category_name": draw.choice([None, "Kurse, Online", "Home & Living > Kitchen"]),
    }
    if name in WITH_MONEY or name == "ViewContent":
        lines = contents(draw, name)
        custom |= {"content_name": title, "content_type": "product", "contents": lines, "num_items": len(lines)}
        value = sum(line.get("item_price", 9.9) * line["quantity"] for line in lines) or 9.9
        custom |= {
            "value": f"{value:.2f}" if draw.random() < 0.3 else round(value, 2),
            "currency": who.country.currency,
        }
        custom |= {"predicted_ltv": None, "order_id": f"R-{rank(draw, 90_000)}" if name == "Purchase" else None}
    event = {"event_name": name, "event_time": at, "event_id": event_id, "action_source": "website"}
    return event | {"event_source_url": page, "user_data": user, "custom_data": custom}


def _page(draw: random.Random) -> str:
    path = f"/{quote(common_first(draw, COURSES).lower().replace(' ', '-'), safe='')}-{rank(draw, 900)}/"
    if draw.random() < 0.5:
        return common_first(draw, SITES) + path
    encode = draw.choice([quote, quote_plus])
    query = [f"utm_source={draw.choice(['fb', 'ig', 'newsletter'])}", f"utm_campaign={encode(draw.choice(CAMPAIGNS))}"]
    if draw.random() < 0.5:
        query.append(f"fbclid=IwAR{letters(draw, 60, BASE64)}")
    return f"{common_first(draw, SITES)}{path}?{'&'.join(query)}"
