"""What a customer may import: it is there, it is what it says, and it costs nothing until it is used."""

import importlib
import json
import pydoc
import subprocess
import sys

import pytest

ROOMS = ("conversion_relay", "conversion_relay.aws", "conversion_relay.payments", "conversion_relay.webhooks")
HEAVY = ("urllib3", "apsw", "click", "rich", "litestar", "botocore", "phonenumbers", "sqlite3", "jinja2")


def names() -> list[tuple[str, str]]:
    return [(room, name) for room in ROOMS for name in importlib.import_module(room).__all__]


@pytest.mark.parametrize(("room", "name"), names(), ids=[f"{room}.{name}" for room, name in names()])
def test_a_public_name_is_there_and_says_what_it_is(room, name):
    found = getattr(importlib.import_module(room), name)
    assert found.__doc__ or isinstance(found, str | tuple)
    assert not name.startswith("_")


@pytest.mark.parametrize("room", ROOMS)
def test_help_can_be_asked_of_a_room_and_of_each_of_its_names(room):
    module = importlib.import_module(room)
    for found in (module, *(getattr(module, name) for name in module.__all__)):
        if isinstance(found, str | tuple):  # a constant
            continue
        assert pydoc.render_doc(found, renderer=pydoc.plaintext)


@pytest.mark.parametrize("room", ROOMS)
def test_a_shell_completes_the_names_that_are_not_loaded_yet(room):
    code = f"import {room} as room; raise SystemExit(not set(room.__all__) <= set(dir(room)))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("room", ROOMS)
def test_a_name_that_is_not_public_is_an_attribute_error_that_names_it(room):
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(importlib.import_module(room), "no_such_name")  # noqa: B009


def loaded_by(program: str) -> set[str]:
    """Names of all modules that this program loads, in a process of its own."""
    code = f"{program}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "program",
    [
        "import conversion_relay, conversion_relay.aws, conversion_relay.payments",
        "from conversion_relay import Event, Relay, Settings, for_purchase, request_facts",
        "from conversion_relay.aws import AwsCalls, http_answer, http_request",
        "from conversion_relay.payments import verify",
        "import conversion_relay.course_site.on_lambda, conversion_relay.course_site.on_aws",
    ],
)
def test_what_is_not_used_is_not_loaded(program):
    """A Lambda function that only accepts must not pay for the client that sends, nor for the other endpoints."""
    loaded = loaded_by(program)
    assert loaded.isdisjoint(HEAVY)
    assert not [
        name for name in loaded if name.startswith(("conversion_relay.delivery.t", "conversion_relay.emulator"))
    ]


def test_the_routes_of_the_site_load_their_own_endpoint_alone():
    endpoints = {
        f"conversion_relay.course_site.{name}" for name in ("registration", "contact", "payment", "view_content")
    }
    assert loaded_by("import conversion_relay.course_site.site").isdisjoint(endpoints)
