"""A visit: address, browser, click, and the URL that an advertisement led to."""

import random
from typing import NamedTuple
from urllib.parse import quote

from bench.traffic.browsers import browser
from bench.traffic.draws import common_first, digits, letters, rank, weighted

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Visit(NamedTuple):
    address: str
    browser: str
    url: str
    referrer: str | None
    fbc: str | None
    fbp: str


def visit(draw: random.Random, at: int) -> Visit:
    """Half came by an advertisement at some time. Only the page on which they landed has the campaign in its URL."""
    click = _click_id(draw) if draw.random() < 0.55 else None
    is_landing = draw.random() < (0.45 if click else 0.15)
    since = at * 1000 - rank(draw, 86_400_000)
    url = _url(draw, click if is_landing else None, is_campaign=is_landing and draw.random() < 0.85)
    if is_landing:
        referrer = draw.choice(["https://l.facebook.com/", "https://m.facebook.com/", "http://instagram.com/", None])
    else:
        referrer = _url(draw, click if draw.random() < 0.3 else None, is_campaign=draw.random() < 0.2)
    return Visit(
        address=_address(draw),
        browser=browser(draw),
        url=url,
        referrer=referrer if draw.random() < 0.5 else None,
        fbc=f"fb.1.{since}.{click}" if click and draw.random() < 0.9 else None,
        fbp=f"fb.1.{since - rank(draw, 10**10)}.{draw.randrange(10**8, 10**10)}",
    )


def _click_id(draw: random.Random) -> str:
    return f"{draw.choice(['IwAR', 'IwY2xjaw', 'PAZXh0bgNhZW0', 'Iw'])}{letters(draw, draw.randrange(50, 140), BASE64)}"


def _address(draw: random.Random) -> str:
    """A third of the world comes by IPv6. Carriers put many visitors behind one network."""
    network = random.Random(rank(draw, 40_000))
    if draw.random() < 0.35:
        head = (
            f"{network.choice(['2a02', '2600', '2401', '2804', '2a01', '2001'])}:{network.randrange(0x4A0, 0xFFFF):x}"
        )
        groups = [f"{draw.getrandbits(16):x}" for _ in range(6)]
        if draw.random() < 0.3:
            return f"{head}:{groups[0]}::{groups[1]}"
        text = ":".join([head, *groups])
        return text.upper() if draw.random() < 0.05 else text
    first = network.choice([n for n in range(2, 223) if n not in (10, 100, 127, 169, 172, 192, 198, 203)])
    return f"{first}.{network.randrange(256)}.{network.randrange(256)}.{draw.randrange(1, 255)}"


HOSTS = [
    "www.atelier-nord.example",
    "shop.lumen.example",
    "tienda.sol.example",
    "xn--bcher-kva.example",
    "m.harbour.example",
]
CAMPAIGNS = [
    "Spring Sale",
    "Été & Soleil",
    "Retargeting | 30d",
    "LAL 1%",
    "Winter/Deals",
    "夏のセール",
    "Ноябрь",
    "BF-2026 (50% off)",
]


def _url(draw: random.Random, click: str | None, *, is_campaign: bool) -> str:
    """As advertisements make them: macros, twice encoded values, a fragment now and then."""
    number = rank(draw, 20_000)
    paths = [
        f"/p/{number}",
        f"/en/products/item-{number}.html",
        f"/{quote('größe')}/{number}",
        f"/c/{rank(draw, 300)}/p{number}/",
        "/",
    ]
    query = _campaign(draw) if is_campaign else []
    if click:
        query.insert(draw.randrange(len(query) + 1), f"fbclid={click}")
    if draw.random() < 0.2:
        query.append(
            draw.choice(
                [f"variant={digits(draw, 11)}", "size=M%2FL", "color=rosé", "ref=", "q=a+b%20c", "_pos=1&_sid=%zz"]
            )
        )
    fragment = draw.choice(["#reviews", "#/cart?step=2", "#:~:text=free%20shipping"]) if draw.random() < 0.06 else ""
    page = f"https://{common_first(draw, HOSTS)}{common_first(draw, paths)}"
    return f"{page}{'?' if query else ''}{'&'.join(query)}{fragment}"


def _campaign(draw: random.Random) -> list[str]:
    name = f"{common_first(draw, CAMPAIGNS)} {rank(draw, 400)}"
    encoded = weighted(
        draw,
        {
            quote(name): 50,
            name.replace(" ", "+"): 20,
            quote(quote(name)): 10,
            quote(name, safe="|/&()").replace("%20", "+"): 20,
        },
    )
    encoded = encoded.replace("&", "%26").replace(" ", "%20")
    pairs = [
        f"utm_source={draw.choice(['facebook', 'fb', 'ig', 'an', 'Facebook_Mobile_Feed'])}",
        "utm_medium=paid_social",
        f"utm_campaign={encoded}",
    ]
    if draw.random() < 0.7:
        pairs += [f"utm_content=12{digits(draw, 15)}", f"utm_term=12{digits(draw, 15)}"]
    if draw.random() < 0.3:
        pairs += [
            f"ad_id={{{{ad.id}}}}&placement={draw.choice(['Facebook_Reels', 'Instagram_Stories', '{{placement}}'])}"
        ]
    if draw.random() < 0.05:
        pairs.append(f"gclid={letters(draw, 55, BASE64)}")
    return pairs
