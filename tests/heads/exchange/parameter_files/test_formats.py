# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of public trackers are read as what they mean, whatever the shape of their arrays."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.errors import Need, Remedy, UserError
from facegen_addon.heads.exchange.flame_codes import ImportedParameters, for_model, read_parameters
from facegen_addon.heads.flame.file import FlameArrays, read_flame_file
from facegen_addon.heads.flame.model import POSES, Flame, FlameParameters
from facegen_addon.heads.skinning import rotation_matrices
from tests.heads.exchange.parameter_files.torch_bytes import archive, tensor
from tests.heads.flame.synthetic import flame_table


def code(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Components of a code."""
    return rng.standard_normal(shape).astype(np.float32)


def turns(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Rotations of joints, radians."""
    return rng.uniform(-0.3, 0.3, shape).astype(np.float32)


def read(path: Path, **content: object) -> ImportedParameters:
    """What is read from an .npz file with these arrays."""
    np.savez(path, **content)  # type: ignore[arg-type]
    return read_parameters(path)


@pytest.fixture
def model(tmp_path: Path, rng: np.random.Generator) -> FlameArrays:
    """A small model in FLAME's layout."""
    (tmp_path / "model").mkdir()
    np.savez(tmp_path / "model" / "model.npz", **flame_table(rng))
    return read_flame_file(tmp_path / "model" / "model.npz")


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """A file to write."""
    return tmp_path / "a.npz"


def _poses(parameters: FlameParameters) -> np.ndarray:
    return np.concatenate([getattr(parameters, name) for name in POSES], axis=1)


def test_smirk(npz: Path, rng: np.random.Generator) -> None:
    content = {
        "shape_params": code(rng, 2, 300), "expression_params": code(rng, 2, 50),
        "pose_params": turns(rng, 2, 3), "jaw_params": turns(rng, 2, 3),
        "eyelid_params": code(rng, 2, 2), "cam": code(rng, 2, 3),
    }  # fmt: skip
    found = read(npz, **content)
    assert (found.convention, found.sequence, found.warnings) == ("smirk", False, [])
    assert found.notes[0] == "ignored: cam, eyelid_params"
    np.testing.assert_array_equal(found.parameters.betas, content["shape_params"])
    np.testing.assert_array_equal(found.parameters.expression, content["expression_params"])
    np.testing.assert_array_equal(found.parameters.global_orient, content["pose_params"])
    np.testing.assert_array_equal(found.parameters.jaw_pose, content["jaw_params"])


def test_flame_head_tracker(npz: Path, rng: np.random.Generator) -> None:
    content = {
        "shape": code(rng, 1, 300), "exp": code(rng, 1, 100), "head_pose": turns(rng, 1, 3),
        "jaw_pose": turns(rng, 1, 3), "neck_pose": turns(rng, 1, 3), "eye_pose": turns(rng, 1, 6),
        "tex": code(rng, 1, 50), "cam": code(rng, 1, 6), "fov": code(rng, 1),
    }  # fmt: skip
    found = read(npz, **content)
    assert (found.convention, found.warnings) == ("flame-head-tracker", [])
    expected = [content[f"{name}_pose"] for name in ("head", "neck", "jaw", "eye")]
    np.testing.assert_array_equal(_poses(found.parameters), np.concatenate(expected, axis=1))


def test_imavatar_has_the_joints_in_flames_order(tmp_path: Path, rng: np.random.Generator) -> None:
    pose, expression, shape = turns(rng, 3, 15), code(rng, 3, 50), code(rng, 100)
    frames = [
        {"file_path": f"./image/{i}", "pose": turn.tolist(), "expression": expressed.tolist()}
        for i, (turn, expressed) in enumerate(zip(pose, expression, strict=True))
    ]
    path = tmp_path / "flame_params.json"
    path.write_text(json.dumps({"frames": frames, "shape_params": shape.tolist(), "fps": 25}))
    found = read_parameters(path)
    assert (found.convention, found.sequence, found.fps) == ("imavatar", True, 25.0)
    np.testing.assert_allclose(_poses(found.parameters), pose, atol=1e-7)
    np.testing.assert_allclose(found.parameters.betas, np.tile(shape, (3, 1)), atol=1e-6)
    np.testing.assert_allclose(found.parameters.expression, expression, atol=1e-6)
    assert "ignored: file_path" in found.notes


def _vhap(rng: np.random.Generator, shape: np.ndarray, frames: int) -> dict[str, np.ndarray]:
    return {
        "shape": shape, "expr": code(rng, frames, 100), "rotation": turns(rng, frames, 3),
        "translation": code(rng, frames, 3), "neck_pose": turns(rng, frames, 3),
        "jaw_pose": turns(rng, frames, 3), "eyes_pose": turns(rng, frames, 6),
    }  # fmt: skip


def test_a_folder_of_one_file_a_frame(tmp_path: Path, rng: np.random.Generator) -> None:
    whole = _vhap(rng, code(rng, 300), 12)
    (tmp_path / "flame_param").mkdir()
    for frame in range(12):  # not in the order of their names as text
        one = {key: value[frame : frame + 1] for key, value in whole.items() if key != "shape"}
        np.savez(tmp_path / "flame_param" / f"{frame}.npz", shape=whole["shape"], **one)
    found = read_parameters(tmp_path / "flame_param")
    assert (found.convention, found.sequence, found.warnings) == ("vhap", True, [])
    np.savez(tmp_path / "whole.npz", **whole)
    expected = read_parameters(tmp_path / "whole.npz")
    assert expected.sequence
    for name, value in expected.parameters.as_mapping().items():
        np.testing.assert_array_equal(found.parameters.as_mapping()[name], value)
    with pytest.raises(UserError, match="give flame_param in it"):
        read_parameters(tmp_path)


def test_a_folder_of_frames_that_do_not_fit(tmp_path: Path, rng: np.random.Generator) -> None:
    for frame, width in enumerate((100, 100, 50)):
        content = _vhap(rng, np.ones(300), 1) | {"expr": code(rng, 1, width)}
        np.savez(tmp_path / f"{frame:05d}.npz", **content)
    with pytest.raises(UserError, match=r"00002\.npz: expr has 50 values a head, those before 100"):
        read_parameters(tmp_path)
    np.savez(tmp_path / "00002.npz", shape=np.ones(300), expr=np.ones(100))
    with pytest.raises(UserError, match=r"00002\.npz and those before do not both have eyes_pose"):
        read_parameters(tmp_path)
    np.savez(tmp_path / "00002.npz", betas=np.ones(300))
    with pytest.raises(UserError, match=r"00002\.npz is plain's, those before are vhap's"):
        read_parameters(tmp_path)
    np.save(tmp_path / "00002.npy", np.ones(300))
    with pytest.raises(UserError, match=r"00002\.npy holds no table"):
        read_parameters(tmp_path)


def test_a_frame_of_pixel3dmm_turns_about_the_origin(
    tmp_path: Path, model: FlameArrays, rng: np.random.Generator
) -> None:
    """Its mesh is R v + t of the mesh without R and t, as Pixel3DMM says."""

    def six(rotations: np.ndarray) -> np.ndarray:
        return rotation_matrices(rotations)[:, :2].reshape(1, -1)

    turn, jaw, neck, eyes = (turns(rng, count, 3).astype(float) for count in (1, 1, 1, 2))
    flame = {
        "shape": code(rng, 1, 7), "exp": code(rng, 1, 4), "jaw": six(jaw), "neck": six(neck),
        "eyes": six(eyes), "R": six(turn), "R_rotation_matrix": rotation_matrices(turn),
        "t": code(rng, 1, 3), "eyelids": np.zeros((1, 2)),
    }  # fmt: skip
    path = tmp_path / "00000.frame"
    path.write_bytes(archive({"flame": flame, "camera": {"R_base_0": np.eye(3)}}))
    found = read_parameters(path)
    assert (found.convention, found.warnings) == ("pixel3dmm", [])
    assert found.notes[0] == "ignored: camera, eyelids"
    np.testing.assert_allclose(found.parameters.neck_pose, neck, atol=1e-7)
    np.testing.assert_allclose(found.parameters.jaw_pose, jaw, atol=1e-7)
    moved, _ = for_model(found, model)
    still = FlameParameters.from_mapping({
        "betas": flame["shape"], "expression": flame["exp"], "jaw_pose": jaw, "neck_pose": neck,
        "leye_pose": eyes[:1], "reye_pose": eyes[1:],
    })  # fmt: skip
    head = Flame(model)
    expected = head.forward(still).vertices[0] @ rotation_matrices(turn)[0].T + flame["t"]
    np.testing.assert_allclose(head.forward(moved).vertices[0], expected, atol=1e-5)


def test_an_expression_of_cap4d_is_not_called_flames(npz: Path, rng: np.random.Generator) -> None:
    content = {
        "shape": code(rng, 150), "expr": code(rng, 4, 65), "rot": turns(rng, 4, 3),
        "tra": code(rng, 4, 3), "eye_rot": turns(rng, 4, 3), "neck_rot": turns(rng, 4, 3),
        "fx": np.ones((1, 1)), "fps": 25,
    }  # fmt: skip
    found = read(npz, **content)
    assert (found.convention, found.sequence, found.fps) == ("cap4d", True, 25.0)
    assert found.parameters.expression.shape == (4, 0)
    assert found.warnings[0].startswith("expr is left out: its components are CAP4D's own")
    assert found.warnings[1].startswith("neck_rot is left out, though its name is a pose's")
    np.testing.assert_array_equal(found.parameters.leye_pose, content["eye_rot"])
    np.testing.assert_array_equal(found.parameters.reye_pose, content["eye_rot"])
    found = read(npz, shape=content["shape"], expr=content["expr"])
    assert found.convention == "cap4d" and not found.parameters.expression.shape[1]


def test_tensors_of_gagavatars_tracker(tmp_path: Path, rng: np.random.Generator) -> None:
    def frame(number: int) -> dict:
        codes = {"shapecode": np.ones(100, np.float32), "expcode": code(rng, 50),
                 "posecode": turns(rng, 6), "eyecode": turns(rng, 6)}  # fmt: skip
        return {key: tensor(value, f"{number}{key}") for key, value in codes.items()}

    frames = {f"f_{number}.jpg": frame(number) for number in (10, 9)}
    (tmp_path / "tracked.pt").write_bytes(archive(frames))
    found = read_parameters(tmp_path / "tracked.pt")
    assert (found.convention, found.sequence, len(found.parameters)) == ("emoca", True, 2)
    nine = frames["f_9.jpg"]["expcode"].parts[0].array
    np.testing.assert_array_equal(found.parameters.expression[0], nine)
    assert found.parameters.reye_pose.any()


SHAPES = {"one axis": (50,), "two": (4, 50), "one before": (1, 4, 50), "one between": (4, 1, 50)}


@pytest.mark.parametrize("case", SHAPES)
def test_axes_of_one(npz: Path, rng: np.random.Generator, case: str) -> None:
    exp, shape = code(rng, *SHAPES[case]), code(rng, 1, 1, 100)
    found = read(npz, shape=shape, exp=exp)
    np.testing.assert_array_equal(found.parameters.expression, exp.reshape(-1, 50))
    assert found.sequence == (exp.size > 50)


POSE_SHAPES = {"flat": (5, 3), "an axis of one": (5, 1, 3), "batch of one": (1, 5, 3)}


@pytest.mark.parametrize("form", ["axis-angle", "matrices"])
@pytest.mark.parametrize("case", POSE_SHAPES)
def test_rotations(npz: Path, rng: np.random.Generator, case: str, form: str) -> None:
    jaw = turns(rng, 5, 3).astype(float)
    stored = jaw.reshape(POSE_SHAPES[case])
    found = read(npz, jaw_pose=stored if form == "axis-angle" else rotation_matrices(stored))
    np.testing.assert_allclose(found.parameters.jaw_pose, jaw, atol=1e-7)


@pytest.mark.parametrize("joints", [2, 5])
@pytest.mark.parametrize("form", ["rows", "joints apart", "matrices"])
def test_poses_of_deca(npz: Path, rng: np.random.Generator, joints: int, form: str) -> None:
    turned = turns(rng, 4, joints, 3).astype(float)
    stored = {"rows": turned.reshape(4, -1), "joints apart": turned,
              "matrices": rotation_matrices(turned)}[form]  # fmt: skip
    found = read(npz, shape=code(rng, 4, 100), pose=stored).parameters
    names = POSES if joints == 5 else ("global_orient", "jaw_pose")
    np.testing.assert_allclose(
        np.stack([getattr(found, name) for name in names], axis=1), turned, atol=1e-7
    )


def test_one_matrix_is_one_head_and_three_rows_are_three(npz: Path) -> None:
    turn = np.array([[0.1, 0.2, 0.3]])
    found = read(npz, jaw_pose=rotation_matrices(turn)[0]).parameters
    np.testing.assert_allclose(found.jaw_pose, turn, atol=1e-7)
    assert len(read(npz, jaw_pose=0.1 * np.eye(3)).parameters) == 3
    assert len(read(npz, betas=np.ones(3), transl=np.eye(3)).parameters) == 3
    with pytest.raises(UserError, match=r"jaw_pose of shape \(1, 3, 3\) holds no rotation"):
        read(npz, jaw_pose=0.1 * np.eye(3)[None])


@pytest.mark.parametrize("dtype", [">f4", "<f8", "f2", "i1", "U8", "S8"])
def test_types_of_numbers(npz: Path, dtype: str) -> None:
    found = read(npz, betas=np.array([[1, -2, 3]]).astype(dtype)).parameters
    assert found.betas.dtype == np.float64 and found.betas.dtype.isnative
    np.testing.assert_array_equal(found.betas, [[1, -2, 3]])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_whatever_unicode(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_bytes('{"betas": [["0.5", 1.0]]}'.encode(encoding))
    found = read_parameters(tmp_path / "a.json").parameters.betas
    np.testing.assert_array_equal(found, [[0.5, 1.0]])


@pytest.mark.parametrize("text", ["0.5,-1e0\n", "0.5 -1", "0.5;-1;\n\n", "\ufeff0.5\t-1.0"])
def test_a_table_of_numbers(tmp_path: Path, text: str) -> None:
    (tmp_path / "someone.csv").write_text(text, encoding="utf-8")
    found = read_parameters(tmp_path / "someone.csv")
    assert found.convention == "vector"
    np.testing.assert_array_equal(found.parameters.betas, [[0.5, -1.0]])


def test_heads_and_frames_in_lists_and_tables(tmp_path: Path) -> None:
    heads = [{"betas": [0.5]}, {"betas": [0.7]}]
    frames = {"10": {"betas": [0.5], "expression": [2.0]}, "9": {"betas": [0.5], "expression": [1]}}
    contents = {
        "heads": heads,
        "frames": frames,
        "wrapped": {"flame_params": heads[1], "camera": {}},
    }
    found = {}
    for name, content in contents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        found[name] = read_parameters(tmp_path / f"{name}.json")
    np.testing.assert_array_equal(found["heads"].parameters.betas, [[0.5], [0.7]])
    assert not found["heads"].sequence and found["frames"].sequence
    np.testing.assert_array_equal(found["frames"].parameters.expression, [[1.0], [2.0]])
    np.testing.assert_array_equal(found["wrapped"].parameters.betas, [[0.7]])


def test_pickled_arrays_in_an_npz(npz: Path) -> None:
    found = read(npz, codes=np.array({"shape": np.ones(100), "exp": np.zeros(50)}, object))
    assert (found.convention, found.parameters.betas.shape) == ("deca", (1, 100))


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        ({"jaw_pose": [[15.0, 0, 0]]}, ["jaw_pose of head 0 is 15 about x: degrees?"]),
        (
            {"neck_pose": [[0, 0, 0], [0, -20.0, 0]]},
            ["neck_pose of head 1 is -20 about y"],
        ),
        ({"global_orient": [[0, 90.0, 0]]}, ["global_orient of head 0 is 90 about y: degrees?"]),
        ({"leye_pose": [[0, 5.0, 0]]}, ["leye_pose of head 0 is 5 about y: degrees?"]),
        ({"transl": [[0, 0, 600.0]]}, ["transl goes up to 600: millimetres?"]),
        ({"jaw_pose": [[1.5, 0, 0]], "global_orient": [[3.1, 0, 0]]}, []),
        ({"shape": np.ones(9), "pose": [0, 0, 0, 20.0, 0, 0]}, ["pose of head 0 is 20 about x"]),
    ],
)
def test_degrees_and_millimetres_are_suspected(
    npz: Path, content: dict[str, object], warned: list[str]
) -> None:
    found = read(npz, **content)
    assert len(found.warnings) == len(warned)
    for line, start in zip(found.warnings, warned, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("extra", "warned"),
    [(key, True) for key in ("neck_code_pose", "head_rotation", "gaze", "jaw", "eyes")]
    + [(key, False) for key in ("cam_pose", "texture", "protocol", "eyelids")],
)
def test_a_pose_that_is_left_out_is_a_warning(npz: Path, extra: str, warned: bool) -> None:
    found = read(npz, betas=np.ones(3), **{extra: np.ones(3)})
    assert any(line.startswith(f"{extra} is left out") for line in found.warnings) == warned
    assert (f"ignored: {extra}" in found.notes) != warned


def test_errors_have_the_files_own_keys(npz: Path, model: FlameArrays) -> None:
    with pytest.raises(UserError, match=r"a\.npz: shape has 2 rows and exp 3"):
        read(npz, shape=np.ones((2, 9)), exp=np.ones((3, 9)))
    with pytest.raises(UserError, match="pose and head_pose both say global_orient"):
        read(npz, shape=np.ones(9), head_pose=np.ones(3), pose=np.ones(6), neck_pose=np.ones(3))

    with pytest.raises(UserError, match="identity has 300 components and the model") as caught:
        for_model(read(npz, identity=np.ones(300)), model)
    assert caught.value.need == Need(Remedy.CHOOSE_FLAME, "FLAME 2020")
    with pytest.raises(UserError, match="exp has 50 components and the model"):
        for_model(read(npz, exp=np.ones(50)), model)


def test_a_pointer_and_a_page(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(UserError, match=r"a\.npz is a Git LFS pointer"):
        read_parameters(path)
    path.write_bytes(b"<!DOCTYPE html><html></html>")
    with pytest.raises(UserError, match=r"a\.npz is a web page"):
        read_parameters(path)


def test_a_pickled_list_of_heads(tmp_path: Path) -> None:
    heads = np.array([{"betas": np.ones(3)}, {"betas": np.zeros(3)}], object)
    np.save(tmp_path / "a.npy", heads, allow_pickle=True)
    found = read_parameters(tmp_path / "a.npy").parameters.betas
    np.testing.assert_array_equal(found, [[1, 1, 1], [0, 0, 0]])


def test_pickled_codes_of_any_protocol(tmp_path: Path) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / f"a{protocol}.pkl"
        path.write_bytes(pickle.dumps({"shape": np.ones((1, 100)), "exp": np.ones(50)}, protocol))
        assert read_parameters(path).convention == "deca"
