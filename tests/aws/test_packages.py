"""The zips as they are built: the same bytes each time, small, complete, and nothing of another machine in them."""

import ast
import json
import os
import subprocess
import zipfile

import pytest

from tests.aws.deployment import ROOT, build

pytestmark = pytest.mark.xdist_group("aws")
LAMBDA = ROOT / "lambda"
MOST_BYTES = 1_150_000
"""Half of it is bytecode, which grows by a seventh from one Python to the next (3.14)."""


def test_two_builds_are_equal_to_the_byte_and_small():
    def packages() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((LAMBDA / "dist").glob("*.zip"))}

    build()
    first = packages()
    build.cache_clear()
    build()
    assert packages() == first and len(first) == 5
    assert max(map(len, first.values())) < MOST_BYTES


def test_a_package_holds_what_runs_and_nothing_else():
    names = zipfile.ZipFile(build() / "view-content-handler.zip").namelist()
    assert {name.split("/")[0] for name in names} == {
        "__pycache__",
        "aws_request_signer",
        "conversion_relay",
        "meta_conversions_api.py",
        "msgspec",
        "phonenumbers",
        "view-content-handler.py",
    }
    assert not [name for name in names if "emulator" in name or "sqlite" in name or "dashboard" in name]


OF_A_MACHINE = {
    "PIP_USER": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_PREFIX": "/nowhere",
    "PYTHONOPTIMIZE": "1",
    "PYTHONPYCACHEPREFIX": "pyc",
    "CDPATH": "/",
}
"""What people have in their environment, and no package may show."""


def test_a_package_for_another_processor_holds_its_libraries(tmp_path):
    """Built beside, so that the tests that run the zips keep theirs."""
    copy = tmp_path / "a folder/lambda"
    copy.mkdir(parents=True)
    for path in [*LAMBDA.glob("*.py"), *LAMBDA.glob("*.sh"), LAMBDA / "requirements.txt"]:
        (copy / path.name).write_bytes(path.read_bytes())
        (copy / path.name).chmod(path.stat().st_mode)
    (copy.parent / "conversion_relay").symlink_to(ROOT / "conversion_relay")
    command = ["lambda/build_lambda_package.sh", "--arch", "arm64"]
    environ = os.environ | OF_A_MACHINE
    subprocess.run(command, cwd=copy.parent, env=environ, check=True, capture_output=True, umask=0o077)
    assert (copy / "dist/deliver-handler.zip").stat().st_size < MOST_BYTES  # for Lambda's runtime, where it is here
    package = zipfile.ZipFile(copy / "dist/deliver-handler.zip")
    (library,) = [name for name in package.namelist() if name.endswith(".so")]
    assert "aarch64" in library and package.read(library)[18:20] == b"\xb7\x00"
    facades = [name for name in package.namelist() if name.startswith("__pycache__/meta_conversions_api.cpython-")]
    has_bytecode = "conversion_relay/__init__.pyc" in package.namelist()  # where the runtime's Python is here
    assert json.loads((copy / "dist/built.json").read_text("utf-8")) == {"architecture": "arm64", "python": "3.13"}
    assert len(facades) == has_bytecode and "opt-" not in str(facades)
    assert {entry.external_attr >> 16 for entry in package.infolist()} == {0o100644}


def test_the_python_that_builds_may_be_older_than_the_functions():
    """AWS's own Linux has 3.9. Its grammar takes the script, and no annotation of a newer kind is looked at."""
    script = (LAMBDA / "build_lambda_package.py").read_text("utf-8")
    _, future, *_ = ast.parse(script, feature_version=(3, 8)).body
    assert isinstance(future, ast.ImportFrom) and future.names[0].name == "annotations"
    assert "--ignore-requires-python" in script, "pip before 24 asks another Python's wheel whether it runs here"
