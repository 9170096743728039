# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML page that needs no other file, and as Markdown."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

from .section import Figure, Section, Table

_STYLE = Path(__file__).with_name("style.css")
_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FaceGen: $title</title>
<style>
$style
main { max-width: 1560px; } h3 { font-size: 15px; margin: 18px 0 4px; }
section > p, .note { max-width: 900px; }
table { font-size: 13px; width: auto; } th, td { padding: 4px 7px; }
thead th { white-space: normal; vertical-align: bottom; }
tbody td:first-child { min-width: 230px; }
nav a { color: var(--s2); margin-right: 16px; }
figure { margin: 18px 0 0; max-width: 760px; } figcaption { color: var(--soft); font-size: 14px; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="lead">Every figure that speaks of heads is of rendered heads, unless its chapter says that
nothing is rendered there, or its column that it is the surrogates' opinion.$note</p>
<nav>$contents</nav>
$sections
</main>
</body>
</html>
""")


def style() -> str:
    """The style sheet of all pages."""
    return _STYLE.read_text("utf-8")


def page(title: str, sections: Sequence[Section], note: str = "") -> str:
    """The whole page; `note` is about all of its chapters."""
    return _PAGE.substitute(
        title=html.escape(title),
        style=style(),
        note=f" {html.escape(note)}" if note else "",
        contents="".join(
            f'<a href="#{section.key}">{html.escape(section.title)}</a>' for section in sections
        ),
        sections="\n".join(_section(section) for section in sections),
    )


def markdown(title: str, sections: Sequence[Section], note: str = "") -> str:
    """The chapters as Markdown, without figures."""
    notes = [f"{note}\n"] if note else []
    return "\n".join([f"# {title}\n", *notes, *(section.markdown() for section in sections)])


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    parts += [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
    parts += [_table(table) for table in section.tables]
    parts += [_figure(figure) for figure in section.figures]
    return f'<section id="{section.key}">{"".join(parts)}</section>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    note = f'<p class="note">{html.escape(table.note)}</p>' if table.note else ""
    return (
        f'<h3>{html.escape(table.title)}</h3><div class="scroll"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>{note}"
    )


def _figure(figure: Figure) -> str:
    return f"<figure>{figure.html}<figcaption>{html.escape(figure.caption)}</figcaption></figure>"
