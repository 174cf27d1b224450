"""Whose modules are in the process."""

import sys


def marked() -> list[str]:
    """Modules that an override has put its mark into."""
    # `requests.packages` gives modules a second name.
    return sorted({each.__name__ for each in sys.modules.values() if "OVERRIDE" in vars(each)})
