"""HaloPSA, as every customer gets it."""

import json
import urllib.request

EDITION = "global"


def open_tickets(service: str, customer: str) -> list[dict]:
    """Tickets of a customer that are not closed."""
    with urllib.request.urlopen(f"{service}/tickets?customer={customer}", timeout=10) as reply:
        return json.load(reply)


def summary(ticket: dict) -> str:
    """One line about a ticket."""
    return f"#{ticket['id']} {ticket['subject']}"
