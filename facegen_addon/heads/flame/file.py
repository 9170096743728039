# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in FLAME's layout (Li et al., "Learning a model of facial shape and expression from 4D
scans", 2017): read, checked, and cached.

Metres, Y up, the face looks along +Z, the subject's left at +X.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...arrays import AnyArray, Float32Array, FloatArray, Int32Array
from ...artifacts import parse_npz, read_file
from ...errors import UserError
from ...user_folder import user_folder
from .safe_pickle import load_pickle

JOINT_NAMES = ("root", "neck", "jaw", "eye_left", "eye_right")
# No distributed file says where identity ends and expression begins: these do it here.
_IDENTITY_COMPONENTS = 300
_LARGEST = 1e10  # more than the root's "parent" in kintree_table, 2**32 - 1; float32 holds it
_REMEDY = "give generic_model.pkl, flame2023.pkl or another file as distributed, or an .npz alike"
_ZIP = b"PK\x03\x04"
_OWN = "facegen_"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FlameArrays:
    """One checked FLAME-format model: V vertices, T triangles, S + E components, J joints.

    `parents[0]` is -1 and every parent comes before its children; `extras` are the arrays that the
    format does not know, under keys that begin with "facegen_".
    """

    name: str
    sha256: str
    template: Annotated[FloatArray, "V 3"]  # metres
    faces: Annotated[Int32Array, "T 3"]
    shape_basis: Annotated[
        Float32Array, "V 3 S"
    ]  # (V, 3, S), as views of (S, 3, V) in memory; so the others
    expression_basis: Annotated[Float32Array, "V 3 E"]
    pose_basis: Annotated[Float32Array, "V 3 P"]  # P = 9 (J - 1)
    joint_regressor: Annotated[FloatArray, "J V"]
    weights: Annotated[FloatArray, "V J"]  # each row sums to one
    parents: tuple[int, ...]
    uv: Annotated[Float32Array, "T 3 2"] | None  # a pair per corner
    extras: Mapping[str, AnyArray]


def read_flame_file(path: Path) -> FlameArrays:
    """Read the model in a distributed .pkl, or in an .npz with the same keys, told by content.

    Cached below the user's folder; UserError that names file, key, found and expected.
    """
    data = read_file(path, _REMEDY)
    sha256 = hashlib.sha256(data).hexdigest()
    cache = _cache_folder() / f"{sha256}.npz"
    try:
        return from_arrays(_parse(cache.read_bytes(), cache), path.stem, sha256, str(cache))
    except (OSError, UserError):  # not there yet, or damaged: made (again) from the file itself
        flame = from_arrays(_parse(data, path), path.stem, sha256, str(path))
    try:
        _write_cache(flame, cache)
    except OSError as error:
        _log.warning("%s was not cached: %s cannot be written (%s)", path, cache, error.strerror)
    return flame


def read_cached(sha256_prefix: str) -> FlameArrays:
    """Read the model of a file that was read before, by the first digits of its sha256."""
    remedy = "choose the FLAME file again"
    if not re.fullmatch("[0-9a-f]{8,64}", sha256_prefix):
        raise UserError(f"{sha256_prefix!r} is not the beginning of a sha256: {remedy}")
    found = sorted(_cache_folder().glob(f"{sha256_prefix}*.npz"))
    if not found:
        raise UserError(
            f"the FLAME file with sha256 {sha256_prefix}... is not known on this machine: {remedy}"
        )
    if len(found) > 1:
        raise UserError(f"sha256 {sha256_prefix}... could be {len(found)} FLAME files: {remedy}")
    (cache,) = found
    try:
        arrays = parse_npz(read_file(cache, remedy), cache, remedy)
        return from_arrays(arrays, str(arrays["cached_name"]), cache.stem, str(cache))
    except (KeyError, UserError):
        raise UserError(f"{cache} is damaged: {remedy}") from None


def from_arrays(arrays: Mapping[str, AnyArray], name: str, sha256: str, source: str) -> FlameArrays:
    """Check arrays in hand; UserError that names `source`, the key, what was found and expected.

    Keys: v_template (V, 3), f or faces (T, 3), shapedirs (V, 3, S + E), posedirs (V, 3, P), (P, V,
    3) or (P, 3 V) with P = 9 (J - 1), J_regressor (J, V), weights (V, J), kintree_table (2, J) or
    parents (J,); optional: vt and ft, facegen_shape_components, others beginning with "facegen_".
    """
    check = _Check(arrays, source)
    template = check.numbers("v_template", ("V", 3)).astype(np.float64)
    vertices, joints = len(template), len(JOINT_NAMES)
    faces = check.indices(check.either("f", "faces"), ("T", 3), vertices)
    shapes = check.numbers("shapedirs", (vertices, 3, "S + E"))
    identity = _identity_components(check, shapes.shape[2])
    weights = check.numbers("weights", (vertices, joints)).astype(np.float64)
    off = np.abs(weights.sum(1) - 1.0).max()
    if off > 1e-3 or weights.min() < 0.0:
        check.fail(
            "weights", f"from {weights.min():g} up, {off:g} from one in sum", "shares of one"
        )
    return FlameArrays(
        name=name,
        sha256=sha256,
        template=template,
        faces=faces.astype(np.int32),
        shape_basis=_planar(shapes[:, :, :identity]),
        expression_basis=_planar(shapes[:, :, identity:]),
        pose_basis=_planar(_pose_basis(check, vertices, 9 * (joints - 1))),
        joint_regressor=check.numbers("J_regressor", (joints, vertices)).astype(np.float64),
        weights=weights,
        parents=_parents(check, joints),
        uv=_uv(check, len(faces)),
        extras=_extras(check),
    )


class _Check:
    """Checks arrays by key; errors name file and key, what was found and what was expected."""

    def __init__(self, arrays: Mapping[str, AnyArray], source: str) -> None:
        self.arrays = arrays
        self.source = source

    def fail(self, key: str, found: str, expected: str) -> NoReturn:
        """Raise the UserError."""
        raise UserError(
            f"{self.source}: {key!r} is {found}, expected {expected}: {_REMEDY}"
        ) from None

    def either(self, *keys: str) -> str:
        """The first of these keys that is there."""
        for key in keys:
            if key in self.arrays:
                return key
        raise UserError(
            f"{self.source} has no {keys[0]!r} but {', '.join(sorted(self.arrays)) or 'nothing'}:"
            f" {_REMEDY}"
        )

    def numbers(self, key: str, shape: tuple[int | str, ...]) -> AnyArray:
        """The finite numeric array under a key; sizes given as text are free, but not 0."""
        wanted = f"numbers of shape ({', '.join(map(str, shape))})"
        try:
            array = np.asarray(self.arrays[self.either(key)])
        except ValueError:
            self.fail(key, "lists of different lengths", wanted)
        if array.dtype.kind not in "fiu":
            self.fail(key, f"of type {array.dtype}", wanted)
        fits = len(shape) == array.ndim and all(
            found == size or (isinstance(size, str) and found)
            for found, size in zip(array.shape, shape, strict=True)
        )
        if not fits:
            self.fail(key, f"of shape {array.shape}", wanted)
        if not (array.min() > -_LARGEST and array.max() < _LARGEST):  # so that NaN fails, too
            self.fail(key, f"from {array.min():g} to {array.max():g}", f"finite {wanted}")
        return array

    def indices(self, key: str, shape: tuple[int | str, ...], count: int) -> NDArray[np.int64]:
        """The array under a key, of whole numbers from 0 to count - 1."""
        array = self.numbers(key, shape)
        whole = array.astype(np.int64)
        if (whole != array).any() or whole.min() < 0 or whole.max() >= count:
            self.fail(
                key,
                f"from {array.min():g} to {array.max():g}",
                f"whole numbers from 0 to {count - 1}",
            )
        return whole


def _identity_components(check: _Check, components: int) -> int:
    """How many of the components are identity; the others are expression."""
    key = "facegen_shape_components"
    if key not in check.arrays:
        return min(components, _IDENTITY_COMPONENTS)
    return int(check.indices(key, (), components + 1))


def _pose_basis(check: _Check, vertices: int, features: int) -> AnyArray:
    """The pose basis (V, 3, P), from any of the three ways in which files store it."""
    stored = np.shape(check.arrays[check.either("posedirs")])
    if len(stored) == 2:
        flat = check.numbers("posedirs", (features, 3 * vertices))
        return flat.T.reshape(vertices, 3, features)
    if stored[:1] == (features,) and stored[1:] == (vertices, 3):
        return check.numbers("posedirs", stored).transpose(1, 2, 0)
    return check.numbers("posedirs", (vertices, 3, features))


def _parents(check: _Check, joints: int) -> tuple[int, ...]:
    """The joint tree; what stands at the root's place differs from file to file."""
    key = check.either("kintree_table", "parents")
    shape = (2, joints) if key == "kintree_table" else (joints,)
    table = check.numbers(key, shape).reshape(-1, joints)[0]
    parents = (-1, *(int(parent) for parent in table[1:]))
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents[1:], start=1)):
        check.fail(key, f"{table.tolist()}", "a tree in which every parent precedes its joint")
    return parents


def _uv(check: _Check, triangles: int) -> Float32Array | None:
    """Texture coordinates per corner, if the file has them."""
    if "vt" not in check.arrays or "ft" not in check.arrays:
        return None
    coordinates = check.numbers("vt", ("U", 2))
    corners = check.indices("ft", (triangles, 3), len(coordinates))
    return coordinates[corners].astype(np.float32)


def _extras(check: _Check) -> dict[str, AnyArray]:
    """The arrays that FaceGen added to the format."""
    extras = {}
    for key, value in check.arrays.items():
        if key.startswith(_OWN) and key != "facegen_shape_components":
            extras[key] = np.asarray(value)
            if extras[key].dtype.kind not in "biufU":
                check.fail(key, f"of type {extras[key].dtype}", "numbers or text")
    return extras


def _planar(basis: AnyArray) -> Float32Array:
    """A basis (V, 3, K) laid out by component: x, y and z of one are each a run in memory."""
    return np.ascontiguousarray(basis.transpose(2, 1, 0), np.float32).transpose(2, 1, 0)


def _parse(data: bytes, path: Path) -> Mapping[str, Any]:
    """The arrays by key of an .npz or a pickle."""
    if data.startswith(_ZIP):
        return parse_npz(data, path, f"unpack it if it is a download; {_REMEDY}")
    found = load_pickle(data, path)
    if not isinstance(found, dict):
        raise UserError(f"{path} holds a {type(found).__name__}, not a table of arrays: {_REMEDY}")
    return {str(key): value for key, value in found.items()}


def _cache_folder() -> Path:
    return user_folder() / "flame"


def _write_cache(flame: FlameArrays, cache: Path) -> None:
    """Write the model under FLAME's own keys, so that reading it is checked alike. OSError."""
    shapes = np.concatenate([flame.shape_basis.T, flame.expression_basis.T]).T
    arrays = {
        "cached_name": np.array(flame.name),
        "v_template": flame.template,
        "f": flame.faces,
        "shapedirs": shapes,
        "posedirs": flame.pose_basis,
        "J_regressor": flame.joint_regressor,
        "weights": flame.weights,
        "parents": np.array(flame.parents),
        "facegen_shape_components": np.array(flame.shape_basis.shape[2]),
        **flame.extras,
    }
    if flame.uv is not None:
        arrays["vt"] = flame.uv.reshape(-1, 2)
        arrays["ft"] = np.arange(3 * len(flame.faces)).reshape(-1, 3)
    cache.parent.mkdir(parents=True, exist_ok=True)
    # Under another name first: a reader never meets half a file.
    unfinished = cache.with_name(f".{cache.stem}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)
        unfinished.replace(cache)
    finally:
        unfinished.unlink(missing_ok=True)
