"""What others use for the same work. A peer that is not installed here is left out, and its row says how to install it.

python -m bench.peers       makes `.bench/venv` with facebook-business and FastAPI, and installs Meta's Node SDK
"""

import shutil
import sys
from functools import cache
from importlib.util import find_spec

from bench.rounds import FOLDER, ROOT

VENV = FOLDER / "venv"
NODE = ROOT / "tests" / "node"
PACKAGES = ("facebook-business==26.0.3", "fastapi", "uvicorn[standard]", "msgspec")
HOW = "not installed: python -m bench.peers"


@cache
def python() -> str:
    """The interpreter that has facebook-business."""
    own = VENV / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def no_facebook() -> str:
    """Why Meta's Python SDK cannot run here; empty when it can."""
    return "" if python() != sys.executable or find_spec("facebook_business") else HOW


def no_fastapi() -> str:
    return "" if python() != sys.executable or find_spec("fastapi") else HOW


def no_node() -> str:
    if not shutil.which("node"):
        return "not installed: Node.js (Debian: apt-get install nodejs npm), then python -m bench.peers"
    return "" if (NODE / "node_modules" / "facebook-nodejs-business-sdk").exists() else HOW
