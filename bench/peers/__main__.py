"""Installs the peers of the bench; neither the product nor its tests need them."""

import shutil
import subprocess
import sys

from bench.peers import NODE, PACKAGES, VENV, no_node


def main() -> None:
    if not VENV.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    if no_node() and shutil.which("npm"):
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=NODE, check=True)
    print(f"peers of the bench: {', '.join(PACKAGES)}; {no_node() or 'facebook-nodejs-business-sdk'}")


if __name__ == "__main__":
    main()
