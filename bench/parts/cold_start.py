"""A Lambda function's first answer, from the start of the process: CPU, beside the least that hashes and posts."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Thread

from bench import cold_start
from bench.part import Comparison, Contestant, Form, Found, Part
from tests.aws.deployment import build

LIMIT, OURS = "limit: msgspec, SHA-256, http.client", "ours: accepts, signs, puts into SQS"
REQUESTS, FACEBOOK = "requests, one line", "facebook-business"
FULL_ONLY = "left out of the quick form, which installs nothing"


def contestants(form: Form) -> list[Contestant]:
    missing = FULL_ONLY if form.is_quick else ""
    return [
        Contestant(LIMIT, lambda: measured("least")),
        Contestant(OURS, lambda: measured(cold_start.NAME)),
        Contestant(REQUESTS, lambda: measured("one_line"), missing),
        Contestant(FACEBOOK, lambda: measured("facebook"), missing),
    ]


@cache
def package(module: str) -> bytes:
    """The zip of a function; pip installs what peers need into it, once."""
    ours = (build() / f"{cold_start.NAME}.zip").read_bytes()
    match module:
        case "least":
            return cold_start.without_ours(ours, module, cold_start.LEAST)
        case "one_line":
            return cold_start.packed(module, cold_start.REQUESTS, "requests")
        case "facebook":
            return cold_start.packed(module, cold_start.FACEBOOK, "facebook-business==26.0.3")
    return ours


def measured(module: str) -> Found:
    code = package(module)
    with _answers() as url:
        ms, mb = cold_start.first_answer(module, code, url)
    return {"ms": ms, "peak_mb": mb, "zip_kb": len(code) / 1024}


@contextmanager
def _answers() -> Iterator[str]:
    answers = cold_start.Answers(("127.0.0.1", 0), cold_start.Yes)
    Thread(target=answers.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{answers.server_port}"
    answers.shutdown()
    answers.server_close()


def _line(label: str, name: str) -> Comparison:
    return Comparison(label=label, of=(name, "ms"), baseline=(LIMIT, "ms"))


PART = Part(
    name="cold_start",
    title="cold start: CPU ms to the first answer",
    contestants=contestants,
    comparisons=(
        _line("CPU to a function's first answer", OURS),
        _line("peer: requests and one line", REQUESTS),
        _line("peer: Meta's Python SDK", FACEBOOK),
    ),
    watched=((LIMIT, "ms"),),
)
