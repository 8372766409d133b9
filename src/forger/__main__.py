"""`python -m forger`, which is also how the other ranks of a distributed run are started."""

import sys

from forger.cli import main

if __name__ == "__main__":
    sys.exit(main())
