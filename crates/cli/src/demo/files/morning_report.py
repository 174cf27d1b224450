"""The workflow of the demo. It knows nothing of organizations: the imports decide."""

from bifrost import context, log, workflow
from shared import halopsa, ninja


@workflow
def morning_report(service: str) -> dict:
    """What is open this morning, and on how many devices.

    Args:
        service: Address of the ticket system.
    """
    customer = context.organization.slug
    tickets = halopsa.open_tickets(service, customer)
    devices = ninja.devices(service, customer)
    log.info(f"{len(tickets)} open tickets, {len(devices)} devices")
    return {
        "halopsa": halopsa.EDITION,
        "tickets": [halopsa.summary(ticket) for ticket in tickets],
        "devices": len(devices),
    }


@workflow
def close_ticket(ticket: int) -> str:
    """Closes a ticket."""
    return halopsa.summary({"id": ticket})
