"""Draws with rich, which draws on pygments, markdown_it and mdurl."""

import io

from markdown_it import MarkdownIt
from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax
from rich.table import Table

from bifrost import workflow
from workflows.marks import marked


def drawn(thing: object, **options: object) -> str:
    """What a console of 24 columns would show."""
    console = Console(file=io.StringIO(), width=24, **options)
    console.print(thing)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


@workflow
def use_rich() -> dict:
    """A table, coloured code and Markdown."""
    table = Table(title="Tickets")
    table.add_column("Id", justify="right")
    table.add_column("Subject")
    table.add_row("7", "[b]Printer[/b] :fire:")
    code = Syntax("def f(x): return x + 1", "python", theme="monokai")
    return {
        "table": drawn(table),
        "code": drawn(code),
        "background": code._theme.get_background_style().bgcolor.triplet.hex,
        "coloured": "\x1b[" in drawn(code, force_terminal=True, color_system="truecolor"),
        "markdown": drawn(Markdown("# Head\n\n* one\n* two")),
        "html": MarkdownIt("js-default", {"linkify": False}).render("a & b [c](<d e>)"),
        "marked": marked(),
    }
