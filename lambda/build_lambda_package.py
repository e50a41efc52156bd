"""The zips for AWS Lambda: one for each function, the same bytes on every machine.

In each: its handler, meta_conversions_api.py, what of conversion_relay runs on Lambda, and the wheels of
requirements.txt for the function's processor.

Any Python from 3.8 on builds them: that of AWS's own Linux is older than the functions'.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "conversion_relay"
DIST = HERE / "dist"
FUNCTIONS = ("registration-handler", "contact-handler", "payment-webhook", "view-content-handler", "deliver-handler")
NOT_ON_LAMBDA = ("emulator", "dashboard", "collector", "cli", "frameworks", "facebook_business", "pages", "__pycache__")
NOT_NEEDED = ("sqlite", "postgres", "advice.py", "examine.py", "worker.py",
              "app.py", "checkout.py", "registrations.py", "settings_watch.py", "generate.py",
              "alone.py", "attention.py", "installation.py", "sign_of_life.py", "remedies.py",
              "quality.py", "export.py", "notify.py", "audit.py", "dataset_quality.py",
              "background.py", "in_test.py", "counting.py", "lanes.py", "answer.py", "event_names.py",
              "__main__.py")  # fmt: skip
NOT_CALLED = ("asyoutypeformatter", "phonenumbermatcher", "shortnumberinfo")
PLATFORMS = {"arm64": "aarch64", "x86_64": "x86_64"}
MACHINES = {"arm64": "arm64", "aarch64": "arm64", "x86_64": "x86_64", "AMD64": "x86_64"}
ELF_MACHINE = {"arm64": 183, "x86_64": 62}
SAME_TIME = (1980, 1, 1, 0, 0, 0)
# What people set for their environments, by a variable or in pip's file; here nothing is installed into one.
ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
NO_ENVIRONMENT = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the Lambda packages into dist/.")
    parser.add_argument("--arch", choices=PLATFORMS, default="arm64", help="processor of the functions")
    parser.add_argument("--python", default="3.13", help="Lambda's runtime")
    parser.add_argument("--check", action="store_true", help="run every zip once it is built")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        common = Path(folder, "common")
        _install(common, options.arch, options.python)
        _copy_package(common)
        _compile(common, options.python)
        DIST.mkdir(exist_ok=True)
        for name in FUNCTIONS:
            size = _zip(common, HERE / f"{name}.py", DIST / f"{name}.zip")
            print(f"dist/{name}.zip  {size / 1024:.0f} kB  {options.arch}, python{options.python}")
    # Terraform compares it with the functions': with another one none of them starts.
    built = {"architecture": options.arch, "python": options.python}
    (DIST / "built.json").write_text(json.dumps(built), "utf-8")
    if options.check:
        _check(options.arch, options.python)


def _install(target: Path, arch: str, python: str) -> None:
    """Wheels alone: nothing is compiled, and nothing of a package runs on this machine."""
    if importlib.util.find_spec("pip") is None:
        raise SystemExit(
            "pip is needed: python3 -m ensurepip, or Debian's python3-pip; with uv alone, instead of this script:\n"
            f"uv run --no-project --with pip python {HERE.name}/{Path(__file__).name}"
        )
    platforms = [f"manylinux{version}_{PLATFORMS[arch]}" for version in ("2014", "_2_17", "_2_28")]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary=:all:", "--implementation=cp", f"--python-version={python}", "--no-compile",
               "--ignore-requires-python",  # older pips ask it of the Python that builds; the wheels are pinned
               *(f"--platform={name}" for name in platforms),
               f"--target={target}", f"--requirement={HERE / 'requirements.txt'}"]  # fmt: skip
    environ = {**{name: value for name, value in os.environ.items() if name not in ELSEWHERE}, **NO_ENVIRONMENT}
    if subprocess.run(command, env=environ, check=False).returncode:
        raise SystemExit("the wheels of requirements.txt could not be installed; pip says why above")
    for extra in (*target.glob("*.dist-info"), target / "bin"):
        shutil.rmtree(extra, ignore_errors=True)
    for unused in (
        "phonenumbers/shortdata",
        *(f"phonenumbers/{name}.py" for name in ("carrier", "geocoder", "prefix", "timezone", *NOT_CALLED)),
        "phonenumbers/data/alt_format_*",
        "aws_request_signer/requests.py",
        *(f"msgspec/{name}.py" for name in ("inspect", "_json_schema", "toml", "yaml")),
        "**/*.pyi",
        "**/py.typed",
    ):
        for path in target.glob(unused):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    # For numbers in a text and short ones, which nothing here looks for: an eighth of a package, 49 files to import.
    names = target / "phonenumbers/__init__.py"
    imports = rf"^from \.(?:{'|'.join(NOT_CALLED)}) import (?:\([^)]*\)|.*)\n"
    names.write_text(re.sub(imports, "", names.read_text("utf-8"), flags=re.MULTILINE), "utf-8")
    _without_lines(target / "phonenumbers/data/__init__.py", "PHONE_ALT_FORMAT_", more="_ALT_NUMBER_FORMATS = {}")
    # A line about the file, and numbers to show how some look: an eighth of what 254 regions take.
    for region in target.glob("phonenumbers/data/region_*.py"):
        written = region.read_text("utf-8")
        shortened = re.sub(r'\A"""[^"]*"""\n' r"|, example_number='[0-9]*'", "", written)
        region.write_text(shortened, "utf-8")
    # For describing types to others: two files, which every cold start would import.
    _without_lines(target / "msgspec/__init__.py", "import inspect,", more="from . import json, msgpack, structs")
    _without_lines(target / "msgspec/json.py", "from ._json_schema import")
    for library in target.rglob("*.so"):
        if int.from_bytes(library.read_bytes()[18:20], "little") != ELF_MACHINE[arch]:
            raise SystemExit(f"{library.name} is not for {arch}")


def _without_lines(file: Path, *marks: str, more: str = "") -> None:
    kept = [line for line in file.read_text("utf-8").splitlines() if not any(mark in line for mark in marks)]
    file.write_text("\n".join([*kept, more, ""]), "utf-8")


def _copy_package(target: Path) -> None:
    def leave(_: str, names: list[str]) -> set[str]:
        return {name for name in names if name in NOT_ON_LAMBDA or name.startswith(NOT_NEEDED)}

    shutil.copytree(PACKAGE, target / PACKAGE.name, ignore=leave)
    shutil.copyfile(HERE / "meta_conversions_api.py", target / "meta_conversions_api.py")


def _compile(target: Path, python: str) -> None:
    """Bytecode halves a cold start, but only that of the runtime's own version is read. The sources then stay at home,
    but for a country's phone numbers, of which a call reads one."""
    interpreter = _interpreter(python)
    if interpreter is None:
        print(f"without bytecode: there is no python{python} here, so functions will start more slowly")
        return
    # Without columns: a traceback marks them beneath a line of the source, and no source is in the package. Isolated:
    # where bytecode goes, and of which kind it is, is not for this machine's environment to say.
    command = [interpreter, "-I", "-OO", "-X", "no_debug_ranges", "-m", "compileall", "-q", "-b", "-j1",
               "--invalidation-mode=unchecked-hash", "-x", "region_|meta_conversions_api",
               "-s", str(target), "-p", "/var/task", str(target)]  # fmt: skip
    subprocess.run(command, check=True)
    # The seed's file stays readable in the package; its bytecode stands beside it.
    facade = [interpreter, "-I", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", "-s", str(target),
              "-p", "/var/task", str(target / "meta_conversions_api.py")]  # fmt: skip
    subprocess.run(facade, check=True)
    for source in target.rglob("*.py"):
        if source.with_suffix(".pyc").exists():
            source.unlink()


def _interpreter(python: str) -> str | None:
    """Of this very version; a name on the path may be pyenv's shim, which leads nowhere for a version not chosen."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    kept = (*pyenv.glob(f"{python}.*/bin/python{python}"), *uv.glob(f"cpython-{python}.*/bin/python{python}"))
    for found in (shutil.which(f"python{python}"), *kept):
        if found and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
            return str(found)
    return None


def _zip(common: Path, handler: Path, target: Path) -> int:
    """Files in the order of their names, all of one time and mode."""
    files = {path.relative_to(common).as_posix(): path for path in common.rglob("*") if path.is_file()}
    files[handler.name] = handler
    unfinished = target.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, SAME_TIME)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, files[name].read_bytes())
    unfinished.replace(target)  # whoever uploads meanwhile reads the old package or the new one
    return target.stat().st_size


def _check(arch: str, python: str) -> None:
    """Every function answers a call that is none, from what its zip holds and nothing else."""
    interpreter = _interpreter(python)
    if MACHINES.get(platform.machine()) != arch or interpreter is None:
        print(f"not checked: this machine cannot run {arch} with python{python}")
        return
    call = (
        "import importlib, sys; sys.path.insert(0, '.'); import phonenumbers;"
        " answer = importlib.import_module(sys.argv[1]).lambda_handler({'event_type': 'x'});"
        " sys.exit(answer.get('field') != 'event_type')"
    )
    for name in FUNCTIONS:
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(DIST / f"{name}.zip") as package:
                package.extractall(folder)
            if subprocess.run([interpreter, "-I", "-S", "-c", call, name], cwd=folder, check=False).returncode:
                raise SystemExit(f"dist/{name}.zip does not run")
    print(f"{len(FUNCTIONS)} functions run")


if __name__ == "__main__":
    main()
