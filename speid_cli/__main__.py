"""``python -m speid_cli`` is ``speid``."""

import sys

from speid_cli.cli import main

if __name__ == "__main__":
    sys.exit(main())
