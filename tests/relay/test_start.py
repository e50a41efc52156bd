"""What a program with two lines of ours pays for at its start: counted, since a clock says how busy the machine is."""

import json
import os
import subprocess
import sys

PROGRAM = """
import re, sys
compiled, compile_it = [], re.compile

def noted(pattern, flags=0):
    if sys._getframe(1).f_globals["__name__"].startswith("conversion_relay"):
        compiled.append(pattern if isinstance(pattern, str) else pattern.decode())
    return compile_it(pattern, flags)

re.compile = noted
from conversion_relay import CustomData, Event, Relay, RequestFacts, UserData
at_import, modules = list(compiled), sorted(sys.modules)
jane = UserData(email="jane@shop.example", phone="+1 650 555 1212", first_name="Jane", city="Berlin", country="de")
worth = CustomData(value=9.5, currency="EUR", content_name="Kurs", order_id="1001")
at = "https://shop.example/checkout?utm_source=a"
cookies = "_fbp=fb.1.1596403881668.1116446470"
facts = RequestFacts.from_headers({"User-Agent": "Mozilla/5.0", "Cookie": cookies, "Referer": at}, "198.51.100.7")
with Relay.from_env() as relay:
    event = Event(event_name="Purchase", event_id="purchase_1", event_source_url=at, user_data=jane, custom_data=worth)
    assert relay.track(event, facts).dropped == ()
import json
print(json.dumps([at_import, compiled[len(at_import):], modules]))
"""
LOGGING = "import logging, sys; print(*sys.modules)"
"""What Python's own log needs is no choice of ours: with 3.14 that is `dataclasses`."""
NOT_AT_THE_START = {
    *("apsw", "argon2", "asyncio", "click", "concurrent.futures", "crawlerdetect", "dataclasses", "difflib", "email"),
    *("http.client", "jinja2", "json", "litestar", "pathlib", "phonenumbers", "psycopg", "rich", "socket", "sqlite3"),
    *("ssl", "subprocess", "tempfile", "tomllib", "urllib.request", "uvicorn"),
}
"""Each of these is needed by some programs, later or never."""
ROOMS_OF_OTHERS = ("aws", "cli", "collector", "course_site", "dashboard", "delivery", "emulator", "frameworks")
COMPILED_AT_MOST = 33


def started(folder) -> tuple[list[str], list[str], set[str]]:
    """(expressions compiled by the import, by the first event, modules that the import loaded beside the log's)"""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("META_", "RELAY_"))}
    env |= {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    at_import, at_first, modules = json.loads(done.stdout)
    logging = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True)
    return at_import, at_first, set(modules) - set(logging.stdout.split())


def test_an_import_loads_and_compiles_only_what_every_event_needs(tmp_path):
    at_import, at_first, modules = started(tmp_path)
    assert modules & NOT_AT_THE_START == set()
    assert not [name for name in modules if name.startswith(tuple(f"conversion_relay.{r}" for r in ROOMS_OF_OTHERS))]
    assert len(at_import) <= COMPILED_AT_MOST, "an expression that few events need is `patterns.seldom`"
    assert len(at_first) <= 1, "what every event needs is compiled before the first visitor comes"
