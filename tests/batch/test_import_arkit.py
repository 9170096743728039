# SPDX-License-Identifier: GPL-3.0-or-later
"""`import-arkit`: recordings of ARKit's curves as slider files and Blender files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from batch import import_arkit, import_flame
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.arkit.take import NAMES
from facegen_addon.heads.exchange.slider_file import SUFFIXES, read_slider_file
from facegen_addon.heads.flame.head import FlameHead
from tests.heads.exchange.arkit import takes


@pytest.fixture
def take(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Five frames at 59.94 a second, and one without a face."""
    values = takes.weights(rng, 5)
    return takes.live_link(tmp_path / "take.csv", values, lost={4: 1}, step=1.001)


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "batch/run.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("model", ["open_flame", "anny"])
def test_sliders_are_written(
    tmp_path: Path, take: Path, capsys: pytest.CaptureFixture[str], suffix: str, model: str
) -> None:
    output = tmp_path / f"sliders{suffix}"
    assert import_arkit.main([str(take), "--model", model, "--output", str(output)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "convention: live_link_face",
        "heads: 5",
        "sequence: 5 frames of one head, 59.9401 a second",
        "1 frames without a face are left out",
    ]
    file = read_slider_file(output)
    table = load_head_model(model).table
    columns = [table.index(name) for name in NAMES]
    lines = take.read_text().splitlines()[1:6]
    expected = [[float(value) for value in line.split(",")[2:54]] for line in lines]
    np.testing.assert_allclose(file.rows(table)[:, columns], expected)


def test_what_is_doubtful_goes_to_the_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = takes.write_json(tmp_path / "a.json", {"jawOpen": 50, "smirk": 1})
    import_arkit.main([str(path)])
    out, err = capsys.readouterr()
    assert err == "facegen: warning: weights up to 50 are read as per cent\n"
    assert out.splitlines()[:3] == ["convention: json", "heads: 1", "ignored: smirk"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "toy"], "'toy' has no sliders of ARKit's 52 blend shapes"),
        (["--fps", "0"], "--fps 0 is out of range"),
        (["--fps", "fast"], "see import-arkit --help"),
        (["--fps", "nan"], "--fps nan is out of range"),
        (["--output", "sliders.csv"], "--output sliders.csv does not end in .npz or .json"),
        (["--blend", "heads.fbx"], "--blend heads.fbx does not end in .blend"),
    ],
)
def test_a_wrong_value_is_one_line(
    take: Path, toy_head: FlameHead, arguments: list[str], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        import_arkit.main([str(take), *arguments])
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_help_and_a_file_that_is_none(project: Path, tmp_path: Path) -> None:
    done = _run(project, "import-arkit", "--help")
    assert done.returncode == 0
    assert "batch/run.py import-arkit MySlate_1_iPhone.csv --blend talking.blend" in done.stdout
    output = tmp_path / "a.npz"
    done = _run(project, "import-arkit", str(tmp_path / "no.csv"), "--output", str(output))
    assert done.returncode == 2 and done.stderr.startswith("facegen: ")
    assert len(done.stderr.splitlines()) == 1 and not output.exists()


def test_a_blender_file_with_one_head_that_moves(take: Path, project: Path, tmp_path: Path) -> None:
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")
    output = tmp_path / "talking.blend"
    done = _run(project, "import-arkit", str(take), "--blend", str(output))
    assert done.returncode == 0, done.stderr
    assert "5 frames animate 52 sliders from frame 1 to 5" in done.stdout
    bpy.ops.wm.open_mainfile(filepath=str(output))
    (head,) = (o for o in bpy.data.objects if "facegen_model" in o)
    (action,) = bpy.data.actions
    assert head.animation_data.action == action
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, 5, 60)
    assert scene.render.fps_base == pytest.approx(1.001, abs=1e-5)


def test_import_flame_names_the_other_command(take: Path) -> None:
    with pytest.raises(UserError) as caught:
        import_flame.main([str(take)])
    assert str(caught.value) == (
        f"{take} holds ARKit's blend shapes, not FLAME parameters; read it with import-arkit"
    )


def test_codes_of_flame_as_frames(
    tmp_path: Path, toy_head: FlameHead, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", betas=np.ones((3, 2)))
    import_flame.main([str(tmp_path / "a.npz"), "--model", "toy", "--fps", "25"])
    assert "sequence: 3 frames of one head, 25 a second" in capsys.readouterr().out
