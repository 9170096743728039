# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation: its links lead somewhere, its code runs, its first page is short."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import option_tables

PAGES = ("*.md", "docs/**/*.md")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```", re.M | re.S)


def _pages(project: Path) -> list[Path]:
    return sorted(page for pattern in PAGES for page in project.glob(pattern))


def _anchors(page: Path) -> set[str]:
    """What a link may name behind #, in the form that GitHub gives its headings."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _broken(page: Path) -> Iterator[str]:
    for target in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            yield f"{page.name} -> {target}"


def test_every_link_leads_somewhere(project: Path) -> None:
    pages = _pages(project)
    assert len(pages) > 20
    assert [broken for page in pages for broken in _broken(page)] == []


@pytest.mark.parametrize("link", ["(none.md)", "(#nowhere)", "(page.md#nowhere)"])
def test_the_check_sees_a_broken_link(tmp_path: Path, link: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A title\n[fine](#a-title) [broken]{link}\n```\n[code](none.md)\n```\n")
    assert len(list(_broken(page))) == 1


def test_every_picture_and_page_of_the_documentation_is_linked(project: Path) -> None:
    pages = _pages(project)
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in pages
        for target in _LINK.findall(page.read_text(encoding="utf-8"))
        if not target.startswith("http")
    }
    there = [*(project / "docs").rglob("*.png"), *(project / "docs").rglob("*.md")]
    assert [file.name for file in sorted(there) if file.resolve() not in linked] == []


def test_the_front_page_is_short(project: Path) -> None:
    assert len((project / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_tables_of_options_are_those_of_the_requests(project: Path) -> None:
    """`.venv/bin/python -m tools.option_tables` writes them."""
    texts = [(project / page).read_text(encoding="utf-8") for page in option_tables.PAGES]
    assert [option_tables.with_tables(text) for text in texts] == texts
    marks = re.findall(r"^<!-- options of (.*) -->$", "\n".join(texts), re.M)
    assert sorted(marks) == sorted(option_tables.REQUESTS)


def test_a_table_of_options_that_has_aged_is_made_anew() -> None:
    aged = "<!-- options of generate -->\n| option |\n|---|\n| `--colour` |\n\nText | after.\n"
    made = option_tables.with_tables(aged)
    assert "| `--count` | heads, 1 to 10,000 | 16 |\n" in made
    assert "| `--shard-size` " not in made and "--colour" not in made
    assert made.endswith("|\n\nText | after.\n")


def _blocks(project: Path) -> list[str]:
    text = (project / "docs/api.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.mark.parametrize("block", range(7))
def test_the_code_of_the_librarys_page_runs(project: Path, block: int) -> None:
    blocks = _blocks(project)
    assert len(blocks) == 7
    if "import bpy" in blocks[block]:
        pytest.importorskip("bpy").ops.wm.read_factory_settings(use_empty=True)
    exec(compile(blocks[block], f"docs/api.md, block {block}", "exec"), {})
