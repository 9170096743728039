# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the documentation's tables of options, from the fields by which requests are declared:

.venv/bin/python -m tools.option_tables

A page says by `<!-- options of COMMAND -->` where a table is; a test compares it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batch.dataset.options import DatasetOptions
from batch.field_options import said
from batch.measure_options import MeasureOptions
from batch.options import GenerateOptions
from facegen_addon.request_fields import (
    REQUIRED,
    FilePaths,
    OneOf,
    RequestField,
    Switch,
    WholeNumber,
    fields_of,
)
from facegen_addon.terminal.process import run_process

REQUESTS: Mapping[str, type] = {
    "generate": GenerateOptions,
    "measure": MeasureOptions,
    "dataset make": DatasetOptions,
}
"""Command -> the request whose fields are its options."""
PROJECT = Path(__file__).resolve().parents[1]
PAGES = ("docs/command_line.md", "docs/farm.md")

_ANY = 2**31 - 2
"""What is as large as Blender can keep is no bound to speak of."""
_TABLE = re.compile(r"(?<=<!-- options of )([a-z ]+)( -->\n)((?:\|.*\n)*)")


def main() -> int:
    """Write the tables of all pages."""
    for page in PAGES:
        path = PROJECT / page
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def with_tables(page: str) -> str:
    """A page with each of its tables of options made anew."""
    return _TABLE.sub(lambda found: f"{found[1]}{found[2]}{option_table(found[1])}", page)


def option_table(command: str) -> str:
    """The table of a command's options, in Markdown."""
    rows = [_row(field) for field in fields_of(REQUESTS[command])]
    return "".join(f"{row}\n" for row in ("| option | meaning | default |", "|---|---|---|", *rows))


def _row(field: RequestField) -> str:
    cells = (_option(field), _meaning(field), field.unset or _default(field.default))
    escaped = [f" {cell} ".replace("|", r"\|") if cell else " " for cell in cells]
    return f"|{'|'.join(escaped)}|"


def _option(field: RequestField) -> str:
    if isinstance(field, Switch) and field.default:
        return f"`{field.option}`, `--no-{field.option.removeprefix('--')}`"
    words = [field.option, *([field.metavar] if field.metavar else [])]
    return f"`{' '.join(words)}{' ...' if isinstance(field, FilePaths) else ''}`"


def _meaning(field: RequestField) -> str:
    if isinstance(field, OneOf):
        return f"{field.help}: {field.explained('`')}"
    if isinstance(field, WholeNumber):
        return f"{field.help}, {_range(field)}"
    return said(field)


def _range(field: WholeNumber) -> str:
    return f"{field.low} or more" if field.high >= _ANY else f"{field.low} to {field.high:,}"


def _default(value: Any) -> str:
    if value is REQUIRED:
        return "must be given"
    if value is None or value is False or value == ():
        return ""
    if value is True:
        return "yes"
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else f"`{value}`"


if __name__ == "__main__":
    run_process(main, "option_tables")
