"""`python -m dispatcher.sandbox` runs the pretend vendors."""

import sys

from dispatcher.sandbox.process import main

sys.exit(main())
