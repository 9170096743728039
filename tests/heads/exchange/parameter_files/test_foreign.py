# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no parameter of FLAME's is called what it is, by name, and never read as a face."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.flame_codes import read_parameters


def _some(*shape: int) -> np.ndarray:
    return np.linspace(-0.5, 0.5, int(np.prod(shape))).reshape(shape)


BODY = {"betas": _some(16), "trans": _some(6, 3)}
TABLES: dict[str, tuple[dict, str]] = {
    "AMASS": (BODY | {"poses": _some(6, 156), "dmpls": _some(6, 8)}, r"whole body, SMPL\+H, as in"),
    "AMASS of SMPL-X": (BODY | {"poses": _some(6, 165)}, "SMPL-X, as in AMASS and BEAT2"),
    "AMASS in parts": (BODY | {"root_orient": _some(6, 3), "pose_body": _some(6, 63)}, "body"),
    "joints apart": (BODY | {"poses": _some(6, 52, 3)}, r"whole body, SMPL\+H"),
    "BEAT2": (
        {"betas": _some(300), "expressions": _some(9, 100), "poses": _some(9, 165)},
        "whole body, SMPL-X",
    ),
    "SMPL": (BODY | {"pose": _some(1, 72)}, r"whole body, SMPL \(pose\)"),
    "smplx": (
        {"betas": _some(1, 10), "expression": _some(1, 10), "body_pose": _some(1, 63),
         "jaw_pose": _some(1, 3), "left_hand_pose": _some(1, 45)},
        "whole body, SMPL-X",
    ),
    "MANO": ({"betas": _some(1, 10), "pose": _some(1, 48)}, "of a hand, MANO"),
    "a hand": ({"betas": _some(1, 10), "hand_pose": _some(1, 45)}, "of a hand"),
    "PIXIE": ({"shape": _some(200), "exp": _some(50), "body_pose": _some(21, 3)}, "whole body"),
    "a head model": ({"v_template": _some(9, 3), "shapedirs": _some(9, 3, 2)}, "a head model"),
    "landmarks of DECA": ({"full_lmk_faces_idx": np.arange(68)}, "an embedding of landmarks"),
    "landmarks of FLAME": ({"lmk_face_idx": np.arange(51), "shape": _some(9)}, "an embedding of"),
    "FLAME_masks": ({"scalp": np.arange(9), "lips": np.arange(3), "neck": np.arange(4)}, "masks"),
    "textures": ({"mean": _some(4, 4, 3), "tex_dir": _some(4, 4, 3, 2)}, "a space of textures"),
    "Deep3D": ({"id": _some(1, 80), "exp": _some(1, 64), "trans": _some(1, 3)}, "Basel Face Model"),
    "GaussianHeadAvatar": ({"id_coeff": _some(100), "exp_coeff": _some(64), "pose": _some(6)},
                           "Basel Face Model or another"),
    "SadTalker": ({"coeff_3dmm": _some(9, 73)}, "Basel Face Model"),
    "a mesh": ({"vertices": _some(5, 3), "faces": np.arange(6).reshape(2, 3)}, "a mesh"),
    "landmarks": ({"lmk2d": _some(68, 2)}, "landmarks, not parameters"),
    "weights": ({"layer.0.weight": _some(3, 3), "layer.0.bias": _some(3)}, "weights of a network"),
    "a pose alone": ({"pose": _some(6), "K": np.eye(3)}, "none of which is a FLAME parameter's"),
    "a camera": ({"rotation": np.eye(3), "translation": _some(3)}, "none of which"),
    "vertices as shape": ({"shape": _some(5023, 3)}, "shape is 5,023 vertices or their offsets"),
    "vertices in time": ({"betas": _some(2, 5023, 3)}, "betas is 5,023 vertices"),
    "a mask as shape": ({"shape": np.ones(100, bool)}, "shape is a mask"),
    "a size as shape": ({"shape": np.array([512, 512]), "exp": _some(50)}, "shape is a list of"),
    "a latent as shape": ({"shape": _some(512)}, "shape is of 512 numbers a row"),
        "a column": ({"shape": _some(100, 1)}, "shape is a column of 100 numbers"),
    "CAP4D's expression alone": ({"expr": _some(4, 65)}, "expr is left out: its components are C"),
    "expression and jaw": ({"exp": _some(9, 53)}, "exp has 53 values a head: a motion: 50 comp"),
    "expression and pose": ({"exp": _some(9, 106), "shape": _some(100)}, "exp has 106 values"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_a_table_of_something_else(tmp_path: Path, case: str) -> None:
    content, message = TABLES[case]
    path = tmp_path / "a.npz"
    np.savez(path, **content)
    with pytest.raises(UserError, match=message) as caught:
        read_parameters(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_lists_are_recognised_as_arrays_are(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"betas": [0.1] * 10, "pose": [[0.0] * 72]}))
    with pytest.raises(UserError, match="whole body, SMPL"):
        read_parameters(path)
    path.write_text(json.dumps({"0": {"poses": [[0.0] * 165], "betas": [0.1] * 16}}))
    with pytest.raises(UserError, match="frame 0 holds parameters of a whole body, SMPL-X"):
        read_parameters(path)
    path.write_text(json.dumps({"frames": [{"flame_param_path": "flame_param/00000.npz"}]}))
    with pytest.raises(UserError, match="give the folder"):
        read_parameters(path)


ARRAYS: dict[str, tuple[str, np.ndarray, str]] = {
    "offsets": ("l_eyelid", 1e-3 * _some(5023, 3), "5,023 vertices or their offsets"),
    "a template": ("someone", _some(5023, 3), "5,023 vertices"),
    "flat vertices in time": ("seq", _some(4, 15069), "of 15,069 numbers a row, vertices"),
    "vertices in time": ("seq", _some(4, 5023, 3), "5,023 vertices"),
    "landmarks": ("someone", 100 + _some(68, 2), "68 landmarks in an image"),
    "landmarks in space": ("someone", _some(478, 3), "478 points in space"),
    "landmarks in time": ("someone", _some(7, 68, 2), "68 landmarks in an image in each of 7"),
    "flat landmarks": ("someone", _some(136), "68 landmarks in an image, by its 136"),
    "pixels": ("someone", 300 * _some(90), "numbers up to 150, more than any"),
    "a mask": ("someone", np.ones(5023, bool), "a mask"),
    "a mask of ints": ("someone", np.ones(5023, int), "of 5,023 numbers a row"),
    "indices": ("someone", np.arange(2094), "a list of indices"),
    "an image": ("someone", np.full((8, 8, 3), 200, np.uint8), "a list of indices or an image"),
    "a matrix": ("someone", np.eye(4), "a matrix"),
    "complex numbers": ("someone", _some(10).astype(complex), "complex numbers"),
    "a style": ("style", _some(128), "a code of style or detail"),
    "a latent": ("someone", _some(512), "of 512 numbers a row"),
    "ARKit": ("someone", _some(9, 52), "ARKit's coefficients"),
    "a motion": ("someone", _some(20, 106), "a motion: 100 components of expression and 6"),
    "another motion": ("expression", _some(10, 53), "a motion: 50 components of expression and 3"),
    "a body's motion": ("someone", _some(20, 165), "a motion of a whole body"),
    "an expression": ("expression", _some(1, 50), "a code of expression, by its name"),
    "no numbers at all": ("someone", np.full(136, np.nan), "68 landmarks in an image"),
    "a pose": ("jawpose", _some(3), "a pose, by its name"),
    "a texture": ("tex", _some(50), "a code of another kind"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_a_lone_array_of_something_else(tmp_path: Path, case: str) -> None:
    stem, array, message = ARRAYS[case]
    np.save(tmp_path / f"{stem}.npy", array)
    with pytest.raises(UserError, match=f"{stem}.npy is no shape code but {message}") as caught:
        read_parameters(tmp_path / f"{stem}.npy")
    assert "\n" not in str(caught.value)
    np.savez(tmp_path / f"{stem}.npz", array)  # under numpy's own name, arr_0
    with pytest.raises(UserError, match=f"{stem}.npz is no shape code but {message}"):
        read_parameters(tmp_path / f"{stem}.npz")


@pytest.mark.parametrize("shape", [(10,), (66,), (100,), (1, 100), (1, 1, 300), (3, 50), (400,)])
def test_a_lone_shape_code_is_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "someone.npy", _some(*shape))
    found = read_parameters(tmp_path / "someone.npy")
    np.testing.assert_array_equal(found.parameters.betas, _some(*shape).reshape(-1, shape[-1]))
    assert bool(found.warnings) == (len(found.parameters) > 1)


@pytest.mark.parametrize("stem", ["face", "my_face_001", "shape_exp3", "mesh-identity", "Anna"])
def test_names_that_a_shape_code_may_have(tmp_path: Path, stem: str) -> None:
    np.save(tmp_path / f"{stem}.npy", _some(100))
    assert read_parameters(tmp_path / f"{stem}.npy").convention == "vector"


def test_keys_that_only_look_foreign(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, id=np.array("img_01"), shape=_some(100), exp=_some(50), poses=_some(6))
    found = read_parameters(path)
    assert found.convention == "deca" and found.notes[0] == "ignored: id"
    assert found.warnings[0].startswith("poses is left out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,5;1,0", r"0,5 with a decimal comma: write 0\.5"),
        ("1,2\n3\n", "rows of different lengths"),
        ("Timecode,JawOpen\n1,0.5\n", "nor a table of numbers"),
        ('{"betas": ["0,5"]}', "the text '0,5'; expected numbers; write decimals with a point"),
    ],
)
def test_text_that_is_no_code(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "someone.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_parameters(tmp_path / "someone.csv")


_KEYS = st.sampled_from(
    ["betas", "shape", "exp", "pose", "expr", "rot", "frames", "flame", "jaw", "R", "t", "eyes",
     "shape_params", "poses", "id", "identity", "fps", "eye_rot", "0", "arr_0", "jaw_pose"]
)  # fmt: skip
_NUMBERS = st.one_of(
    st.floats(width=32), st.integers(-3, 10**20), st.booleans(), st.none(), st.text(max_size=3)
)
_VALUES = st.recursive(
    _NUMBERS | st.lists(_NUMBERS, max_size=15),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(content=st.lists(_VALUES, max_size=4) | st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_whatever_json_says_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "whatever.json"
    path.write_text(json.dumps(content))
    try:
        found = read_parameters(path)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert all(np.isfinite(value).all() for value in found.parameters.as_mapping().values())


@pytest.mark.parametrize("key", ["frames", "0", "flame", "betas"])
def test_tables_in_tables_in_tables(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(f'{{"{key}": ' * 500 + "1" + "}" * 500)
    with pytest.raises(UserError):
        read_parameters(path)
