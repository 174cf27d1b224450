"""Appended to the global file: tables are drawn in ASCII."""

OVERRIDE = "acme"
HEAVY_HEAD = ASCII
