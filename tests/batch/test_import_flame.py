# SPDX-License-Identifier: GPL-3.0-or-later
"""`import-flame`: other programs' parameters as sliders, with all that was changed on the way."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from batch import import_flame
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.flame_sliders import import_sliders
from facegen_addon.heads.exchange.slider_file import SUFFIXES, read_slider_file
from facegen_addon.heads.flame.head import FlameHead
from facegen_addon.heads.flame.model import LIMITS
from facegen_addon.terminal.remedies import explain


def _deca(path: Path, **changes: np.ndarray) -> Path:
    """DECA's codes of two heads, zero beyond what the toy model has."""
    values = {
        "shape": np.pad([[0.5, -1.0], [2.0, 0.25]], ((0, 0), (0, 98))),
        "exp": np.pad([[1.0], [-0.5]], ((0, 0), (0, 49))),
        "pose": np.array([[0.1, 0.2, 0.3, 0.25, 0.0, 0.0]] * 2),
        "cam": np.ones((2, 3)),
    }
    np.savez(path, **(values | changes))
    return path


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "batch/run.py"), "import-flame", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_sliders_are_written_and_can_be_loaded_again(
    tmp_path: Path, toy_head: FlameHead, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    source, output = _deca(tmp_path / "deca.npz"), tmp_path / f"sliders{suffix}"
    assert import_flame.main([str(source), "--model", "toy", "--output", str(output)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:3] == ["convention: deca", "heads: 2", "ignored: cam"]
    assert not any(line.startswith("clamped") for line in printed)
    file = read_slider_file(output)
    assert file.model == "toy"
    parameters = toy_head.to_flame(file.rows(toy_head.table))
    np.testing.assert_allclose(parameters.betas[:, :3], [[0.5, -1.0, 0.0], [2.0, 0.25, 0.0]])
    np.testing.assert_allclose(parameters.expression[:, 0], [1.0, -0.5])
    np.testing.assert_allclose(parameters.global_orient, [[0.1, 0.2, 0.3]] * 2)
    np.testing.assert_allclose(parameters.jaw_pose, [[0.25, 0.0, 0.0]] * 2)


def test_without_an_output_it_only_reports(
    tmp_path: Path, toy_head: FlameHead, capsys: pytest.CaptureFixture[str]
) -> None:
    source = _deca(tmp_path / "deca.npz")
    before = sorted(tmp_path.iterdir())
    assert import_flame.main([str(source), "--model", "toy"]) == 0
    assert "heads: 2" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == before


def test_codes_of_another_flame_lead_to_its_file(tmp_path: Path, toy_head: FlameHead) -> None:
    source = _deca(tmp_path / "deca.npz", shape=np.ones((2, 100)))
    with pytest.raises(UserError) as caught:
        import_flame.main([str(source), "--model", "toy"])
    line = explain(caught.value)
    assert "FLAME 2020" in line and "--model THAT_FILE" in line and "first 7" not in line


def test_frames_of_one_head_and_a_pose_left_out(
    tmp_path: Path, toy_head: FlameHead, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "vhap.npz"
    np.savez(source, shape=np.ones(3), expr=np.zeros((4, 1)), fps=25, gaze=np.ones((4, 2)))
    assert import_flame.main([str(source), "--model", "toy"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[:3] == [
        "convention: vhap", "heads: 4", "sequence: 4 frames of one head, 25 a second",
    ]  # fmt: skip
    assert "warning: gaze is left out" in printed.err and "gaze" not in printed.out
    sliders = import_sliders(source, toy_head)
    assert sliders.sequence and sliders.fps == 25.0


def test_what_is_clamped_is_said(
    tmp_path: Path, toy_head: FlameHead, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = np.array([[0.5, -9.0, 0.0], [4.0, 0.0, 0.0]])
    source = _deca(tmp_path / "a.npz", shape=shape, pose=np.array([[0, 0, 0, 1.5, 0, 0.0]]))
    import_flame.main([str(source), "--model", "toy"])
    clamped = [line for line in capsys.readouterr().out.splitlines() if "clamped:" in line]
    assert len(clamped) == 2
    assert clamped[0].startswith("clamped: jaw_pose 1.50 rad about x")
    assert "betas: 2 values" in clamped[1] and "betas[1] of head 0, -9 kept as -3" in clamped[1]
    sliders = import_sliders(source, toy_head)
    parameters = toy_head.to_flame(sliders.values)
    assert parameters.betas.min() == -3.0 and parameters.betas.max() == 3.0
    np.testing.assert_allclose(parameters.jaw_pose[:, 0], LIMITS["jaw_pose"][0, 1])


def test_a_translation_has_no_slider_and_that_is_said(tmp_path: Path, toy_head: FlameHead) -> None:
    np.savez(tmp_path / "a.npz", betas=np.ones((1, 2)), transl=[[0.0, 0.0, 0.5]])
    (line,) = import_sliders(tmp_path / "a.npz", toy_head).clamped
    assert line.startswith("transl: 1 values") and "0.5 kept as 0" in line


def test_appearance_stands_at_the_mean(tmp_path: Path, toy_head: FlameHead) -> None:
    table = toy_head.table
    values = import_sliders(_deca(tmp_path / "deca.npz"), toy_head).values
    skin = table.columns("skin")
    np.testing.assert_array_equal(values[:, skin], np.tile(table.mean[skin], (2, 1)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"shape": np.ones((1, 100))},
            r"a\.npz: shape has 100 components and the model 'model'",
        ),
        ({"shape": [[np.nan]]}, r"a\.npz: shape of head 0 is nan"),
        ({"alpha": [1.0]}, r"a\.npz has the keys alpha"),
    ],
)
def test_a_bad_file_writes_nothing(
    tmp_path: Path, toy_head: FlameHead, content: dict, message: str
) -> None:
    np.savez(tmp_path / "a.npz", **content)
    output = tmp_path / "sliders.json"
    with pytest.raises(UserError, match=message):
        import_flame.main([str(tmp_path / "a.npz"), "--model", "toy", "--output", str(output)])
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "anny"], "'anny' has no FLAME parameters; choose open_flame or a FLAME file"),
        (["--model", "flamingo"], "unknown head model 'flamingo'"),
        (["--output", "sliders.csv"], r"--output sliders\.csv does not end in \.npz or \.json"),
        (["--blend", "heads.fbx"], r"--blend heads\.fbx does not end in \.blend"),
        (["--colour"], "see import-flame --help"),
    ],
)
def test_a_wrong_value_is_one_line(
    tmp_path: Path, toy_head: FlameHead, arguments: list[str], message: str
) -> None:
    source = _deca(tmp_path / "deca.npz")
    with pytest.raises(UserError, match=message) as caught:
        import_flame.main([str(source), *arguments])
    assert "\n" not in str(caught.value)


def test_help_has_examples(project: Path) -> None:
    done = _run(project, "--help")
    assert done.returncode == 0
    assert "batch/run.py import-flame deca.pkl" in done.stdout


def test_a_blender_file_with_the_heads(tmp_path: Path, project: Path) -> None:
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")
    source = _deca(tmp_path / "deca.npz")
    output, sliders = tmp_path / "heads.blend", tmp_path / "sliders.npz"
    done = _run(project, str(source), "--blend", str(output), "--output", str(sliders))
    assert done.returncode == 0, done.stderr
    assert "convention: deca\nheads: 2\n" in done.stdout
    bpy.ops.wm.open_mainfile(filepath=str(output))
    stored = [o["facegen_parameters"].to_list() for o in bpy.data.objects if "facegen_model" in o]
    file = read_slider_file(sliders)
    rows = file.rows(load_head_model(file.model or "").table)
    np.testing.assert_allclose(sorted(stored), sorted(rows.tolist()))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".blend", ".npz", ".npz"]


def test_a_blender_file_that_cannot_be_written(tmp_path: Path, project: Path) -> None:
    pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")
    source = _deca(tmp_path / "deca.npz")
    done = _run(project, str(source), "--blend", "/proc/heads.blend")
    assert done.returncode == 2
    assert "/proc/heads.blend cannot be written" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
