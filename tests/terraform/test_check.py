"""The deployment steps of docs/aws.md against the stand-in; the same as `make tf-check`."""

import os
import shutil

import pytest

from tests.terraform import check


@pytest.mark.xdist_group("aws")
@pytest.mark.timeout(900)
def test_it_applies_works_changes_nothing_more_and_is_destroyed():
    if not shutil.which("terraform"):
        if os.environ.get("CI"):
            pytest.fail("CI needs terraform")
        pytest.skip("terraform is not installed")
    check.main()
