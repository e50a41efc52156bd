"""A shell completes verbs and options, as docs/operations.md says."""

import os
import subprocess
import sys

MAIN = "import sys; sys.argv = ['conversion-relay']; from conversion_relay.cli import main; main()"


def completed(words: str, verb: str = "bash_complete") -> str:
    asked = {"_CONVERSION_RELAY_COMPLETE": verb, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", MAIN], env=os.environ | asked, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


def test_verbs_and_their_options_are_completed():
    assert {"plain,expect", "plain,explain"} <= set(completed("conversion-relay exp").splitlines())
    assert "plain,--junit" in completed("conversion-relay expect --j")


def test_the_line_for_a_shells_profile_prints_its_script():
    assert "_CONVERSION_RELAY_COMPLETE=bash_complete" in completed("", "bash_source")
