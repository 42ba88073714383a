"""Where the modules lie that the tests of faults share with others."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in (".", "scenarios", "load")]
