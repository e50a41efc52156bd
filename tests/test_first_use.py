"""Two threads that use a Struct for the first time at the same moment crash CPython (msgspec 0.22): none may."""

import ast
import subprocess
import sys

import pytest

from tests import rooms

FILES = sorted(path for path in rooms.PACKAGE.rglob("*.py") if "tables" not in path.parts)
BURST = """
import gc, sys, threading
gc.set_threshold(50, 2, 2)
sys.setswitchinterval(1e-6)
from conversion_relay.payments import stripe
from tests.payments.signing import stripe_header

body = b'{"type": "checkout.session.completed", "data": {"object": {"payment_status": "unpaid"}}}'
headers = {"stripe-signature": stripe_header(body, "secret", 100)}
together = threading.Barrier(8)


def notice():
    together.wait()
    stripe.verify(body, headers, ["secret"], 100.0)
    stripe.read(body)


threads = [threading.Thread(target=notice) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


DECODES = ("msgspec.json.decode", "msgspec.msgpack.decode")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(rooms.PACKAGE)))
def test_no_type_is_described_while_a_request_is_read(path):
    """`msgspec.json.decode(..., type=X)`, or msgpack's, describes X at its first call, a decoder at import."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in DECODES:
            assert "type" not in {keyword.arg for keyword in node.keywords}, node.lineno


def test_a_burst_of_first_webhooks_is_survived():
    for _ in range(5):
        subprocess.run([sys.executable, "-c", BURST], cwd=rooms.ROOT, check=True, timeout=60)


def test_what_is_converted_is_described_at_import_too():
    """`msgspec.convert` has no decoder to make beforehand, so who uses it is known, and makes one of each kind."""
    users = {
        path.name for path in FILES if "msgspec.convert(" in path.read_text("utf-8") and path.parent.name != "expect"
    }
    known = {"web.py", "visitor.py", "examine.py", "custom_data.py", "built.py", "view_content.py", "visitors.py"}
    known |= {"normalize.py"}  # a command of one thread, and its decoder is made at import
    assert users == known
    assert " = msgspec.json.Decoder(Clean)" in (rooms.PACKAGE / "intake/custom_data.py").read_text("utf-8")
    assert "msgspec.json.Decoder(VisitorBody)" in (rooms.PACKAGE / "collector/visitors.py").read_text("utf-8")
    for name in ("course_site/contact", "course_site/registration", "course_site/visitor", "intake/view_content"):
        text = (rooms.PACKAGE / f"{name}.py").read_text("utf-8")
        assert "\nmsgspec.json.Decoder(" in text, name
