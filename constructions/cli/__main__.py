"""`python -m constructions.cli` is the `lrnn` command."""

import sys

from constructions.cli import main

sys.exit(main())
