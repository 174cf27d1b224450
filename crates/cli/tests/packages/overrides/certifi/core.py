"""Appended to the global file: says whose list of authorities it is."""

OVERRIDE = "acme"
_contents = contents


def contents():
    return "# Acme's list\n" + _contents()
