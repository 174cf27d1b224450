"""HaloPSA, as Acme has it: their on-call team goes by urgency."""

import json
import urllib.request

EDITION = "Acme's own"


def open_tickets(service: str, customer: str) -> list[dict]:
    """Tickets of a customer that are not closed, the most urgent first."""
    with urllib.request.urlopen(f"{service}/tickets?customer={customer}", timeout=10) as reply:
        return sorted(json.load(reply), key=lambda ticket: -ticket["urgency"])


def summary(ticket: dict) -> str:
    """One line about a ticket."""
    return f"[urgency {ticket['urgency']}] #{ticket['id']} {ticket['subject']}"
