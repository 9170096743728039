# SPDX-License-Identifier: GPL-3.0-or-later
"""`mesh`: parameters to meshes in files, without Blender."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from batch import mesh
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.flame.file import read_flame_file
from facegen_addon.heads.flame.model import LIMITS, POSES, Flame, FlameParameters
from tests.heads.flame.synthetic import flame_table

RUN_WITHOUT_BPY = """
import runpy, sys
sys.modules["bpy"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _parameters(rng: np.random.Generator, heads: int) -> dict[str, np.ndarray]:
    inside = {name: rng.uniform(*LIMITS[name].T, (heads, 3)) for name in LIMITS}
    return inside | {
        "betas": rng.standard_normal((heads, 7)),
        "expression": rng.standard_normal((heads, 4)),
        "global_orient": rng.uniform(-3, 3, (heads, 3)),
        "transl": rng.uniform(-1, 1, (heads, 3)),
    }


def _mesh(
    tmp_path: Path, model: Path | str, values: dict, *more: str, suffix: str = ".npz"
) -> Path:
    np.savez(tmp_path / "parameters.npz", **values)
    output = tmp_path / "out" / f"heads{suffix}"
    arguments = ["--model", str(model), "--parameters", str(tmp_path / "parameters.npz")]
    assert mesh.main([*arguments, "--output", str(output), *more]) == 0
    return output


def test_meshes_are_the_models_own(
    tmp_path: Path, flame_file: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    values = _parameters(rng, 150)  # more than are computed at once
    output = _mesh(tmp_path, flame_file, values)
    arrays = read_flame_file(flame_file)
    expected = Flame(arrays).forward(FlameParameters.from_mapping(values))
    with np.load(output) as found:
        assert set(found.files) == {"vertices", "joints", "faces"}
        assert found["vertices"].dtype == found["joints"].dtype == np.float32
        np.testing.assert_allclose(found["vertices"], expected.vertices, atol=1e-6)
        np.testing.assert_allclose(found["joints"], expected.joints, atol=1e-6)
        np.testing.assert_array_equal(found["faces"], arrays.faces)
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    assert capsys.readouterr().err == ""


def test_same_parameters_same_bytes(
    tmp_path: Path, flame_file: Path, rng: np.random.Generator
) -> None:
    values = _parameters(rng, 3)
    first = _mesh(tmp_path, flame_file, values).read_bytes()
    assert _mesh(tmp_path, flame_file, values).read_bytes() == first


def test_a_few_heads_are_computed_at_a_time(
    tmp_path: Path, flame_file: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    forward = Flame.forward

    def watched(flame: Flame, parameters: FlameParameters) -> object:
        sizes.append(len(parameters))
        return forward(flame, parameters)

    monkeypatch.setattr(Flame, "forward", watched)
    _mesh(tmp_path, flame_file, {"betas": rng.standard_normal((1000, 2))})
    assert max(sizes) == mesh.HEADS_AT_ONCE and sum(sizes) == 1000


def test_blenders_coordinates(tmp_path: Path, flame_file: Path, rng: np.random.Generator) -> None:
    values = _parameters(rng, 2)
    with np.load(_mesh(tmp_path, flame_file, values)) as flame:
        x, y, z = np.moveaxis(flame["vertices"], -1, 0)
        joints = flame["joints"]
    with np.load(_mesh(tmp_path, flame_file, values, "--coordinates", "blender")) as blender:
        np.testing.assert_array_equal(blender["vertices"], np.stack([x, -z, y], axis=-1))
        np.testing.assert_array_equal(blender["joints"][..., 2], joints[..., 1])


def test_impossible_angles_are_clamped_and_said(
    tmp_path: Path, flame_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"jaw_pose": [[1.5, 0.0, 0.0]], "global_orient": [[3.0, 0.0, 0.0]]}
    with np.load(_mesh(tmp_path, flame_file, values)) as clamped:
        vertices = clamped["vertices"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("facegen: warning: jaw_pose 1.50 rad")
    values["jaw_pose"][0][0] = LIMITS["jaw_pose"][0, 1]
    with np.load(_mesh(tmp_path, flame_file, values)) as limit:
        np.testing.assert_allclose(vertices, limit["vertices"], atol=1e-7)
    values["jaw_pose"][0][0] = 1.5
    with np.load(_mesh(tmp_path, flame_file, values, "--exact-pose")) as exact:
        assert np.abs(exact["vertices"] - vertices).max() > 1e-3
    assert capsys.readouterr().err == ""


def test_what_import_flame_prints_is_said_on_stderr(
    tmp_path: Path, flame_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {
        "shapecode": np.pad(np.ones((1, 2)), ((0, 0), (0, 98))),
        "posecode": [[0.0, 0.0, 0.0, 15.0, 0.0, 0.0]],
        "neckcode": np.ones((1, 3)),
        "texcode": np.ones((1, 50)),
    }
    _mesh(tmp_path, flame_file, values, "--exact-pose")
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["facegen: convention: emoca", "facegen: ignored: texcode"]
    assert "components of FLAME 2020" in said[2]
    assert said[3] == "facegen: shapecode: components beyond 7 are zero and left out"
    assert said[4].startswith("facegen: warning: neckcode is left out, though its name is a pose's")
    assert said[5].startswith("facegen: warning: posecode of head 0 is 15 about x: degrees?")
    assert len(said) == 6


def _read_obj(path: Path) -> dict[str, list[list[str]]]:
    lines: dict[str, list[list[str]]] = {"v": [], "vt": [], "f": []}
    for line in path.read_text().splitlines():
        kind, *words = line.split()
        lines.setdefault(kind, []).append(words)
    return lines


def test_one_head_as_obj(tmp_path: Path, flame_file: Path, rng: np.random.Generator) -> None:
    values = _parameters(rng, 1)
    lines = _read_obj(_mesh(tmp_path, flame_file, values, suffix=".obj"))
    with np.load(_mesh(tmp_path, flame_file, values)) as found:
        np.testing.assert_allclose(np.array(lines["v"], float), found["vertices"][0], atol=1e-6)
        faces = found["faces"]
    corners = [[corner.split("/") for corner in face] for face in lines["f"]]
    index = np.array(corners, int) - 1
    np.testing.assert_array_equal(index[..., 0], faces)
    uv = np.array(lines["vt"], float)[index[..., 1]]
    np.testing.assert_allclose(uv, read_flame_file(flame_file).uv, atol=1e-6)


def test_several_heads_as_obj(tmp_path: Path, flame_file: Path, rng: np.random.Generator) -> None:
    output = _mesh(tmp_path, flame_file, {"betas": rng.standard_normal((3, 2))}, suffix=".obj")
    names = sorted(path.name for path in output.parent.iterdir())
    assert names == ["heads_0000.obj", "heads_0001.obj", "heads_0002.obj"]
    first, second, _ = (_read_obj(output.parent / name) for name in names)
    assert first["f"] == second["f"] and first["v"] != second["v"]


@pytest.mark.parametrize("suffix", [".npz", ".obj"])
def test_an_interrupted_run_leaves_what_was_there(
    tmp_path: Path, flame_file: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    output = _mesh(tmp_path, flame_file, {"betas": np.ones((1, 2))}, suffix=suffix)
    before = output.read_bytes()
    forward = Flame.forward

    def interrupted(flame: Flame, parameters: FlameParameters) -> object:
        if len(parameters) < mesh.HEADS_AT_ONCE:
            raise KeyboardInterrupt
        return forward(flame, parameters)

    monkeypatch.setattr(Flame, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _mesh(tmp_path, flame_file, {"betas": np.ones((65, 2))}, suffix=suffix)
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    assert output.read_bytes() == before


def test_a_model_without_expressions_and_uvs(tmp_path: Path, rng: np.random.Generator) -> None:
    np.savez(tmp_path / "bare.npz", **flame_table(rng, expression=0))
    values = {"betas": rng.standard_normal((1, 3)), "expression": np.zeros((1, 50))}
    lines = _read_obj(_mesh(tmp_path, tmp_path / "bare.npz", values, suffix=".obj"))
    assert len(lines["v"]) == 60 and not lines["vt"]
    assert lines["f"] and "/" not in lines["f"][0][0]


def test_anny_by_its_sliders(tmp_path: Path, rng: np.random.Generator) -> None:
    model = load_head_model("anny")
    rows = model.sample_prior(rng, 3)
    output = _mesh(tmp_path, "anny", {"parameters": rows}, "--coordinates", "blender")
    with np.load(output) as found:
        np.testing.assert_allclose(found["vertices"], model.forward(rows), atol=1e-6)
        np.testing.assert_allclose(found["joints"], model.joints(rows), atol=1e-6)
    rows = np.tile(model.table.default(), (2, 1))
    rows[:, model.table.index("jawOpen")] = [0.2, 0.9]
    with np.load(_mesh(tmp_path, "anny", {"jawOpen": [0.2, 0.9]})) as found:
        x, y, z = np.moveaxis(model.forward(rows), -1, 0)
        np.testing.assert_allclose(found["vertices"], np.stack([x, z, -y], -1), atol=1e-6)


def test_heads_of_an_age(tmp_path: Path, rng: np.random.Generator) -> None:
    """Of the mean head where no file is given; else of every head, whose pose stays."""
    model = load_head_model("open_flame")
    known = model.characteristics
    assert known is not None and model.flame_sliders is not None
    wanted = {"age": 62.0, "nose_width": 28.0}
    more = ["--set", "age=62", "--set", "nose_width=28"]
    assert mesh.main(["--output", str(tmp_path / "one.npz"), *more]) == 0
    flame = model.flame_sliders.flame
    with np.load(tmp_path / "one.npz") as found:
        parameters = model.flame_sliders.to_flame(known.changed(model.table.default(), wanted))
        np.testing.assert_allclose(found["vertices"], flame.forward(parameters).vertices, atol=1e-6)
    values = {"betas": rng.standard_normal((2, 5)), "jaw_pose": [[0.2, 0, 0], [0, 0, 0]]}
    rows = np.tile(model.table.default(), (2, 1))
    rows[:, known.columns[:5]] = values["betas"]
    betas = np.stack([known.changed(row, wanted) for row in rows])[:, known.columns]
    expected = flame.forward(FlameParameters.from_mapping(values | {"betas": betas}))
    with np.load(_mesh(tmp_path, "open_flame", values, *more)) as found:
        np.testing.assert_allclose(found["vertices"], expected.vertices, atol=1e-6)


BAD_VALUES: dict[str, tuple[dict, str]] = {
    "too many components": (
        {"betas": np.ones((1, 8))},
        "betas has 8 components and the",
    ),
    "wrong width": ({"jaw_pose": np.ones((1, 4))}, "jaw_pose has 4 values"),
    "NaN": ({"betas": [[np.nan]]}, "betas of head 0 is nan"),
    "no heads": ({"betas": np.ones((0, 3))}, r"betas has shape \(0, 3\)"),
    "unknown keys": ({"beta": np.ones((1, 3))}, "keys beta, none of which"),
    "other rows": ({"betas": np.ones((2, 3)), "transl": np.ones((3, 3))}, "2 rows and transl 3"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_parameters_write_nothing(tmp_path: Path, flame_file: Path, case: str) -> None:
    values, message = BAD_VALUES[case]
    with pytest.raises(UserError, match=message) as caught:
        _mesh(tmp_path, flame_file, values)
    assert "parameters.npz" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--output", "a.ply"], r"--output a\.ply does not end in \.npz or \.obj"),
        (["--output", "."], r"--output \. does not end"),
        (["--output", "a.npz", "--coordinates", "maya"], "'maya'; choose from flame, blender"),
        (["--output", "a.npz", "--model", "flamingo"], "unknown head model 'flamingo'"),
        (["--output", "/dev/null/a.npz"], "/dev/null is not a folder you can write to"),
        (["--output", "/proc/a/b.npz", "--model", "anny"], r"/proc/a/b\.npz cannot be written"),
        (["--output", "a.npz", "--colour", "red"], "--colour red; see mesh --help"),
        (["--output", "a.npz", "--set", "age"], "--set age: it is not NAME=VALUE; give"),
        (["--output", "a.npz", "--set", "age=old"], "--set age=old: 'old' is not a number"),
        (["--output", "a.npz", "--model", "anny", "--set", "age=60"], "--set is for FLAME models"),
        ([], "--output; see mesh --help"),
    ],
)
def test_a_wrong_value_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("parameters.npz", parameters=load_head_model("anny").table.default())
    with pytest.raises(UserError, match=named):
        mesh.main(["--parameters", "parameters.npz", *arguments])
    assert [path.name for path in tmp_path.iterdir()] == ["parameters.npz"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "give heads: --parameters FILE, or --set"),
        (["--set", "charm=1"], "unknown characteristic 'charm'; choose from sex, age"),
        (["--set", "age=nan"], "age is nan: give a finite number"),
    ],
)
def test_no_mean_head_of_that_kind(tmp_path: Path, arguments: list[str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        mesh.main(["--output", str(tmp_path / "a.npz"), *arguments])
    assert not list(tmp_path.iterdir())


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT_BPY, str(project / "batch/run.py"), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )


def test_it_needs_no_bpy(tmp_path: Path, project: Path, flame_file: Path) -> None:
    np.savez(tmp_path / "p.npz", betas=np.ones((2, 3)))
    done = _run(
        project, "mesh", "--model", str(flame_file), "--parameters", str(tmp_path / "p.npz"),
        "--output", str(tmp_path / "out.npz"),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with np.load(tmp_path / "out.npz") as found:
        assert found["vertices"].shape == (2, 60, 3)
        assert found["joints"].shape == (2, len(POSES), 3)


def test_a_missing_file_is_status_2_and_one_line(project: Path, tmp_path: Path) -> None:
    done = _run(
        project, "mesh", "--model", "anny", "--parameters", "nowhere.npz",
        "--output", str(tmp_path / "a.npz"),
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "nowhere.npz is missing" in done.stderr


def test_help_has_examples(project: Path) -> None:
    done = _run(project, "mesh", "--help")
    assert done.returncode == 0
    assert "batch/run.py mesh --model" in done.stdout
