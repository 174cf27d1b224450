"""Appended to the global file: ampersands are spelled out."""

OVERRIDE = "acme"
_escapeHtml = escapeHtml


def escapeHtml(raw):
    return _escapeHtml(raw.replace("&", "and"))
