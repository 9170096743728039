# SPDX-License-Identifier: GPL-3.0-or-later
"""The 68 points of iBUG / Multi-PIE on a mesh: a triangle and barycentric coordinates each.

Order (Sagonas et al., "300 Faces In-The-Wild Challenge", 2013, numbered from 0; right is the
subject's right, x < 0): jaw 0-16 from the right ear to the left one, right brow 17-21, left brow
22-26, bridge of the nose 27-30, nostrils 31-35, right eye 36-41, left eye 42-47, lips outside
48-59, lips inside 60-67.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..arrays import AnyArray
from ..artifacts import parse_npz, read_file
from ..errors import UserError
from .correspondence import SurfacePoints
from .flame.safe_pickle import load_pickle

LANDMARK_COUNT = 68
_CONTOUR, _STATIC = 17, 51  # the jaw's points, which FLAME keeps apart, and the others
_WITH_PUPILS = 70  # as some trackers have it: the 68, then two that no iBUG order knows
_DYNAMIC_FILE = "flame_dynamic_embedding.npy"
_REMEDY = (
    "give landmark_embedding.npy as DECA distributes it, or flame_static_embedding.pkl with"
    f" {_DYNAMIC_FILE} beside it, or an .npz with landmark_triangle (68,) and landmark_bary (68, 3)"
)
_KEYS = (  # DECA's; FLAME's own; ours
    ("full_lmk_faces_idx", "full_lmk_bary_coords"),
    ("lmk_face_idx", "lmk_b_coords"),
    ("landmark_triangle", "landmark_bary"),
)
_TOLERANCE = 1e-3  # by which barycentric coordinates may miss zero and their sum one


def read_landmark_embedding(path: Path, triangle_count: int) -> SurfacePoints:
    """Read the 68 points of a file for a mesh of `triangle_count` triangles.

    Reads DECA's landmark_embedding.npy, also one of 70 points, of which the first 68 serve; FLAME's
    flame_static_embedding.pkl if the dynamic contour lies beside it (that of a head seen from the
    front is taken); and an .npz with the keys of either or of models/anny_head.npz. UserError that
    names the file, the key, what was found and what was expected; nothing in a pickle is run.
    """
    found = _read_table(path)
    indices, weights = next(
        (pair for pair in _KEYS if pair[0] in found and pair[1] in found), (None, None)
    )
    if indices is None or weights is None:
        keys = ", ".join(sorted(map(str, found)))[:120] or "no keys"
        raise UserError(f"{path} holds {keys}, but no landmarks: {_REMEDY}")
    triangle, bary = _numbers(found, indices, path), _numbers(found, weights, path)
    if triangle.size == _STATIC:
        contour, spots = _frontal_contour(path)
        triangle = np.concatenate([contour, triangle.ravel()])
        bary = np.concatenate([spots, bary.reshape(-1, 3)])
    return _checked(triangle, bary, (indices, weights), triangle_count, path)


def _frontal_contour(path: Path) -> tuple[AnyArray, AnyArray]:
    """The jaw's 17 points from the file beside `path`: its first row is for a yaw of zero."""
    beside = path.with_name(_DYNAMIC_FILE)
    if not beside.exists():
        raise UserError(
            f"{path} holds {_STATIC} landmarks, not {LANDMARK_COUNT}: the jaw's {_CONTOUR} are in"
            f" {_DYNAMIC_FILE}, put it beside; or give DECA's landmark_embedding.npy, which has all"
        )
    found = _read_table(beside)
    indices, weights = _KEYS[1]
    for key in (indices, weights):
        if key not in found:
            raise UserError(f"{beside} lacks {key}: get the file again from its original source")
    triangle, bary = _numbers(found, indices, beside), _numbers(found, weights, beside)
    if triangle.ndim != 2 or triangle.shape[1] != _CONTOUR:
        _fail(beside, indices, f"of shape {triangle.shape}", f"(yaws, {_CONTOUR})")
    if bary.shape != (*triangle.shape, 3):
        _fail(beside, weights, f"of shape {bary.shape}", f"{(*triangle.shape, 3)}")
    return triangle[0], bary[0]


def _checked(
    triangle: AnyArray,
    bary: AnyArray,
    keys: tuple[str, str],
    triangle_count: int,
    path: Path,
) -> SurfacePoints:
    """The 68 points; UserError unless shapes, triangles and barycentric coordinates are right."""
    indices, weights = keys
    if triangle.size == _WITH_PUPILS and bary.size == 3 * _WITH_PUPILS:
        triangle = triangle.reshape(-1)[:LANDMARK_COUNT]
        bary = bary.reshape(-1, 3)[:LANDMARK_COUNT]
    if triangle.size != LANDMARK_COUNT:
        _fail(path, indices, f"of shape {triangle.shape}", f"({LANDMARK_COUNT},)")
    if bary.size != 3 * LANDMARK_COUNT or bary.shape[-1] != 3:
        _fail(path, weights, f"of shape {bary.shape}", f"({LANDMARK_COUNT}, 3)")
    if (triangle != np.floor(triangle)).any() or not (
        0 <= triangle.min() <= triangle.max() < triangle_count
    ):
        _fail(
            path,
            indices,
            f"from {triangle.min():g} to {triangle.max():g}",
            f"triangles of this model, 0 to {triangle_count - 1}",
        )
    off = float(np.abs(bary.sum(-1) - 1.0).max())
    if bary.min() < -_TOLERANCE or off > _TOLERANCE:
        _fail(
            path,
            weights,
            f"from {bary.min():g} up and {off:g} from one in sum",
            "three shares of one each",
        )
    return SurfacePoints(
        triangle.reshape(-1).astype(np.intp), bary.reshape(-1, 3).astype(np.float64)
    )


def _numbers(found: Mapping[Any, Any], key: str, path: Path) -> AnyArray:
    """An array of finite numbers."""
    try:
        values = np.asarray(found[key])
    except ValueError:  # rows of unlike lengths
        _fail(path, key, "rows of unlike lengths", "an array of numbers")
    if values.dtype.kind not in "iuf":
        _fail(path, key, f"of type {values.dtype}", "an array of numbers")
    if not np.isfinite(values).all():
        _fail(path, key, "NaN or infinite values", "finite numbers")
    return values


def _fail(path: Path, key: str, found: str, expected: str) -> NoReturn:
    raise UserError(f"{path}: {key} is {found}, expected {expected}: {_REMEDY}")


def _read_table(path: Path) -> Mapping[Any, Any]:
    """The arrays by key in an .npz, a pickle, or an .npy around a pickle; told by content."""
    data = read_file(path, _REMEDY)
    if data.startswith(b"PK\x03\x04"):
        return parse_npz(data, path, _REMEDY)
    if data.startswith(np.lib.format.MAGIC_PREFIX):
        data = _pickle_in_npy(data, path)
    found = load_pickle(data, path, skip_tensors=True)  # DECA's file has both
    if isinstance(found, np.ndarray) and found.size == 1:
        found = found.item()
    if not isinstance(found, dict):
        raise UserError(f"{path} holds a {type(found).__name__}, not a table of arrays: {_REMEDY}")
    return found


def _pickle_in_npy(data: bytes, path: Path) -> bytes:
    """What follows the header of an .npy of objects; np.load would run it."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            *_, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            *_, dtype = np.lib.format.read_array_header_2_0(stream)
    except (ValueError, EOFError) as error:
        raise UserError(f"{path} is not a whole .npy file ({error}): {_REMEDY}") from None
    if not dtype.hasobject:
        raise UserError(f"{path} holds numbers of type {dtype}, not a table: {_REMEDY}")
    return stream.read()
