"""``python -m mskseg``: the command line where no ``mskseg`` script is on the path."""

import sys

from mskseg.cli.main import main

sys.exit(main())
