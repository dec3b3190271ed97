"""``python -m mskseg``: the command line where no ``mskseg`` script is on the path."""

import sys

from mskseg.cli.main import main

if __name__ == "__main__":  # a worker that is spawned imports this module too
    sys.exit(main())
