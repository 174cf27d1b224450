"""Appended to the global file: addresses may leave the organization open."""

OVERRIDE = "acme"
_parse_url = parse_url


def parse_url(url):
    return _parse_url(url.replace("{organization}", "acme"))
