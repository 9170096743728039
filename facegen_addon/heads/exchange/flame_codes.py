# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameter files of FLAME's users: read and written in the conventions of the programs they use.

Rows are heads; angles in radians, axis-angle; lengths in metres. Which key is which parameter
stands in parameter_files/layouts.py, and for users in docs/parameter_files.md. Other content of a
file (texture, camera, light, detail) is ignored with a note; parameters of other models than FLAME
are refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import FloatArray
from ...atomic_file import replacing
from ...errors import Need, Remedy, UserError
from ..flame.file import FlameArrays
from ..flame.model import LIMITS, POSES, FlameParameters
from ..skinning import rotation_matrices
from .parameter_files.containers import lone_array, read_content
from .parameter_files.foreign import describe_lone_array
from .parameter_files.frames import frames_in, numbered_files, read_files, read_frames
from .parameter_files.layouts import (
    ABOUT_ORIGIN,
    COMPONENTS,
    EMOCA_FOLDER,
    FLAME_VERSION,
    LAYOUTS,
    Layout,
)
from .parameter_files.rows import as_array
from .parameter_files.tables import Table, read_layout, read_table

WRITABLE = ("plain", "deca", "emoca", "mica")
WRITABLE_SUFFIXES = (".npz", ".json")

_TURN = 2.0 * np.pi  # radians: what turns further is suspected to be in degrees; for joints, half


_FARTHEST = 50.0  # metres: what stands farther away is suspected to be in millimetres


@dataclass(frozen=True)
class ImportedParameters:
    """N heads' parameters from a file, its convention, and notes and warnings, one line each.

    warnings: what may make the heads other than the file's author meant; sequence: whether the rows
    are the frames of one head in time, `fps` of them a second if the file says so; keys: what the
    file calls each parameter.
    """

    convention: str
    parameters: FlameParameters
    notes: list[str]
    warnings: list[str] = field(default_factory=list)
    sequence: bool = False
    fps: float | None = None
    keys: Mapping[str, str] = field(default_factory=dict)


def read_parameters(path: Path) -> ImportedParameters:
    """Read a parameter file, or a folder of them; UserError if it is not one.

    The error names the file and its own key, what was found and what is expected. Pickles go
    through the restricted unpickler, and so do torch's tensors.
    """
    path = Path(path)
    if path.is_dir():
        return _imported(_from_folder(path), str(path))
    content = read_content(path)
    frames = frames_in(content)
    if frames:
        table = read_frames(frames, str(path))
    elif isinstance(content, Mapping) and lone_array(content) is None:
        table = read_table(content, str(path))
    else:
        array = lone_array(content) if isinstance(content, Mapping) else content
        table = _from_vector(array, path)
    return _imported(table, str(path))


def for_model(
    imported: ImportedParameters, flame: FlameArrays
) -> tuple[FlameParameters, list[str]]:
    """Fit a file's heads to a model: zeros beyond its components are cut, with a line on each.

    DECA's files always have 100 + 50 components, a model may have fewer. UserError if one that the
    model lacks is not zero, with the need to choose the FLAME that has it.
    """
    lines = []
    values = imported.parameters.as_mapping()
    widths = {"betas": flame.shape_basis.shape[2], "expression": flame.expression_basis.shape[2]}
    for name, width in widths.items():
        beyond = values[name][:, width:]
        key = imported.keys.get(name, name)
        if beyond.any():
            raise UserError(
                f"{key} has {values[name].shape[1]} components and the model {flame.name!r} only"
                f" {width}, so they are codes of another FLAME",
                Need(Remedy.CHOOSE_FLAME, FLAME_VERSION.get(imported.convention, "the FLAME")),
            )
        if beyond.shape[1]:
            values[name] = values[name][:, :width]
            lines.append(f"{key}: components beyond {width} are zero and left out")
    if imported.convention in ABOUT_ORIGIN:
        values["transl"] = _about_root(values, flame)
    return FlameParameters.from_mapping(values, flame), lines


def _about_root(values: Mapping[str, FloatArray], flame: FlameArrays) -> FloatArray:
    """The translation (N, 3) that makes a turn about FLAME's root one about the origin."""
    regressor = flame.joint_regressor[0]
    root = regressor @ flame.template
    for name, basis in (("betas", flame.shape_basis), ("expression", flame.expression_basis)):
        codes = values[name]
        root = root + codes @ np.tensordot(regressor, basis[:, :, : codes.shape[1]], 1).T
    turned = (rotation_matrices(values["global_orient"]) @ root[..., None])[..., 0]
    return values["transl"] + turned - root


def _from_folder(folder: Path) -> Table:
    """EMOCA's or MICA's arrays, or one file a frame."""
    found = {file.stem: file for file in sorted(folder.glob("*.npy"))}
    numbered = numbered_files(folder)
    if "shape" in found:
        convention, layout = "emoca", EMOCA_FOLDER
    elif "identity" in found:
        convention, layout = "mica", LAYOUTS["mica"]
    elif numbered:
        return read_files(numbered)
    else:
        names = ", ".join(f"{stem}.npy" for stem in found) or "no .npy file"
        below = [item.name for item in sorted(folder.iterdir())
                 if item.is_dir() and numbered_files(item)]  # fmt: skip
        hint = f"; give {' or '.join(below)} in it" if below else ""
        raise UserError(
            f"{folder} holds {names}; a folder of EMOCA has shape.npy, one of MICA identity.npy,"
            f" one of frames 00000.npz (VHAP) or 00000.frame (metrical-tracker) and so on{hint}"
        )
    content = {stem: read_content(f) if stem in layout else None for stem, f in found.items()}
    return read_layout(convention, layout, content, str(folder))


def _from_vector(content: Any, path: Path) -> Table:
    """A lone array: a shape code, unless type, shape or name say that it is something else."""
    if path.stem == "identity":
        return read_layout("mica", LAYOUTS["mica"], {"identity": content}, str(path))
    array = as_array(content)
    described = describe_lone_array(array, path.stem)
    if described:
        raise UserError(
            f"{path} is no shape code but {described}; give the folder or the file that has the"
            " shape as well, or a lone array of leading shape components"
        )
    table = read_layout("vector", {"array": ("betas",)}, {"array": content}, str(path))
    count = len(table.values["betas"])
    if count > 1:
        table.warnings.append(f"its {count} rows are read as the shapes of {count} heads")
    return table


def _imported(table: Table, source: str) -> ImportedParameters:
    counts = {name: len(rows) for name, rows in table.values.items()}
    most = max(counts, key=lambda name: counts[name])
    odd = next((name for name in counts if counts[name] not in (1, counts[most])), None)
    if odd:
        raise UserError(
            f"{source}: {table.keys[odd]} has {counts[odd]} rows and {table.keys[most]}"
            f" {counts[most]}: give as many of both"
        )
    parameters = FlameParameters.from_mapping(table.values)
    betas = parameters.betas
    return ImportedParameters(
        convention=table.convention,
        parameters=parameters,
        notes=_notes(table),
        warnings=table.warnings + _degrees(table) + _millimetres(table),
        sequence=table.frames or (len(betas) > 1 and bool((betas == betas[0]).all())),
        fps=table.fps,
        keys=table.keys,
    )


def _notes(table: Table) -> list[str]:
    notes = []
    if table.ignored:
        notes.append(f"ignored: {', '.join(sorted(table.ignored))}")
    if table.convention == "vector":
        notes.append("a lone array is read as the leading shape components")
    if table.convention in FLAME_VERSION:
        notes.append(
            f"its codes are components of {FLAME_VERSION[table.convention]}; another model makes"
            " another face of them"
        )
    return notes


def _degrees(table: Table) -> list[str]:
    """A line for each pose that turns so far that its file's author may have meant degrees."""
    lines = []
    for name in (name for name in POSES if name in table.values):
        angles = table.values[name]
        most = 0.5 * _TURN if name in LIMITS else _TURN
        head, axis = np.unravel_index(np.abs(angles).argmax(), angles.shape)
        angle = angles[head, axis]
        if abs(angle) > most:
            lines.append(
                f"{table.keys[name]} of head {head} is {angle:g} about {'xyz'[axis]}: degrees?"
                f" Angles are radians; {angle:g} degrees are {np.radians(angle):.3g}"
            )
    return lines


def _millimetres(table: Table) -> list[str]:
    """A line if heads stand so far away that the file's author may have meant millimetres."""
    far = np.abs(table.values.get("transl", np.zeros((1, 3)))).max()
    if far <= _FARTHEST:
        return []
    return [f"{table.keys['transl']} goes up to {far:g}: millimetres? Lengths are metres"]


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


def _written_layout(convention: str) -> Layout:
    """The keys that a program's own files have; those of `plain` are all its keys."""
    keys = {"emoca": ("shapecode", "expcode", "posecode"), "mica": ("identity",)}
    return {key: LAYOUTS[convention][key] for key in keys.get(convention, LAYOUTS[convention])}


def _names(layout: Layout) -> list[str]:
    return [name for names in layout.values() for name in names]


def _fitted(name: str, value: FloatArray, convention: str) -> FloatArray:
    """A code (N, K) at the width that the convention's own files have."""
    width = COMPONENTS.get(convention, {}).get(name, value.shape[1])
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
