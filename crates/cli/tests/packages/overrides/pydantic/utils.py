"""Appended to the global file: generated names begin with the organization's."""

OVERRIDE = "acme"
_to_camel = to_camel


def to_camel(string):
    return "Acme" + _to_camel(string)
