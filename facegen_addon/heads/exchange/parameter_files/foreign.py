# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognises files of other models and other data that could be mistaken for FLAME's parameters.

A table by its keys, a lone array by type and shape (and the file's name). Every function returns
a description that completes "FILE holds ..." (a table) or "ARRAY is ...", or None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from ....arrays import AnyArray

MOST_COMPONENTS = 400
"""FLAME's files have 300 components of shape and 100 of expression; no code is longer."""

_BODY_KEYS = {
    "body_pose", "left_hand_pose", "right_hand_pose", "lhand_pose", "rhand_pose", "hand_pose",
    "pose_body", "pose_hand", "root_orient", "poses", "dmpls", "thetas", "smpl_poses",
    "smplx_poses", "full_body_pose", "mocap_framerate", "surface_model_type", "body_pose_axis",
}  # fmt: skip
_BODY_WIDTHS = {
    45: "MANO", 48: "MANO", 51: "MANO", 63: "SMPL-X", 69: "SMPL", 72: "SMPL", 144: "SMPL",
    156: "SMPL+H, as in AMASS", 159: "SMPL-X", 162: "SMPL-X", 165: "SMPL-X, as in AMASS and BEAT2",
}  # fmt: skip
_POSE_KEYS = ("poses", "pose", "fullpose", "full_pose", "thetas", "body_pose", "hand_pose")
_HEAD_WIDTH = 15  # of the poses of all of FLAME's joints
_HAND_KEYS = {"hand_pose", "lhand_pose", "rhand_pose"}

_MASKS = {"eye_region", "forehead", "lips", "scalp", "left_eyeball", "right_eyeball", "boundary"}
_TABLES: tuple[tuple[set[str], str], ...] = (
    ({"v_template", "shapedirs"}, "a head model, not parameters of one; give it as the model"),
    ({"full_lmk_faces_idx"}, "an embedding of landmarks, not parameters"),
    ({"lmk_face_idx"}, "an embedding of landmarks, not parameters"),
    ({"landmark_triangle"}, "an embedding of landmarks, not parameters"),
    ({"tex_dir", "mean"}, "a space of textures, not parameters"),
    ({"MU", "PC"}, "a space of textures, not parameters"),
    ({"state_dict"}, "the weights of a network, not parameters of a face"),
)
_BASEL = ({"id", "exp"}, {"id_coeff"}, {"coeff"}, {"coeff_3dmm"}, {"alpha_shp"})
_SHAPE_KEYS = {"shape", "betas", "shapecode", "shape_params", "identity"}
_UNKNOWN_TABLES = (
    (re.compile("vert|^v$|^mesh", re.I), "a mesh or a motion of its vertices, not parameters"),
    (re.compile("lmk|landmark|kpt|keypoint", re.I), "landmarks, not parameters"),
    (re.compile(r"\.(weight|bias)$"), "the weights of a network, not parameters of a face"),
    (re.compile("mask|segment", re.I), "masks, not parameters"),
    (re.compile("flame_param_path"), "a list of images; give the folder that its flame_param_path"
     " name"),
)  # fmt: skip

_VERTICES = {5023, 5143, 4538, 6890, 10475, 778, 35709}  # FLAME, VHAP's, ours, SMPL, -X, MANO, BFM
_POINTS = {"2": "landmarks in an image", "3": "points in space"}
_LARGEST_CODE = 50.0  # standard deviations: beyond, numbers are pixels or indices
_WIDTHS = {
    51: "ARKit's coefficients of expression",
    52: "ARKit's coefficients of expression",
    53: "a motion: 50 components of expression and 3 of the jaw's pose",
    56: "a motion: 50 components of expression and 6 of pose",
    62: "3DDFA's parameters of the Basel Face Model",
    64: "an expression of the Basel Face Model",
    70: "SadTalker's coefficients of the Basel Face Model",
    73: "SadTalker's coefficients of the Basel Face Model",
    103: "a motion: 100 components of expression and 3 of the jaw's pose",
    106: "a motion: 100 components of expression and 6 of pose",
    128: "a code of style or detail",
    136: "68 landmarks in an image",
    140: "70 landmarks in an image",
    204: "68 landmarks in space",
    236: "all that DECA's encoder says, which its own code splits",
    257: "coefficients of the Basel Face Model",
    256: "a latent or a code of style",
}
_MOTIONS = (72, 156, 159, 162, 165)
_SHAPE_WORDS = {"shape", "shapecode", "betas", "identity", "id"}
_WORDS = {
    "a code of expression": {"exp", "expr", "expression", "expressions", "expcode"},
    "a pose": {"pose", "poses", "posecode", "jawpose", "globalpose", "neckpose", "eyepose", "rot"},
    "landmarks": {"lmk", "lmks", "landmark", "landmarks", "kpt", "kpts", "keypoints"},
    "a blend shape of the lids": {"eyelid", "eyelids"},
    "vertices or their offsets": {"vertices", "verts", "template", "offset", "offsets"},
    "a mask": {"mask", "masks"},
    "a code of another kind": {
        "tex", "texture", "texcode", "light", "lightcode", "cam", "camera", "detail", "detailcode",
        "style", "emotion", "motion", "latent", "latents", "embedding", "arcface", "audio",
    },
}  # fmt: skip
"""Description -> words of a file's name that call for it; for arrays that could be shape codes."""


def joined_expression(width: int) -> str | None:
    """Describe an expression that by its width has the jaw's or all poses behind it; else None."""
    described = _WIDTHS.get(width)
    if described is None or not described.startswith("a motion"):
        return None
    return f"{described}; split them"


def describe_table(content: Mapping[str, Any]) -> str | None:
    """Describe a table that is not FLAME's, even if it shares keys with FLAME's; else None."""
    keys = set(content)
    body = _body(content)
    if body:
        return body
    for needed, description in _TABLES:
        if needed <= keys:
            return description
    if any(needed <= keys for needed in _BASEL) and not keys & _SHAPE_KEYS:
        return "coefficients of the Basel Face Model or another, not of FLAME"
    if len(keys & _MASKS) > 1:
        return "masks of FLAME's regions, not parameters"
    return None


def describe_unknown_table(content: Mapping[str, Any]) -> str | None:
    """Describe a table that has no key of a FLAME parameter; None if it is of no known kind."""
    for key in content:
        for pattern, description in _UNKNOWN_TABLES:
            if pattern.search(key):
                return description
    return None


def _body(content: Mapping[str, Any]) -> str | None:
    width = next((_width(content[key]) for key in _POSE_KEYS if key in content), 0)
    found = sorted(_BODY_KEYS & set(content))
    if found == ["poses"] and width <= _HEAD_WIDTH:
        return None
    if not found and width in _BODY_WIDTHS:
        found = [key for key in _POSE_KEYS if key in content]
    if not found:
        return None
    model = _BODY_WIDTHS.get(width, "SMPL or SMPL-X")
    if width == 63 or {"jaw_pose", "expression"} & set(content):
        model = "SMPL-X"
    if set(found) <= _HAND_KEYS or model == "MANO":
        return f"parameters of a hand, {model} ({', '.join(found)}), not of FLAME's head"
    return (
        f"parameters of a whole body, {model} ({', '.join(found)}), whose betas and expressions"
        " are components of that body, not of FLAME's head"
    )


def _width(value: Any) -> int:
    """Numbers in the last axes of a pose: (N, 156) as (N, 52, 3)."""
    shape = np.shape(value) if isinstance(value, np.ndarray) else _list_shape(value)
    if len(shape) >= 2 and shape[-1] == 3 and shape[-2] > 5:
        return 3 * int(shape[-2])
    return int(shape[-1]) if shape else 0


def _list_shape(value: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = ()
    while isinstance(value, list):
        shape += (len(value),)
        value = value[0] if value else None
    return shape


def describe_code(array: Annotated[AnyArray, "..."]) -> str | None:
    """Describe an array in the place of a code of shape or expression; None if it may be one."""
    if array.dtype.kind == "b":
        return "a mask"
    if array.dtype.kind in "iu" and array.size and np.abs(array.astype(float)).max() > 10:
        return "a list of indices or an image: whole numbers"
    if array.dtype.kind not in "fiu" or not array.ndim or not array.size:
        return None
    if array.ndim > 1 and array.shape[-1] == 3 and array.shape[-2] in _VERTICES:
        return f"{array.shape[-2]:,} vertices or their offsets"
    if array.ndim >= 3 and array.shape[-1] in (2, 3) and array.shape[-2] > 4:
        return f"{_points(array.shape)} in each of {array.shape[0]:,} frames"
    if array.shape[-1] > MOST_COMPONENTS:
        return f"of {array.shape[-1]:,} numbers a row, vertices, a mask or a latent"
    return None


def _points(shape: tuple[int, ...]) -> str:
    return f"{shape[-2]:,} {_POINTS[str(shape[-1])]}"


def describe_lone_array(array: Annotated[AnyArray, "..."], stem: str) -> str | None:
    """Describe an array without a name, of a file called `stem`; None if it may be a shape code."""
    if array.dtype.kind == "c":
        return "complex numbers"
    if array.dtype.kind not in "bfiu":
        return None
    described = describe_code(array)
    if described:
        return described
    width = array.shape[-1] if array.ndim else 0
    if array.ndim == 2 and width in (2, 3) and len(array) > 4:  # fewer may be heads
        return _points(array.shape)
    if array.shape in ((3, 3), (3, 4), (4, 4)):
        return "a matrix, of a camera or a rotation"
    if width in _MOTIONS:
        return f"a motion of a whole body ({_BODY_WIDTHS[width]}), by its {width} numbers"
    if width in _WIDTHS:
        return f"{_WIDTHS[width]}, by its {width} numbers"
    words = set(re.findall("[a-z]+", stem.lower()))
    for description, named in _WORDS.items():
        if words & named and not words & _SHAPE_WORDS:
            return f"{description}, by its name"
    largest = np.abs(array[np.isfinite(array)]).max(initial=0)
    if largest > _LARGEST_CODE:
        return f"numbers up to {largest:g}, more than any standard deviations"
    return None
