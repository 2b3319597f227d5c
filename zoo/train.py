"""python -m zoo.train: the command `zoo train`, under the name that people type."""

import sys

from zoo.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
