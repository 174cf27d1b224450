"""The modules that benchmarks import: sources as people write them."""

from __future__ import annotations


def long_module(number: int) -> str:
    """Some eighty lines: constants, functions, a class."""
    lines = [
        f'"""Module {number} of the benchmark."""',
        "",
        f"LIMIT = {number}",
        'NAMES = ("first", "second", "third")',
        f'URL = "https://example.test/{number}"',
        "",
    ]
    for index in range(5):
        lines += _step(index)
    return "\n".join(lines + _client(number)) + "\n"


def short_module(owner: int, number: int) -> str:
    """Some thirty lines, other ones for each owner."""
    lines = [
        f'"""Part {number} of the tools of organization {owner}."""',
        "",
        f"OWNER = {owner}",
        f"LIMIT = {number}",
        "",
    ]
    return "\n".join(lines + _step(number) + _client(number)[:16]) + "\n"


def packages(modules: int) -> dict[str, bytes]:
    """Ten packages that share long modules, by path."""
    files = {f"pack{number}/__init__.py": b"" for number in range(10)}
    for number in range(modules - len(files)):
        files[f"pack{number % 10}/mod{number}.py"] = long_module(number).encode()
    return files


def _step(index: int) -> list[str]:
    return [
        f"def step_{index}(items, limit=LIMIT, *, strict=False):",
        f'    """Step {index}."""',
        "    found = []",
        "    for position, item in enumerate(items):",
        "        if strict and item is None:",
        f'            raise ValueError(f"nothing at {{position}} in step {index}")',
        "        if position >= limit:",
        "            break",
        "        found.append((position, item))",
        "    return found",
        "",
    ]


def _client(number: int) -> list[str]:
    return [
        f"class Client{number}:",
        '    """Talks to nothing."""',
        "",
        "    retries = 3",
        "",
        '    def __init__(self, url="https://example.test"):',
        "        self.url = url",
        "        self.calls = 0",
        "",
        "    def call(self, path):",
        "        self.calls += 1",
        '        return f"{self.url}/{path}"',
        "",
        "    @property",
        "    def busy(self):",
        "        return self.calls > 0",
    ]
