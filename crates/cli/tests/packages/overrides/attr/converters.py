"""Appended to the global file: German answers count too."""

OVERRIDE = "acme"
_to_bool = to_bool


def to_bool(val):
    return val == "jawohl" or _to_bool(val)
