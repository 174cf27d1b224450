"""Renders templates that are data files of the workspace package `reports`."""

import gzip
import json
from importlib.resources import files

import jinja2
import markupsafe

from bifrost import workflow
from workflows.marks import marked


def template(name: str) -> str | None:
    """A template's text, for `FunctionLoader`."""
    file = files("reports") / "templates" / name
    return file.read_text() if file.is_file() else None


def package_loader() -> str:
    """Jinja's own loader looks for a directory on disk, and says so where there is none."""
    try:
        jinja2.PackageLoader("reports")
    except ValueError as error:
        return str(error)
    return "works"


def failure(environment: jinja2.Environment) -> list:
    """Where a template fails."""
    try:
        environment.from_string("a\n{{ nothing.here }}").render()
    except jinja2.UndefinedError as error:
        return [str(error), error.__traceback__.tb_next.tb_next.tb_next.tb_lineno]
    return []


@workflow
def use_jinja() -> dict:
    """A page that extends another, filters, escapes, loops and macros."""
    loader = jinja2.FunctionLoader(template)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    page = environment.get_template("summary.html")
    return {
        "marked": marked(),
        "page": page.render(title="it's <late>", tickets=[{"id": 1}, {"id": 2}]),
        "native": markupsafe._escape_inner.__module__,
        "binary": json.loads(gzip.decompress((files("reports") / "packed.json.gz").read_bytes())),
        "failure": failure(environment),
        "package_loader": package_loader(),
    }
