"""The tests of this folder share calls.py and start the scripts beside it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
