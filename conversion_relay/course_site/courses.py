"""What is for sale in the demo."""

from decimal import Decimal

import msgspec


class Course(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    title: str
    category: str
    summary: str
    lessons: tuple[str, ...]
    price: Decimal
    """In the currency's major unit."""
    currency: str

    @property
    def shown_price(self) -> str:
        return f"{self.price:,} {self.currency}"


COURSES = {
    course.id: course
    for course in (
        Course(
            id="watercolour",
            title="Watercolour Landscapes",
            category="painting",
            summary="Six weekends from a blank sheet to light on water: washes, edges, and when to stop.",
            lessons=(
                "Washes and wet edges",
                "Skies in one go",
                "Water without blue",
                "Trees as shapes",
                "A day outside",
            ),
            price=Decimal("299.99"),
            currency="USD",
        ),
        Course(
            id="sourdough",
            title="Sourdough at Home",
            category="cooking",
            summary="Flour, water, patience. A starter of your own and a loaf a week that you would pay for.",
            lessons=("A starter from nothing", "Dough by feel", "Shaping", "Scoring and steam", "Rye"),
            price=Decimal("149.00"),
            currency="EUR",
        ),
        Course(
            id="kintsugi",
            title="Kintsugi: Mending with Gold",
            category="crafts",
            summary="Broken bowls made whole, with the crack for an ornament. Lacquer, patience, and a little gold.",
            lessons=("Reading a break", "Urushi lacquer", "Fitting and filling", "Gold", "Care"),
            price=Decimal("12000"),
            currency="JPY",
        ),
    )
}
