# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrows between rooms: ui -> scene -> mapping -> latent, heads; scene -> labels -> heads."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ALLOWED = {
    "heads": set(),
    "latent": set(),
    "labels": {"heads"},
    "mapping": {"heads", "latent"},
    "scene": {"heads", "labels", "latent", "mapping"},
    "ui": {"heads", "labels", "latent", "mapping", "scene"},
}

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
for banned in sys.argv[3].split(","):
    sys.modules[banned] = None  # `import banned` now raises ImportError
room = importlib.import_module("facegen_addon." + sys.argv[2])
for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    importlib.import_module(module.name)
"""


def _relative_imports(source: Path, package: Path) -> Iterator[str]:
    """Rooms (or modules) of the add-on that a file imports by relative imports."""
    depth = len(source.relative_to(package).parts)
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            if node.module:
                yield node.module.split(".")[0]
            else:
                yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("room", ALLOWED)
def test_arrows_run_one_way(project: Path, room: str) -> None:
    package = project / "facegen_addon"
    if not (package / room).is_dir():
        pytest.skip(f"no room {room}")
    for source in (package / room).rglob("*.py"):
        foreign = set(_relative_imports(source, package)) & (ALLOWED.keys() - {room})
        assert foreign <= ALLOWED[room], f"{source} imports {foreign - ALLOWED[room]}"


@pytest.mark.parametrize("source", ["from ..scene import render", "from .. import scene"])
def test_the_arrow_check_sees_a_wrong_import(tmp_path: Path, source: str) -> None:
    (tmp_path / "heads").mkdir()
    file = tmp_path / "heads" / "wrong.py"
    file.write_text(source)
    assert set(_relative_imports(file, tmp_path)) == {"scene"}


@pytest.mark.parametrize(
    ("room", "banned"),
    [
        ("heads", "bpy,torch,onnxruntime"),
        ("latent", "bpy,torch,onnxruntime"),
        ("labels", "bpy,torch,onnxruntime"),
        ("mapping", "bpy,torch"),
    ],
)
def test_room_imports_without(project: Path, room: str, banned: str) -> None:
    """With the banned packages blocked, every module of the room still imports."""
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, str(project), room, banned],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_nothing_in_the_addon_imports_torch_or_uses_absolute_imports(project: Path) -> None:
    """Absolute imports of facegen_addon break once Blender installs it under another name."""
    for source in (project / "facegen_addon").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            roots = {name.split(".")[0] for name in names}
            assert not roots & {"torch", "facegen_addon", "batch"}, source
