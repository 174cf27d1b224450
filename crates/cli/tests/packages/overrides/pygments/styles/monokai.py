"""Appended to the global file: another background."""

OVERRIDE = "acme"
MonokaiStyle.background_color = "#acacac"
