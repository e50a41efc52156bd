"""Several datasets from one file of settings, for the tests of copies."""

from typing import Any

from conversion_relay.settings import Settings

BRAND, AGENCY, MARKET = "101", "202", "303"
SHOP = "https://shop.example"
KEY = "brand-key-with-many-letters"


def table(pixel_id: str, *lines: str) -> str:
    return "\n".join(
        ["[[dataset]]", f'META_PIXEL_ID = "{pixel_id}"', f'META_ACCESS_TOKEN = "EAA{pixel_id}"', *lines, ""]
    )


def brand(*lines: str, copies: str = f'["{AGENCY}"]') -> str:
    """The shop's own: it has the key and the origin, and the agency gets copies."""
    doors = (f'RELAY_ALLOWED_ORIGINS = "{SHOP}"', f'RELAY_API_KEYS = "{KEY}"', f"RELAY_COPIES_TO = {copies}")
    return table(BRAND, *doors, *lines)


def settings(folder: Any, *tables: str, top: str = "", **environ: str) -> Settings:
    place = folder / "relay.toml"
    place.write_text("\n".join([top, *tables]), "utf-8")
    told = {"RELAY_CONFIG": str(place), "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db", "RELAY_BALLAST": "false"}
    return Settings.from_env(told | environ)
