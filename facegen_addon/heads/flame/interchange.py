# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameter files of FLAME's users: read and written in the conventions of the programs they use.

==========  ===========================================================================  =========
convention  keys (rows are heads; angles in radians, axis-angle; lengths in metres)      program
==========  ===========================================================================  =========
plain       betas, expression, global_orient, neck_pose, jaw_pose, leye_pose, reye_pose,  smplx
            transl
deca        shape, exp, pose (global orientation, then jaw)                               DECA
emoca       shapecode, expcode, posecode; or a folder of shape.npy, exp.npy, pose.npy     EMOCA
            (or globalpose.npy and jawpose.npy)
mica        identity.npy, or key identity or pred_shape_code                              MICA
tracker     a .frame file: flame/{shape, exp, jaw, eyes}, rotations in six numbers        metrical-
                                                                                          tracker
vhap        shape, expr, rotation, translation, neck_pose, jaw_pose, eyes_pose            VHAP
vector      a lone .npy array: leading shape components
==========  ===========================================================================  =========

Files come as .npz, .npy, .json, .pkl or a folder. Everything else that they hold (texture, camera,
light, detail) is ignored and said to be so.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...artifacts import DAMAGED_ARCHIVE, parse_npz, read_file
from ...atomic_file import replacing
from ...errors import UserError
from ..parameters import FloatArray
from .file import FlameArrays
from .model import POSES, FlameParameters
from .safe_pickle import load_pickle

_Layout = Mapping[str, tuple[str, ...]]

_LAYOUTS: dict[str, _Layout] = {
    "plain": {name: (name,) for name in ("betas", "expression", *POSES, "transl")},
    "deca": {"shape": ("betas",), "exp": ("expression",), "pose": ("global_orient", "jaw_pose")},
    "emoca": {
        "shapecode": ("betas",),
        "expcode": ("expression",),
        "posecode": ("global_orient", "jaw_pose"),
    },
    "mica": {"identity": ("betas",), "pred_shape_code": ("betas",)},
    "vhap": {
        "shape": ("betas",),
        "expr": ("expression",),
        "rotation": ("global_orient",),
        "translation": ("transl",),
        "neck_pose": ("neck_pose",),
        "jaw_pose": ("jaw_pose",),
        "eyes_pose": ("leye_pose", "reye_pose"),
    },
}
_EMOCA_FOLDER: _Layout = {
    **_LAYOUTS["deca"],
    "globalpose": ("global_orient",),
    "jawpose": ("jaw_pose",),
}
_TRACKER: _Layout = {
    "shape": ("betas",),
    "exp": ("expression",),
    "jaw": ("jaw_pose",),
    "eyes": ("leye_pose", "reye_pose"),
}
_COMPONENTS = {
    "deca": {"betas": 100, "expression": 50},
    "emoca": {"betas": 100, "expression": 50},
    "mica": {"betas": 300},
}
"""Components that a program's own files have; a plain file has as many as the model."""

_FLAME_VERSION = {
    "deca": "FLAME 2020",
    "emoca": "FLAME 2020",
    "mica": "FLAME 2020",
    "tracker": "FLAME 2020",
    "vhap": "FLAME 2023",
}
_NO_SHAPE = {"exp", "pose", "tex", "detail", "cam", "kpt7", "kpt68", "globalpose", "jawpose"}
"""Stems of .npy files that stand beside a shape code and must not be taken for one."""

_REMEDY = "give a parameter file of DECA, EMOCA, MICA, metrical-tracker, VHAP or smplx's names"

_NO_TENSORS = (
    "torch tensors need torch to be read; save the file again with each as .detach().cpu().numpy()"
)

WRITABLE = ("plain", "deca", "emoca", "mica")
WRITABLE_SUFFIXES = (".npz", ".json")


@dataclass(frozen=True)
class ImportedParameters:
    """What a file held: its convention, N heads' parameters, and one line on each thing to know.

    warnings: what may make the heads other than the file's author meant; sequence: whether the rows
    are the frames of one head in time, `fps` of them a second if the file says so.
    """

    convention: str
    parameters: FlameParameters
    notes: list[str]
    warnings: list[str] = field(default_factory=list)
    sequence: bool = False
    fps: float | None = None


def read_parameters(path: Path) -> ImportedParameters:
    """Read a parameter file, or a folder of EMOCA or MICA; UserError if it is not one.

    The error names the file and the key, what was found and what is expected. Pickles go through
    the restricted unpickler; torch tensors are refused with the way to save them as plain arrays.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    data = read_file(path, _REMEDY)
    content = _parse(data, path)
    if not isinstance(content, Mapping):
        return _from_vector(content, path)
    if isinstance(content.get("flame"), Mapping):
        return _from_tracker(content, path)
    convention = _recognise(content, path)
    return _imported(convention, _LAYOUTS[convention], content, path)


def for_model(parameters: FlameParameters, flame: FlameArrays) -> tuple[FlameParameters, list[str]]:
    """Parameters checked against a model; zeros beyond its components are cut, and said to be.

    DECA's files always have 100 + 50 components, a model may have fewer. UserError if one that the
    model lacks is not zero.
    """
    lines = []
    values = parameters.as_mapping()
    widths = {"betas": flame.shape_basis.shape[2], "expression": flame.expression_basis.shape[2]}
    for name, width in widths.items():
        beyond = values[name][:, width:]
        if beyond.shape[1] and not beyond.any():
            values[name] = values[name][:, :width]
            lines.append(f"{name}: components beyond {width} are zero and left out")
    return FlameParameters.from_mapping(values, flame), lines


def write_parameters(path: Path, parameters: FlameParameters, convention: str) -> list[str]:
    """Write heads to a .npz or .json file, complete or not at all; lines on what it cannot hold.

    Shorter codes are filled with zeros up to the program's own width (100 + 50, MICA's 300),
    longer ones are cut. Values are float32 in .npz, as those programs need them.
    """
    path = Path(path)
    if convention not in WRITABLE:
        raise UserError(f"unknown convention {convention!r}; choose from {', '.join(WRITABLE)}")
    if path.suffix not in WRITABLE_SUFFIXES:
        raise UserError(
            f"{path} does not end in {' or '.join(WRITABLE_SUFFIXES)}, which say how to write it;"
            " name such a file"
        )
    values = {name: np.asarray(value) for name, value in parameters.as_mapping().items()}
    layout = _written_layout(convention)
    kept = {name: _fitted(name, values[name], convention) for name in _names(layout)}
    content = {
        key: np.concatenate([kept[name] for name in names], axis=1) for key, names in layout.items()
    }
    with replacing(path) as partial:
        if path.suffix == ".npz":
            np.savez(partial, **{key: value.astype(np.float32) for key, value in content.items()})
        else:
            text = json.dumps({key: value.tolist() for key, value in content.items()})
            partial.write_text(text + "\n", encoding="utf-8")
    return _losses(values, kept, convention)


def _written_layout(convention: str) -> _Layout:
    layout = _LAYOUTS[convention]
    if convention == "mica":
        return {"identity": layout["identity"]}
    return layout


def _names(layout: _Layout) -> list[str]:
    return [name for names in layout.values() for name in names]


def _fitted(name: str, value: FloatArray, convention: str) -> FloatArray:
    """A code (N, K) at the width that the convention's own files have."""
    width = _COMPONENTS.get(convention, {}).get(name, value.shape[1])
    return np.pad(value[:, :width], ((0, 0), (0, max(width - value.shape[1], 0))))


def _losses(
    values: Mapping[str, FloatArray], kept: Mapping[str, FloatArray], convention: str
) -> list[str]:
    lines = []
    for name, value in values.items():
        width = kept[name].shape[1] if name in kept else 0
        if value[:, width:].any():
            rest = f" beyond component {width}" if width else ""
            lines.append(f"{name}{rest} left out: {convention} files have no place for it")
    return lines


def _parse(data: bytes, path: Path) -> Any:
    """The content of a file, told apart by its first bytes: a mapping, or one array."""
    if not data:
        raise UserError(f"{path} is empty: {_REMEDY}")
    if data.startswith(b"PK"):
        return _parse_archive(data, path)
    if data.startswith(b"\x93NUMPY"):
        return _parse_npy(data, path)
    if data.lstrip()[:1] in (b"{", b"["):
        return _parse_json(data, path)
    if data.startswith(b"\x80") or path.suffix in (".pkl", ".pickle"):
        return _parse_pickle(data, path)
    raise UserError(f"{path} is no .npz, .npy, .json or .pkl file: {_REMEDY}")


def _parse_archive(data: bytes, path: Path) -> Any:
    """A .npz file, or what torch.save makes of plain arrays (a .frame file)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if pickles:
                return _parse_pickle(archive.read(pickles[0]), path)
    except DAMAGED_ARCHIVE:
        pass  # said by the reader of .npz files
    return parse_npz(data, path, _REMEDY)


def _parse_npy(data: bytes, path: Path) -> Any:
    """An array; or, from numpy.save of a dictionary, that dictionary."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            header = np.lib.format.read_array_header_2_0
        if header(stream)[2].hasobject:
            content = _parse_pickle(stream.read(), path)
            return content.item() if np.size(content) == 1 else content
        return np.load(io.BytesIO(data), allow_pickle=False)
    except DAMAGED_ARCHIVE:
        raise UserError(f"{path} is not a whole .npy file: {_REMEDY}") from None


def _parse_json(data: bytes, path: Path) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}): {_REMEDY}") from None


def _parse_pickle(data: bytes, path: Path) -> Any:
    """What a pickle holds, None in the place of torch's tensors."""
    try:
        content = load_pickle(data, path, skip_tensors=True)
    except UserError:
        if b"torch" not in data:
            raise
        raise UserError(f"{path}: {_NO_TENSORS}") from None
    if isinstance(content, int) and b"torch" in data:  # the first of several pickles
        raise UserError(f"{path}: {_NO_TENSORS}")
    return content


def _from_folder(folder: Path) -> ImportedParameters:
    found = {file.stem: file for file in sorted(folder.glob("*.npy"))}
    if "shape" in found:
        convention, layout = "emoca", _EMOCA_FOLDER
    elif "identity" in found:
        convention, layout = "mica", _LAYOUTS["mica"]
    else:
        names = ", ".join(f"{stem}.npy" for stem in found) or "no .npy file"
        raise UserError(
            f"{folder} holds {names}; a folder of EMOCA has shape.npy, one of MICA identity.npy"
        )
    content: dict[str, Any] = {
        stem: _parse(read_file(file, _REMEDY), file) if stem in layout else None
        for stem, file in found.items()
    }
    return _imported(convention, layout, content, folder)


def _from_vector(content: Any, path: Path) -> ImportedParameters:
    if path.stem in _NO_SHAPE:
        raise UserError(
            f"{path.name} is no shape code but stands beside one; give its folder, {path.parent}"
        )
    if path.stem == "identity":
        return _imported("mica", _LAYOUTS["mica"], {"identity": content}, path)
    return _imported("vector", {"array": ("betas",)}, {"array": content}, path)


def _from_tracker(content: Mapping[str, Any], path: Path) -> ImportedParameters:
    """A frame of metrical-tracker, whose joints turn by six numbers instead of three."""
    flame = dict(content["flame"])
    missing = _TRACKER.keys() - flame.keys()
    if missing:
        raise UserError(
            f"{path}: flame has {_listed(set(map(str, flame)))} but lacks {_listed(missing)}, which"
            f" a frame of metrical-tracker has; {_REMEDY}"
        )
    for key in ("jaw", "eyes"):
        flame[key] = _axis_angle_from_six(_rows(flame[key], key, path), key, path)
    others = {key: value for key, value in content.items() if key != "flame"}
    return _imported("tracker", _TRACKER, {**flame, **others}, path)


def _recognise(content: Mapping[str, Any], path: Path) -> str:
    """The convention that knows most of the keys; no key of another one may be left over."""
    keys = {str(key) for key in content}
    known = {name: keys & layout.keys() for name, layout in _LAYOUTS.items()}
    best = max(known, key=lambda name: len(known[name]))
    if not known[best]:
        conventions = "; ".join(f"{name}: {', '.join(keys)}" for name, keys in _LAYOUTS.items())
        raise UserError(
            f"{path} has the keys {_listed(keys)}, none of which is a FLAME parameter's; known"
            f" are {conventions}"
        )
    left_over = set().union(*known.values()) - known[best]
    if left_over:
        raise UserError(
            f"{path} mixes conventions: {_listed(known[best])} is {best}'s,"
            f" {_listed(left_over)} is not; rename or remove"
        )
    return best


def _imported(
    convention: str, layout: _Layout, content: Mapping[str, Any], path: Path
) -> ImportedParameters:
    values: dict[str, FloatArray] = {}
    for key, names in layout.items():
        if key not in content:
            continue
        rows = _rows(content[key], key, path)
        width = _COMPONENTS["mica"]["betas"] if convention == "mica" else _pose_width(names)
        if width and rows.shape[1] != width:
            raise UserError(
                f"{path}: {key} has {rows.shape[1]} values a head; {convention} has {width}"
            )
        parts = np.split(rows, len(names), axis=1)
        values |= dict(zip(names, parts, strict=True))
    try:
        parameters = FlameParameters.from_mapping(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return ImportedParameters(convention, parameters, _notes(convention, layout, content))


def _notes(convention: str, layout: _Layout, content: Mapping[str, Any]) -> list[str]:
    notes = []
    ignored = sorted(str(key) for key in content if key not in layout)
    if ignored:
        notes.append(f"ignored: {', '.join(ignored)}")
    if convention == "vector":
        notes.append("a lone array is read as the leading shape components")
    if convention in _FLAME_VERSION:
        notes.append(
            f"its codes are components of {_FLAME_VERSION[convention]}; another model makes"
            " another face of them"
        )
    return notes


def _pose_width(names: Sequence[str]) -> int:
    """Numbers of rotations and translations; 0 for codes, which may have any length."""
    return 0 if names[0] in ("betas", "expression") else 3 * len(names)


def _rows(value: Any, key: str, path: Path) -> FloatArray:
    """An array of a file as rows (N, K); UserError if it is not finite numbers of that form."""
    if value is None:  # what the unpickler makes of tensors
        raise UserError(f"{path}: {key} is no array; {_NO_TENSORS}")
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.empty((), object)
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise UserError(
            f"{path}: {key} is {_described(value, array)}; expected numbers of shape (K,) or (N, K)"
        )
    rows = np.atleast_2d(array.astype(np.float64))
    if not len(array):
        raise UserError(f"{path}: {key} has shape {array.shape}; expected at least one head's row")
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise UserError(
            f"{path}: {key} of head {row} is {rows[row, column]} at component {column + 1};"
            " expected finite numbers"
        )
    return rows


def _described(value: Any, array: NDArray[Any]) -> str:
    if array.dtype.kind == "O":
        return f"a {type(value).__name__} that is no regular array"
    return f"of type {array.dtype} and shape {array.shape}"


def _listed(keys: Set[str]) -> str:
    return ", ".join(sorted(keys)) or "nothing"


def _axis_angle_from_six(rows: FloatArray, key: str, path: Path) -> FloatArray:
    """Rotations as six numbers each (N, 6 R) -> axis-angle (N, 3 R).

    Zhou et al., "On the Continuity of Rotation Representations in Neural Networks" (2019), laid
    out as PyTorch3D does: the matrix's first two rows before they are made orthonormal.
    """
    if rows.shape[1] % 6:
        raise UserError(
            f"{path}: {key} has {rows.shape[1]} values a head; metrical-tracker has six a rotation"
        )
    first, second = np.moveaxis(rows.reshape(-1, 2, 3), 1, 0)
    first = _normalised(first)
    second = _normalised(second - (first * second).sum(1, keepdims=True) * first)
    matrices = np.stack([first, second, np.cross(first, second)], axis=1)
    return _axis_angle(matrices).reshape(len(rows), -1)


def _normalised(vectors: FloatArray) -> FloatArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _axis_angle(matrices: FloatArray) -> FloatArray:
    """Rotation matrices (K, 3, 3) -> axis-angle (K, 3), for angles below pi.

    The skew part is the sine of the angle times the axis. The joints of a face stay far from pi,
    where it vanishes and the axis is lost.
    """
    skew = matrices - matrices.transpose(0, 2, 1)
    axis = 0.5 * np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1)
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, 0.5 * (np.trace(matrices, axis1=1, axis2=2) - 1.0))
    return axis * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 1.0)[:, None]
