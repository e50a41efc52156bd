"""The bench of the script waits for its pages: a busy machine makes it slower, and nothing else."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench import browser

pytestmark = pytest.mark.xdist_group("bench")


class Late(dict):
    """Scripts that come long after the page and what follows them in it."""

    def __getitem__(self, name):
        time.sleep(3 * browser.QUIET)
        return super().__getitem__(name)


def test_a_page_whose_script_comes_late_is_measured_all_the_same():
    scripts = Late(empty=browser.EMPTY, least=browser.LEAST)
    with ThreadPoolExecutor() as threads:  # in this one a browser's test may have left a loop running
        times = threads.submit(browser._measure, scripts, 2).result()
    assert {name: len(pages) for name, pages in times.items()} == {"empty": 2, "least": 2}
    assert all(whole > call > 0 for pages in times.values() for whole, call in pages)
