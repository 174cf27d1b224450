"""Models of pydantic 1, with typing_extensions below it."""

import datetime
from decimal import Decimal
from typing import Optional

import pydantic
from pydantic.utils import to_camel
from typing_extensions import Annotated, Literal

from bifrost import workflow
from workflows.marks import marked


class Line(pydantic.BaseModel):
    """A part of an invoice."""

    text: pydantic.constr(strip_whitespace=True, min_length=1)
    price: Annotated[Decimal, pydantic.Field(gt=0)]


class Invoice(pydantic.BaseModel):
    """Nested, with a validator and generated aliases."""

    due_date: datetime.date
    kind: Literal["invoice", "credit"] = "invoice"
    lines: list[Line]
    sent_by: Optional[str] = None

    class Config:
        """Names in JSON are in camel case."""

        alias_generator = to_camel
        allow_population_by_field_name = True

    @pydantic.validator("lines")
    def not_empty(cls, value: list) -> list:
        """An invoice has lines."""
        if not value:
            raise ValueError("an invoice has lines")
        return value


@pydantic.dataclasses.dataclass
class Point:
    """Converted on the way in."""

    x: int


@workflow
def use_pydantic() -> dict:
    """A model, its JSON, its schema and its refusals."""
    line = {"text": " paper ", "price": "2.50"}
    invoice = Invoice(due_date="2026-01-31", lines=[line])
    return {
        "marked": marked(),
        "compiled": pydantic.compiled,
        "model": invoice.dict(),
        "json": invoice.json(by_alias=True, exclude_none=True),
        "schema": sorted(Invoice.schema()["properties"]),
        "point": Point("4").x,
        "errors": errors({"due_date": "soon", "kind": "gift", "lines": [{"text": "", "price": 0}]}),
        "empty": errors({"due_date": "2026-01-31", "lines": []}),
    }


def errors(data: dict) -> list:
    """Where and why pydantic refuses the data."""
    try:
        Invoice(**data)
    except pydantic.ValidationError as error:
        return [[*each["loc"], each["type"]] for each in error.errors()]
    return []
