"""Appended to the global file: a filter behaves differently."""

OVERRIDE = "acme"
FILTERS["title"] = lambda value: f"ACME {do_title(value)}"
