"""The parts of the bench, in the order in which they run."""

from importlib import import_module

from bench.part import Part

NAMES = (
    "seal",
    "ingest",
    "hang",
    "bulk",
    "deliver",
    "end_to_end",
    "cold_start",
    "claim",
    "datasets",
    "tails",
    "memory",
    "outbox",
    "browser",
    "pages",
    "held",
)


def part(name: str) -> Part:
    """Imported when it is asked for: some need what is not installed everywhere."""
    found: Part = import_module(f"bench.parts.{name}").PART
    return found
