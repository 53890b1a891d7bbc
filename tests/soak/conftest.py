"""The long tests use the recipes and scripts of tests/python/zoo."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "python" / "zoo"))
sys.path.insert(0, str(Path(__file__).parent))
