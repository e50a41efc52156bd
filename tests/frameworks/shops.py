"""The shops of examples/, each with one way to check out, in this process or as real processes."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
FBP = "fb.1.1596403881668.1116446470"
HEADERS = {"User-Agent": AGENT, "Cookie": f"_fbp={FBP}; marketing=granted", "Referer": "https://shop.example/cart"}


def load(name: str) -> ModuleType:
    """The shop's module by its folder; each is called shop.py, so none goes into sys.modules under that name."""
    path = EXAMPLES / name / "shop.py"
    spec = importlib.util.spec_from_file_location(f"examples_{name}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def set_up_django(database: Path) -> None:
    """Once in a process; its settings are global.

    The database is a file: Django keeps connections apart by whether a loop runs in their thread, as Playwright's does
    from its first test on, and each connection to `:memory:` would be a database without tables.
    """
    import django

    sys.path.append(str(EXAMPLES / "django_shop"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    os.environ["SHOP_DATABASE"] = str(database)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright leaves a running loop in the thread of its tests
    django.setup()
    # Read by now; programs that other tests start must not take themselves for Django's.
    del os.environ["DJANGO_SETTINGS_MODULE"], os.environ["SHOP_DATABASE"]
