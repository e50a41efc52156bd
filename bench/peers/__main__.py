"""Installs the peers of the bench; neither the product nor its tests need them."""

import shutil
import subprocess
import sys

from bench.peers import NODE, PACKAGES, VENV


def main() -> None:
    if not VENV.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    if shutil.which("npm"):
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=NODE, check=True)
    print(f"installed: {', '.join(PACKAGES)}" + ("; Meta's Node SDK" if shutil.which("npm") else "; no npm here"))


if __name__ == "__main__":
    main()
