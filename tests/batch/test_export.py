# SPDX-License-Identifier: GPL-3.0-or-later
"""`export`: files of other programs from a run, complete or not at all."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from batch import export
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.slider_file import write_slider_file
from facegen_addon.heads.wear.outfit import BARE
from facegen_addon.heads.wear.outfit_text import read_outfit

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

BARE_MESH = ("--hair", "none", "--textures", "0")


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "batch/run.py"), "export", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def heads(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A slider file of two heads."""
    model = load_head_model("open_flame")
    path = tmp_path / "heads.npz"
    write_slider_file(path, model, model.sample_prior(rng, 2))
    return path


def test_a_target_says_format_and_contents_but_for_what_is_said(
    tmp_path: Path, heads: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert export.main([str(heads), "--for", "unity", "--output", str(output), *BARE_MESH]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == f"2 heads as fbx: {output}"
    settings = json.loads((output / export.RECORD).read_text())["settings"]
    assert settings["target"] == "unity" and settings["shape_keys"] and settings["armature"]
    assert settings["hair"] == "none" and settings["textures"] == 0


@pytest.mark.parametrize("format_name", ["glb", "fbx", "obj"])
def test_a_file_a_head_and_a_record(
    tmp_path: Path, heads: Path, capfd: pytest.CaptureFixture[str], format_name: str
) -> None:
    output = tmp_path / "out"
    arguments = [str(heads), "--format", format_name, "--output", str(output), *BARE_MESH]
    assert export.main(arguments) == 0
    names = [f"head_{number:04d}.{format_name}" for number in range(2)]
    materials = [f"head_{number:04d}.mtl" for number in range(2)] * (format_name == "obj")
    assert {file.name for file in output.iterdir()} == {*names, *materials, export.RECORD}
    record = json.loads((output / export.RECORD).read_text())
    assert [head["file"] for head in record["heads"]] == names
    assert record["model"] == "open_flame" and record["settings"]["hair"] == "none"
    printed = capfd.readouterr().out.splitlines()
    assert printed[-1] == (f"2 heads as {format_name}: {output}")


@pytest.mark.parametrize("told", [False, True])
def test_heads_are_exported_as_their_file_says_they_are_dressed(
    tmp_path: Path, rng: np.random.Generator, told: bool
) -> None:
    """Unless the command line says it."""
    model, path, output = load_head_model("person"), tmp_path / "heads.json", tmp_path / "out"
    outfits = [BARE, read_outfit("glasses=round")]
    write_slider_file(path, model, model.sample_prior(rng, 2), outfits)
    arguments = [str(path), "--format", "obj", "--output", str(output), *BARE_MESH]
    assert export.main([*arguments, *(["--wear", "headwear=cap"] if told else [])]) == 0
    worn = [
        [line.split("_")[-1] for line in file.read_text().splitlines() if line.startswith("o ")]
        for file in sorted(output.glob("*.obj"))
    ]
    assert worn == ([["Head", "Headwear"]] * 2 if told else [["Head"], ["Head", "Glasses"]])


def test_only_an_earlier_export_is_replaced(tmp_path: Path, heads: Path) -> None:
    output = tmp_path / "out"
    arguments = [str(heads), "--format", "obj", "--output", str(output), *BARE_MESH]
    output.mkdir()
    (output / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty; name a new folder, or add --replace"):
        export.main(arguments)
    with pytest.raises(UserError, match=r"holds no earlier run \(no export\.json\)"):
        export.main([*arguments, "--replace"])
    assert [file.name for file in output.iterdir()] == ["mine.txt"]
    (output / export.RECORD).write_text("{}")
    assert export.main([*arguments, "--replace"]) == 0
    assert not (output / "mine.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "stl"], "unknown format 'stl'; choose from obj, glb, fbx"),
        (["--format", "obj", "--armature"], "'obj' holds no shape keys and no armature"),
        (["--wear", "glasses=monocle"], "--wear: unknown glasses 'monocle'; choose from none"),
        (["--wear", "glasses=round"], "heads of model 'open_flame' wear nothing; choose model"),
        (["--hair", "wool"], "hair is 'wool'; choose from cards, ribbons, none"),
        (["--neck", "shut"], "neck is 'shut'; choose from open, closed, same-edge"),
        (["--neck", "closed"], "neck is not made of rings of quads: take model person"),
        (["--textures", "99"], "textures is 99; give 256 to 4096, or 0 for none"),
        (["--textures", "many"], "see export --help"),
        (["--hair-triangles", "1"], "hair_triangles is 1; give 500 to 200000"),
        (
            ["--for", "cryengine"],
            "target is 'cryengine'; choose from generic",
        ),
        (["--lod", "4"], "lod is 4; give 0 to 3"),
        (["--lod", "1", "--subdivision", "1"], "levels of detail have fewer triangles"),
        (["--subdivision", "9"], "subdivision is 9; give 0 to 3"),
        (["--subdivision", "1", "--shape-keys"], "give subdivision 0"),
        (["--model", "flamingo"], "unknown head model 'flamingo'"),
        (["--model", "anny"], "unknown parameter"),
        (["--colour"], "see export --help"),
    ],
)
def test_a_wrong_value_is_one_line(
    tmp_path: Path, heads: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        export.main([str(heads), "--output", str(tmp_path / "out"), *arguments])
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["heads.npz"]


def test_a_source_that_is_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", parameters=np.zeros((1, 3)))
    output = ["--output", str(tmp_path / "out")]
    with pytest.raises(UserError, match=r"a\.npz does not say which head model it is for"):
        export.main([str(tmp_path / "a.npz"), *output])
    with pytest.raises(UserError, match=r"b\.npz"):
        export.main([str(tmp_path / "b.npz"), *output])


def test_the_command_line_is_told_of_errors_and_examples(project: Path, tmp_path: Path) -> None:
    done = _run(project, "--help")
    assert done.returncode == 0
    assert "batch/run.py export out/demo --output out/glb" in done.stdout
    done = _run(project, str(tmp_path / "none.npz"), "--output", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"facegen: {tmp_path / 'none.npz'} is missing")
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_leaves_nothing(project: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    model = load_head_model("open_flame")
    write_slider_file(tmp_path / "heads.npz", model, model.sample_prior(rng, 500))
    process = subprocess.Popen(
        [
            sys.executable, str(project / "batch/run.py"), "export", str(tmp_path / "heads.npz"),
            "--format", "obj", *BARE_MESH, "--output", str(tmp_path / "out"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".facegen-*/new/.facegen-*/*.obj")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "facegen: stopped; nothing was written"
    assert [file.name for file in tmp_path.iterdir()] == ["heads.npz"]
