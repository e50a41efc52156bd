"""Nothing here may be imported by the tests' own process: the doubles take the place of threads and clocks for good."""

from pathlib import Path

collect_ignore = [path.name for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_")]
