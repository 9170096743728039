# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameter files of other programs: recognised, read, written, and refused with a reason."""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.flame_codes import (
    WRITABLE,
    WRITABLE_SUFFIXES,
    ImportedParameters,
    for_model,
    read_parameters,
    write_parameters,
)
from facegen_addon.heads.flame.model import POSES, FlameParameters
from facegen_addon.heads.skinning import rotation_matrices


def _code(rng: np.random.Generator, heads: int, width: int) -> np.ndarray:
    return rng.standard_normal((heads, width)).astype(np.float32)


def _save_npz(path: Path, content: dict) -> None:
    np.savez(path, **content)


def _save_npy(path: Path, content: dict) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.array(content, object), allow_pickle=True)


def _save_pickle(path: Path, content: dict) -> None:
    path.write_bytes(pickle.dumps(content))


def _save_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps({key: value.tolist() for key, value in content.items()}))


SAVERS = {".npz": _save_npz, ".npy": _save_npy, ".pkl": _save_pickle, ".json": _save_json}


@pytest.mark.parametrize("suffix", SAVERS)
def test_a_code_dictionary_of_deca(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    content = {
        "shape": _code(rng, 1, 100),
        "exp": _code(rng, 1, 50),
        "pose": _code(rng, 1, 6) / 9,
        "tex": _code(rng, 1, 50),
        "cam": _code(rng, 1, 3),
        "light": _code(rng, 1, 27),
        "detail": _code(rng, 1, 128),
    }
    path = tmp_path / f"codes{suffix}"
    SAVERS[suffix](path, content)
    found = read_parameters(path)
    assert found.convention == "deca"
    np.testing.assert_array_equal(found.parameters.betas, content["shape"])
    np.testing.assert_array_equal(found.parameters.expression, content["exp"])
    np.testing.assert_array_equal(found.parameters.global_orient, content["pose"][:, :3])
    np.testing.assert_array_equal(found.parameters.jaw_pose, content["pose"][:, 3:])
    assert not found.parameters.neck_pose.any()
    assert "ignored: cam, detail, light, tex" in found.notes
    assert any("FLAME 2020" in note for note in found.notes)


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_codes_of_emoca(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    content = {
        "shapecode": _code(rng, 2, 100),
        "expcode": _code(rng, 2, 50),
        "posecode": _code(rng, 2, 6) / 9,
        "texcode": _code(rng, 2, 50),
    }
    path = tmp_path / f"codes{suffix}"
    SAVERS[suffix](path, content)
    found = read_parameters(path)
    assert found.convention == "emoca"
    np.testing.assert_array_equal(found.parameters.betas, content["shapecode"])
    np.testing.assert_array_equal(found.parameters.jaw_pose, content["posecode"][:, 3:])
    assert "ignored: texcode" in found.notes


@pytest.mark.parametrize("split", [False, True])
def test_a_folder_of_emoca(tmp_path: Path, rng: np.random.Generator, split: bool) -> None:
    shape, exp, pose = _code(rng, 1, 100)[0], _code(rng, 1, 50)[0], _code(rng, 1, 6)[0] / 9
    poses = {"globalpose": pose[:3], "jawpose": pose[3:]} if split else {"pose": pose}
    for stem, value in {"shape": shape, "exp": exp, "detail": exp, **poses}.items():
        np.save(tmp_path / f"{stem}.npy", value)
    found = read_parameters(tmp_path)
    assert found.convention == "emoca"
    np.testing.assert_array_equal(found.parameters.betas[0], shape)
    np.testing.assert_array_equal(found.parameters.global_orient[0], pose[:3])
    np.testing.assert_array_equal(found.parameters.jaw_pose[0], pose[3:])
    assert "ignored: detail" in found.notes


@pytest.mark.parametrize("as_folder", [False, True])
def test_an_identity_of_mica(tmp_path: Path, rng: np.random.Generator, as_folder: bool) -> None:
    identity = _code(rng, 1, 300)[0]
    np.save(tmp_path / "identity.npy", identity)
    np.save(tmp_path / "kpt68.npy", _code(rng, 68, 3))
    found = read_parameters(tmp_path if as_folder else tmp_path / "identity.npy")
    assert found.convention == "mica"
    np.testing.assert_array_equal(found.parameters.betas[0], identity)
    with pytest.raises(UserError, match=r"kpt68\.npy is no shape code"):
        read_parameters(tmp_path / "kpt68.npy")


def test_a_lone_vector_is_shape(tmp_path: Path, rng: np.random.Generator) -> None:
    vector = _code(rng, 1, 17)[0]
    np.save(tmp_path / "someone.npy", vector)
    found = read_parameters(tmp_path / "someone.npy")
    assert found.convention == "vector"
    np.testing.assert_array_equal(found.parameters.betas[0], vector)


def test_plain_names_broadcast_one_row(tmp_path: Path, rng: np.random.Generator) -> None:
    betas, jaw = _code(rng, 1, 10)[0], _code(rng, 5, 3) / 9
    np.savez(tmp_path / "a.npz", betas=betas, jaw_pose=jaw, gender=np.array("neutral"))
    found = read_parameters(tmp_path / "a.npz")
    assert found.convention == "plain"
    assert found.parameters.betas.shape == (5, 10)
    np.testing.assert_array_equal(found.parameters.betas, np.tile(betas, (5, 1)))
    assert found.notes == ["ignored: gender"]


def test_a_sequence_of_vhap(tmp_path: Path, rng: np.random.Generator) -> None:
    content = {
        "shape": _code(rng, 1, 300)[0],
        "expr": _code(rng, 4, 100),
        "rotation": _code(rng, 4, 3) / 9,
        "translation": _code(rng, 4, 3),
        "neck_pose": _code(rng, 4, 3) / 9,
        "jaw_pose": _code(rng, 4, 3) / 9,
        "eyes_pose": _code(rng, 4, 6) / 9,
        "static_offset": np.zeros((1, 7, 3), np.float32),
    }
    np.savez(tmp_path / "flame_param.npz", **content)
    found = read_parameters(tmp_path / "flame_param.npz")
    assert found.convention == "vhap"
    assert found.parameters.betas.shape == (4, 300)
    np.testing.assert_array_equal(found.parameters.reye_pose, content["eyes_pose"][:, 3:])
    np.testing.assert_array_equal(found.parameters.transl, content["translation"])
    assert "ignored: static_offset" in found.notes


def _torch_zip(content: dict) -> bytes:
    """What torch.save writes for a dictionary of NumPy arrays."""
    return _zip(**{"archive/data.pkl": pickle.dumps(content, 2), "archive/version": b"3"})


def _zip(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _frame(rng: np.random.Generator, jaw: np.ndarray, eyes: np.ndarray) -> dict:
    def six(rotations: np.ndarray) -> np.ndarray:
        return rotation_matrices(rotations)[:, :2].reshape(1, -1)

    return {
        "flame": {
            "shape": _code(rng, 1, 300), "exp": _code(rng, 1, 100), "tex": _code(rng, 1, 150),
            "jaw": six(jaw), "eyes": six(eyes), "eyelids": _code(rng, 1, 2),
        },
        "camera": {"R": np.eye(3)[None]},
        "frame_id": "00000",
    }  # fmt: skip


def test_a_frame_of_metrical_tracker(tmp_path: Path, rng: np.random.Generator) -> None:
    jaw, eyes = np.array([[0.3, -0.05, 0.02]]), np.array([[0.1, 0.2, 0.0], [-0.3, 0.25, 0.0]])
    frame = _frame(rng, jaw, eyes)
    path = tmp_path / "00000.frame"
    path.write_bytes(_torch_zip(frame))
    found = read_parameters(path)
    assert found.convention == "tracker"
    np.testing.assert_array_equal(found.parameters.expression, frame["flame"]["exp"])
    np.testing.assert_allclose(found.parameters.jaw_pose, jaw, atol=1e-7)
    np.testing.assert_allclose(found.parameters.leye_pose, eyes[:1], atol=1e-7)
    np.testing.assert_allclose(found.parameters.reye_pose, eyes[1:], atol=1e-7)
    assert "ignored: camera, eyelids, frame_id, tex" in found.notes


def test_another_trackers_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "0.frame"
    path.write_bytes(_torch_zip({"flame": {"shape": np.zeros((1, 300)), "expr": np.zeros((1, 9))}}))
    with pytest.raises(UserError, match="flame has expr, shape but lacks exp, eyes, jaw"):
        read_parameters(path)


def _parameters(values: dict[str, np.ndarray]) -> FlameParameters:
    return FlameParameters.from_mapping(values)


@st.composite
def parameters(draw: st.DrawFn) -> FlameParameters:
    heads = draw(st.integers(1, 3))
    numbers = st.floats(-4, 4, width=32)
    codes = {
        name: draw(arrays(np.float32, (heads, draw(st.integers(0, most))), elements=numbers))
        for name, most in (("betas", 320), ("expression", 60))
    }
    rotations = {
        name: draw(arrays(np.float32, (heads, 3), elements=st.floats(-1, 1, width=32)))
        for name in (*POSES, "transl")
    }
    return FlameParameters.from_mapping(codes | rotations)


HELD = {
    "plain": {name: None for name in ("betas", "expression", *POSES, "transl")},
    "deca": {"betas": 100, "expression": 50, "global_orient": 3, "jaw_pose": 3},
    "emoca": {"betas": 100, "expression": 50, "global_orient": 3, "jaw_pose": 3},
    "mica": {"betas": 300},
}


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
@pytest.mark.parametrize("convention", WRITABLE)
@given(written=parameters())
def test_there_and_back(
    tmp_path_factory: pytest.TempPathFactory,
    convention: str,
    suffix: str,
    written: FlameParameters,
) -> None:
    """What a convention holds comes back bit by bit; all that it loses is said."""
    path = tmp_path_factory.mktemp("files") / f"heads{suffix}"
    lines = write_parameters(path, written, convention)
    found = read_parameters(path)
    assert found.convention == convention
    before, after = written.as_mapping(), found.parameters.as_mapping()
    for name, value in before.items():
        width = HELD[convention].get(name, 0)
        expected = np.zeros((len(value), value.shape[1] if width is None else width))
        shared = min(expected.shape[1], value.shape[1])
        expected[:, :shared] = value[:, :shared]
        if expected.shape[1]:
            np.testing.assert_array_equal(after[name], expected)
        lost = value[:, expected.shape[1] :].any()
        assert lost == any(line.startswith(name) for line in lines)


def test_a_file_is_replaced_only_by_a_complete_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "heads.npz"
    write_parameters(path, _parameters({"betas": np.ones((1, 4))}), "plain")
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(UserError, match="No space left"):
        write_parameters(path, _parameters({"betas": np.zeros((1, 4))}), "plain")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "convention", "message"),
    [
        ("heads.mat", "deca", r"heads\.mat does not end in \.npz or \.json"),
        ("heads.npz", "bfm", "unknown convention 'bfm'; choose from plain"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, convention: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_parameters(tmp_path / name, _parameters({"betas": np.ones((1, 4))}), convention)
    assert not list(tmp_path.iterdir())


def _npz(**content: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **content)
    return stream.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


class _Call:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch made_by_pickle",)


# Dictionaries of a tensor, as pickle and torch.save write them: its class is named, then called.
TORCH_PICKLE = b"\x80\x02}X\x05\x00\x00\x00shapectorch._utils\n_rebuild_tensor_v2\n)Rs."
TORCH_SAVED = b"\x80\x02}X\x05\x00\x00\x00shapectorch._utils\n_rebuild_tensor_v2\n(K\x00Qtr."
BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "unknown keys": ("a.npz", _npz(alpha=np.ones(3)), "keys alpha, none of which.*deca: shape"),
    "mixed": ("a.npz", _npz(betas=np.ones(3), exp=np.ones(3)), "mixes conventions.*exp is not"),
    "wrong pose width": ("a.npz", _npz(shape=np.ones(3), pose=np.ones(7)), "pose has 7 values"),
    "mica of 299": ("a.npz", _npz(identity=np.ones(299)), "identity has 299 .* mica has 300"),
    "three dimensions": ("a.npz", _npz(betas=np.ones((2, 2, 3))), r"betas .*shape \(2, 2, 3\)"),
    "nan": ("a.npz", _npz(betas=np.array([[0, 1], [0, np.nan]])), "betas of head 1 is nan at"),
    "infinite": ("a.npz", _npz(betas=np.array([np.inf])), "betas of head 0 is inf"),
    "nan in json": ("a.json", b'{"betas": [0, NaN]}', "betas of head 0 is nan"),
    "no rows": ("a.npz", _npz(betas=np.ones((0, 10))), r"betas has shape \(0, 10\)"),
    "no values": ("a.npz", _npz(betas=np.ones(0)), r"betas has shape \(0,\)"),
    "rows that differ": (
        "a.npz", _npz(betas=np.ones((2, 10)), expression=np.ones((3, 5))), r"a\.npz: .*2.*3",
    ),
    "texts": ("a.json", b'{"betas": ["a", "b"]}', "betas is of type <U1"),
    "ragged": ("a.json", b'{"betas": [[1, 2], [3]]}', "betas is a list"),
    "objects": ("a.json", b'{"betas": {"a": 1}}', "betas is a dict"),
    "a number": ("a.json", b'{"betas": 1.5}', r"betas .*shape \(\)"),
    "a list of text": ("a.json", b'["betas"]', "array is of type"),
    "broken json": ("a.json", b'{"betas": [1, 2', "not valid JSON"),
    "deep json": ("a.json", b"[" * 100_000, "not valid JSON"),
    "text": ("a.txt", b"betas 1 2 3", r"no \.npz, \.npy, \.json or \.pkl"),
    "text called pickle": ("a.pkl", b"betas 1 2 3", "not a whole pickle"),
    "empty": ("a.npz", b"", "is empty"),
    "truncated npz": ("a.npz", _npz(betas=np.ones(300))[:-200], "not a whole .npz"),
    "zip of text": ("a.zip", _zip(letter=b"dear"), "has the keys letter, none of which"),
    "truncated npy": ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "not a whole .npy"),
    "truncated pickle": ("a.pkl", pickle.dumps({"betas": np.ones(9)})[:-9], "not a whole pickle"),
    "hostile pickle": ("a.pkl", pickle.dumps({"betas": _Call()}), r"posix\.system|nt\.system"),
    "torch tensors": ("a.pkl", TORCH_PICKLE, r"torch tensors.*\.cpu\(\)\.numpy\(\)"),
    "torch archive": ("a.pt", _zip(**{"a/data.pkl": TORCH_SAVED}), "torch tensors"),
    "a pickled number": ("a.pkl", pickle.dumps(3), r"array is of type int.* shape \(\)"),
    "expression alone": ("exp.npy", _npy(np.ones((1, 50))), r"exp\.npy is no shape code"),
    "mixed objects": ("a.npy", _npy(np.array([1, "b"], object)), "array is a ndarray"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    name, data, message = BAD_FILES[case]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        read_parameters(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.npz is missing: give a parameter file"):
        read_parameters(tmp_path / "a.npz")
    with pytest.raises(UserError, match=r"holds no \.npy file; a folder of EMOCA has shape\.npy"):
        read_parameters(tmp_path)


def _imported(values: dict[str, np.ndarray]) -> ImportedParameters:
    return ImportedParameters("plain", _parameters(values), [])


SMALL_MODEL = SimpleNamespace(
    name="small", shape_basis=np.zeros((9, 3, 4)), expression_basis=np.zeros((9, 3, 0))
)


def test_zeros_beyond_a_models_components_are_cut_and_said() -> None:
    betas = np.pad(np.ones((2, 4)), ((0, 0), (0, 96)))
    given = _imported({"betas": betas, "expression": np.zeros((2, 50))})
    fitted, lines = for_model(given, SMALL_MODEL)
    np.testing.assert_array_equal(fitted.betas, np.ones((2, 4)))
    assert fitted.expression.shape == (2, 0)
    assert [line.split(":")[0] for line in lines] == ["betas", "expression"]
    assert for_model(ImportedParameters("plain", fitted, []), SMALL_MODEL)[1] == []


def test_components_that_a_model_lacks_are_refused() -> None:
    with pytest.raises(UserError, match="betas has 5 components and the model 'small' only 4"):
        for_model(_imported({"betas": np.ones((1, 5))}), SMALL_MODEL)
