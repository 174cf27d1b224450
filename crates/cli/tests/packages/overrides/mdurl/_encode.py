"""Appended to the global file: spaces become plus signs."""

OVERRIDE = "acme"
_encode = encode


def encode(string, *args, **kwargs):
    return _encode(string.replace(" ", "+"), *args, **kwargs)
