# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrows between rooms, as docs/architecture.md draws them, and that there is no circle."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ALLOWED: dict[str, set[str]] = {
    "heads": set(),
    "latent": set(),
    "labels": {"heads"},
    "encoders": set(),
    "mapping": {"encoders", "heads", "latent"},
    "variety": {"encoders", "heads", "latent", "mapping"},
    "photo": {"encoders", "heads", "labels", "latent", "mapping"},
    "scene.head": {"encoders", "heads", "latent", "mapping"},
    "scene.render": {"encoders", "heads", "labels", "mapping", "photo", "scene.head"},
    "scene.export": {"heads", "scene.head"},
    "scene.exchange": {"heads", "scene.head"},
    "scene.workflows": {
        *("encoders", "heads", "labels", "latent", "mapping", "photo", "variety"),
        *("scene.head", "scene.render"),
    },
    "report": set(),
    "terminal": set(),
    "ui": {
        *("encoders", "heads", "labels", "latent", "mapping", "photo", "variety"),
        *("scene.head", "scene.render", "scene.export", "scene.exchange", "scene.workflows"),
    },
}
"""Room of facegen_addon -> the rooms that it may import; what lies beside them serves all."""

TOP_LEVEL: dict[str, set[str]] = {
    "facegen_addon": set(),
    "batch": {"facegen_addon"},
    "models": {"facegen_addon"},
    "tools": {"batch", "facegen_addon", "models"},
}

IMPORT_ALL = """
import importlib, pkgutil, sys
for banned in sys.argv[2].split(","):
    sys.modules[banned] = None  # `import banned` now raises ImportError
room = importlib.import_module("facegen_addon." + sys.argv[1])
for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    importlib.import_module(module.name)
"""

Arrows = Mapping[str, set[str]]


def _module(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(file: Path, source: str) -> Iterator[tuple[str, str]]:
    """(module, name) of each import of a file, wherever in it; the name is empty for `import`."""
    package = _module(file).split(".")
    if file.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def arrows_between(sources: Mapping[Path, str]) -> Arrows:
    """Module -> the modules among these that it imports, late and TYPE_CHECKING imports too."""
    modules = {_module(file) for file in sources}
    arrows: dict[str, set[str]] = {module: set() for module in modules}
    for file, source in sources.items():
        here = _module(file)
        for module, name in _imported(file, source):
            target = f"{module}.{name}" if f"{module}.{name}" in modules else module
            if target in modules and target != here:
                arrows[here].add(target)
    return arrows


@pytest.fixture(scope="module")
def arrows(project: Path) -> Arrows:
    """Those of the whole project but its tests."""
    files = [
        file.relative_to(project)
        for folder in TOP_LEVEL
        for file in sorted((project / folder).rglob("*.py"))
    ]
    assert len(files) > 250
    return arrows_between({file: (project / file).read_text(encoding="utf-8") for file in files})


def _room(module: str) -> str:
    """The room of facegen_addon that a module is in; empty for what lies beside the rooms."""
    root, *parts = module.split(".")
    if root != "facegen_addon":
        return ""
    name = ".".join(parts[:2]) if parts[:1] == ["scene"] else "".join(parts[:1])
    return name if name in ALLOWED else ""


@pytest.mark.parametrize("room", ALLOWED)
def test_arrows_between_rooms_run_one_way(arrows: Arrows, room: str) -> None:
    inside = [module for module in arrows if _room(module) == room]
    assert inside, f"no room {room}"
    for module in inside:
        others = {_room(target) for target in arrows[module]} - {"", room}
        assert others <= ALLOWED[room], f"{module} imports {others - ALLOWED[room]}"


def test_every_module_of_a_folder_is_in_a_room(arrows: Arrows) -> None:
    homeless = [
        module
        for module in arrows
        if module.startswith("facegen_addon.") and module.count(".") > 1 and not _room(module)
    ]
    assert homeless == []


@pytest.mark.parametrize("folder", TOP_LEVEL)
def test_arrows_between_folders_run_one_way(arrows: Arrows, folder: str) -> None:
    for module, targets in arrows.items():
        if module.split(".")[0] == folder:
            others = {target.split(".")[0] for target in targets} - {folder}
            assert others <= TOP_LEVEL[folder], f"{module} imports {others - TOP_LEVEL[folder]}"


def test_no_files_import_one_another_in_a_circle(arrows: Arrows) -> None:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize(
    "wrong",
    [
        "from ..scene.head import look",
        "def f():\n    from ..scene.head.look import x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..scene.head.look import x",
        "import facegen_addon.scene.head.look",
    ],
)
def test_the_checks_see_a_wrong_import(wrong: str) -> None:
    sources = {
        Path("facegen_addon/heads/wrong.py"): wrong,
        Path("facegen_addon/scene/head/look.py"): "from ...heads import wrong",
    }
    found = arrows_between(sources)
    assert found["facegen_addon.heads.wrong"] == {"facegen_addon.scene.head.look"}
    with pytest.raises(CycleError):
        TopologicalSorter(found).prepare()


@pytest.mark.parametrize(
    ("room", "banned"),
    [
        ("heads", "bpy,torch,onnxruntime"),
        ("latent", "bpy,torch,onnxruntime"),
        ("labels", "bpy,torch,onnxruntime"),
        ("encoders", "bpy,torch"),
        ("mapping", "bpy,torch"),
        ("report", "bpy,torch,onnxruntime"),
        ("terminal", "bpy,torch,onnxruntime"),
        ("photo", "bpy,torch"),
        ("variety", "bpy,torch"),
    ],
)
def test_room_imports_without(project: Path, room: str, banned: str) -> None:
    """With the banned packages blocked, every module of the room still imports."""
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, room, banned],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


RUN_BY_BLENDER = (
    "batch/run.py",
    "tools/window/first_faces.py",
    "tools/window/from_disk.py",
    "tools/window/panels.py",
    "tools/window/story.py",
    "tools/window/panels.py",
    "tools/window/tasks.py",
)
"""Scripts that Blender runs: its Python starts them by their file, and knows no checkout."""


def _changed_path(source: str) -> list[str]:
    """Calls that put folders on Python's path."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = (ast.unparse(call) for call in calls)
    adding = {"sys.path.insert", "sys.path.append", "sys.path.extend", "site.addsitedir"}
    return [name for name in names if name in adding]


def test_only_what_blender_runs_puts_folders_on_the_path(project: Path) -> None:
    """All else is found because it is installed, or started as a module: `python -m`."""
    found = {
        source.relative_to(project).as_posix()
        for folder in (*TOP_LEVEL, "tests")
        for source in (project / folder).rglob("*.py")
        if _changed_path(source.read_text(encoding="utf-8"))
    }
    assert found == set(RUN_BY_BLENDER)


def test_the_check_sees_a_changed_path() -> None:
    assert _changed_path("def f():\n    sys.path.insert(0, str(x))") == ["sys.path.insert"]
    assert _changed_path("sys.path.sort()") == []


def test_nothing_in_the_addon_imports_torch_or_uses_absolute_imports(project: Path) -> None:
    """Absolute imports of facegen_addon break once Blender installs it under another name."""
    for source in (project / "facegen_addon").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            roots = {name.split(".")[0] for name in names}
            assert not roots & {"torch", "facegen_addon", "batch", "models"}, source
