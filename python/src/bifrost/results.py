"""`results`: what a workflow returns for people to read: tables, markdown, images, files.

Anything else that a workflow returns is JSON. Several at once are `many(…)`, or a list of them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike
    from typing import Any

__all__ = ["Result", "table", "markdown", "image", "file", "many"]

TABLE = "application/vnd.bifrost.table+json"
MANY = "application/vnd.bifrost.results+json"
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TYPES = {
    "csv": "text/csv",
    "gif": "image/gif",
    "htm": "text/html",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "webp": "image/webp",
    "xml": "application/xml",
    "zip": "application/zip",
}


class Result:
    """One result with its content type."""

    __slots__ = ("type", "value", "content", "name")

    def __init__(
        self,
        type: str,
        value: Any = None,
        content: bytes | str | PathLike[str] | None = None,
        name: str | None = None,
    ) -> None:
        self.type = type
        self.value = value
        self.content = content
        self.name = name

    def __repr__(self) -> str:
        return f"<Result {self.type}>" if self.name is None else f"<Result {self.type} {self.name}>"


def table(
    rows: Iterable[Mapping[str, Any] | Sequence[Any]], columns: Sequence[str] | None = None
) -> Result:
    """Rows and columns. Without `columns` the rows are mappings, whose keys they are."""
    rows = list(rows)
    if columns is None:
        names: dict[str, None] = {}
        for row in rows:
            if isinstance(row, (str, bytes)) or not hasattr(row, "keys"):
                raise TypeError("rows that are no mappings need `columns`")
            names.update(dict.fromkeys(map(str, row.keys())))
        columns = list(names)
    cells = [_cells(row, list(columns), number) for number, row in enumerate(rows)]
    return Result(TABLE, {"columns": list(columns), "rows": cells})


def _cells(row: Any, columns: list[str], number: int) -> list[Any]:
    if hasattr(row, "keys"):
        return [row.get(name) for name in columns]
    cells = list(row)
    if len(cells) != len(columns):
        raise ValueError(f"row {number} has {len(cells)} cells for {len(columns)} columns")
    return cells


def markdown(text: str) -> Result:
    """Text in Markdown; HTML in it is not shown as such."""
    return Result("text/markdown", str(text))


def image(content: bytes, type: str = "image/png", name: str | None = None) -> Result:
    """A picture: PNG, JPEG, GIF or WebP."""
    if type not in _IMAGES:
        raise ValueError(f"an image is {', '.join(_IMAGES[:-1])} or {_IMAGES[-1]}, not {type!r}")
    return Result(type, content=bytes(content), name=name or f"image.{type.partition('/')[2]}")


def file(name: str, content: bytes | str | PathLike[str], type: str | None = None) -> Result:
    """A file to download: its content as bytes, or the path of one that the run has written."""
    if type is None:
        type = _TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    return Result(type, content=content, name=name)


def many(*results: Any) -> Result:
    """Several results, one below the other."""
    return Result(MANY, list(results))
