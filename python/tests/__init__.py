"""Tests of the runtime and the SDK.

Run: `python3 -m unittest discover -s python/tests -t python`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
