"""`python -m tests.documents` writes the reference anew; `python -m tests.documents site [FOLDER]` builds the site."""

import sys
from pathlib import Path

from tests.documents import reference, site

if __name__ == "__main__":
    if sys.argv[1:2] == ["site"]:
        print(site.build(Path(sys.argv[2] if len(sys.argv) > 2 else site.FOLDER)))
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        for path in reference.write():
            print(path)
