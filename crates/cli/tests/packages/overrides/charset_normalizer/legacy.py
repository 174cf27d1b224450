"""Appended to the global file: the answer names the organization."""

OVERRIDE = "acme"
_detect = detect


def detect(*args, **kwargs):
    return {**_detect(*args, **kwargs), "language": "Acmeish"}
