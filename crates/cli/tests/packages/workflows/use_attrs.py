"""Classes of attrs, by both of its names."""

import pickle

import attr
import attrs

from bifrost import workflow
from workflows.marks import marked


def _positive(instance: object, attribute: attrs.Attribute, value: int) -> None:
    if value <= 0:
        raise ValueError(f"{attribute.name} must be positive")


@attrs.define(order=True)
class Ticket:
    """Validated, converted, with slots."""

    number: int = attrs.field(validator=[attrs.validators.instance_of(int), _positive])
    urgent: bool = attrs.field(default=False, converter=attrs.converters.to_bool)
    tags: list[str] = attrs.field(factory=list)


@attr.s(frozen=True)
class Old:
    """In the old spelling."""

    name = attr.ib(converter=str.upper)


def refused(make) -> str:
    """What attrs says."""
    try:
        make()
    except Exception as error:
        return f"{type(error).__name__}: {error.args[0]}"
    return "nothing was refused"


@workflow
def use_attrs() -> dict:
    """Instances, comparisons and refusals."""
    ticket = Ticket(7, "yes", ["a"])
    return {
        "marked": marked(),
        "ticket": attrs.asdict(ticket),
        "shown": repr(attrs.evolve(ticket, number=8)),
        "pickled": pickle.loads(pickle.dumps(ticket)) == ticket,
        "ordered": Ticket(1) < ticket and not hasattr(ticket, "__dict__"),
        "type": refused(lambda: Ticket("seven")),
        "value": refused(lambda: Ticket(-1)),
        "frozen": refused(lambda: setattr(Old("a"), "name", "b")),
        "old": Old("x").name,
        "yes_in_german": refused(lambda: Ticket(1, "jawohl")),
    }
