"""Appended to the global file: apostrophes by name."""

OVERRIDE = "acme"
_escape = _escape_inner


def _escape_inner(s):
    return _escape(s).replace("&#39;", "&apos;")
