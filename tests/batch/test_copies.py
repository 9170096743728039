# SPDX-License-Identifier: GPL-3.0-or-later
"""What is typed before a command's name in each copy of FaceGen, and what tells its user so."""

import sys
from types import SimpleNamespace

import pytest

from batch import export, export_flame, import_arkit, import_flame, mesh
from batch.command_line import shown_command, worker_command
from batch.dataset import commands, table
from batch.measure_options import parse_options
from facegen_addon.errors import Need, Remedy, UserError
from facegen_addon.terminal import copies, remedies

IN_BLENDER = "blender -b -P batch/run.py --"
PROGRAMS = {"checkout": "python batch/run.py", "pip": "facegen", "blender": IN_BLENDER}


@pytest.fixture(params=sorted(PROGRAMS))
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is typed in the copy that this process pretends to be."""
    binary = "/opt/blender/blender" if request.param == "blender" else ""
    bpy = SimpleNamespace(app=SimpleNamespace(binary_path=binary))
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    for module in (copies, remedies, table):
        monkeypatch.setattr(module, "is_installed", lambda: request.param == "pip")
    return PROGRAMS[request.param]


def test_each_copy_has_its_program(program: str) -> None:
    assert copies.program() == program


def test_a_process_without_bpy_is_not_blender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    assert copies.blender_binary() == "" and copies.program() == "python batch/run.py"


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (export.main, ["export"]),
        (export_flame.main, ["export-flame"]),
        (import_arkit.main, ["import-arkit"]),
        (import_flame.main, ["import-flame"]),
        (mesh.main, ["mesh"]),
        (parse_options, ["measure"]),
        (commands.main, ["dataset", "make"]),
        (commands.main, ["dataset", "merge"]),
        (commands.main, ["dataset", "verify"]),
    ],
)
def test_examples_can_be_typed(
    main: object, words: list[str], program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*words[1:], "--help"])  # type: ignore[operator]
    _, examples = capsys.readouterr().out.split("examples:\n")
    typed = [line for line in examples.splitlines() if line[:2] == "  " and line[2] != " "]
    assert typed and all(line.startswith(f"  {program} {' '.join(words)} ") for line in typed)
    assert "{program}" not in examples


def test_hints_and_remedies_can_be_typed(program: str) -> None:
    assert shown_command("measure", ["--count", "2"]) == f"{program} measure --count 2"
    need = Need(Remedy.MEASURE_INFLUENCE)
    assert remedies.remedy(need).endswith(
        f"measure them again with `{program} influence --replace`"
    )


def test_a_worker_runs_in_the_blender_of_its_parent(program: str) -> None:
    assert (worker_command(["render-worker"])[0] == "/opt/blender/blender") == (
        program == IN_BLENDER
    )


def test_the_table_says_how_this_copy_gets_pyarrow(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    wanted = {
        "facegen": "pip install 'facegen[dataset]'",
        IN_BLENDER: "FACEGEN_SITE=FOLDER",
        "python batch/run.py": "requirements/dataset.txt",
    }
    with pytest.raises(UserError) as error:
        table.require_pyarrow()
    assert str(error.value).endswith(wanted[program])
