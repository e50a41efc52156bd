"""The page's script from the relay itself: whole, cacheable, and such that a page of another origin may pin it."""

import base64
import gzip
import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from conversion_relay import Relay, Settings, cli
from conversion_relay.collector.app import create_app
from conversion_relay.collector.scripts import scripts
from tests import asgi

ROOT = Path(__file__).parents[2]
PATHS = [path for path in (ROOT / "src").glob("meta-tracking*") if path.suffix in {".js", ".ts"}]
BUILT = {path.name: path.read_bytes() for path in PATHS}
"""Without the module (.mjs, .d.mts), which a bundler takes from npm."""
TYPES = {".js": "text/javascript; charset=utf-8", ".ts": "application/typescript; charset=utf-8"}


@pytest.fixture
def app(tmp_path):
    told = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAA", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    with Relay(Settings.from_env(told)) as relay:
        yield create_app(relay)


def get(app, path: str, **more) -> asgi.Answer:
    return asgi.ask(app, path, method="GET", **more)


@pytest.mark.parametrize("name", BUILT)
def test_each_file_of_src_is_served_to_every_origin(app, name):
    answer = get(app, f"/{name}")
    assert (answer.status, answer.body) == (200, BUILT[name])
    assert answer.headers["content-type"] == TYPES[Path(name).suffix]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert int(answer.headers["content-length"]) == len(BUILT[name])


def test_a_browser_that_reads_gzip_gets_gzip_of_the_same_bytes(app):
    answer = get(app, "/meta-tracking.min.js", accept_encoding="gzip, br")
    assert answer.headers["content-encoding"] == "gzip" and answer.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.body) == BUILT["meta-tracking.min.js"]


def test_what_a_browser_has_already_is_not_sent_again(app):
    for more in ({}, {"accept_encoding": "gzip"}):
        first = get(app, "/meta-tracking.js", **more)
        again = get(app, "/meta-tracking.js", if_none_match=first.headers["etag"], **more)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert get(app, "/meta-tracking.js", if_none_match='"other"', **more).status == 200


def test_only_the_address_with_its_own_version_is_kept_for_ever(app):
    version = scripts()["meta-tracking.js"].version
    assert get(app, "/meta-tracking.js", query=f"v={version}").headers["cache-control"].endswith("immutable")
    for query in ("", "v=", "v=000000000000"):
        assert get(app, "/meta-tracking.js", query=query).headers["cache-control"] == "public, max-age=3600"


def test_a_head_has_no_body_and_a_post_is_refused(app):
    head = asgi.ask(app, "/meta-tracking.js", method="HEAD")
    assert (head.status, head.body) == (200, b"") and head.headers["content-length"] != "0"
    assert asgi.ask(app, "/meta-tracking.js").status == 405


def test_the_verb_tells_hashes_that_are_those_of_what_is_served(app):
    (row,) = [row for row in json.loads(run("--json")) if row["name"] == "meta-tracking.min.js"]
    path, _, query = row["path"].partition("?")
    answer = get(app, path, query=query)
    digest = base64.b64encode(hashlib.sha384(answer.body).digest()).decode()
    assert row["integrity"] == f"sha384-{digest}" and "immutable" in answer.headers["cache-control"]
    assert f'integrity="sha384-{digest}" crossorigin' in run("--relay", "https://relay.shop.example/")


def test_the_tag_of_the_mirror_mirrors():
    tags = re.findall(r"<script .*?>", run(), re.DOTALL)
    assert [("mirror.min.js" in tag, " data-mirror" in tag) for tag in tags] == [(False, False), (True, True)]


def test_the_verb_writes_the_files_where_they_are_wanted(tmp_path):
    run("--to", str(tmp_path / "static"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "static").iterdir()} == BUILT


def test_the_wheel_holds_each_of_them():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    listed = {source: target for source, target in wheel["force-include"].items() if "meta-tracking" in source}
    assert listed == {f"src/{name}": f"conversion_relay/collector/scripts/{name}" for name in BUILT}


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli.verbs, ["scripts", *arguments])
    assert done.exit_code == 0, done.output
    return done.output
