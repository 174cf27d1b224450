"""Appended to the global file: a domain of the organization's own."""

OVERRIDE = "acme"
_encode = encode


def encode(s, *args, **kwargs):
    return _encode(s.replace("größe", "acme"), *args, **kwargs)
