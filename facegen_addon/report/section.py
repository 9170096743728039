# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents of a chapter of the report: words, tables, pictures and the bare figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Cells are text; the first column names the row. `note` stands below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def markdown(self) -> str:
        """The table as Markdown, its title in bold above."""
        lines = [f"**{self.title}**", "", _line(self.columns), "|---" * len(self.columns) + "|"]
        lines += [_line(row) for row in self.rows]
        if self.note:
            lines += ["", self.note]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Figure:
    """A picture as HTML (an inline SVG of plots.py, or an <img> with a data: address)."""

    caption: str
    html: str


@dataclass(frozen=True)
class Section:
    """One chapter. `data` is plain data for report.json; `key` names it there."""

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)

    def markdown(self) -> str:
        """The chapter as Markdown, without its figures."""
        parts = [f"## {self.title}\n", *(f"{text}\n" for text in self.paragraphs)]
        return "\n".join([*parts, *(table.markdown() for table in self.tables)])


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
