# SPDX-License-Identifier: GPL-3.0-or-later
"""A take of ARKit's curves as the sliders of a head model that has them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np

from ....arrays import FloatArray
from ....errors import UserError
from ...head_model import HeadModel
from ...parameters import MOVING_GROUPS, ParameterTable
from ..flame_sliders import ImportedSliders
from .files import read_take
from .take import GAZE_NAMES, NAMES
from .timecode import rate_of

_JOINTS = {"head": "head", "left_eye": "eye_left", "right_eye": "eye_right"}
"""Part that turns in a take -> key of `HeadModel.joint_sliders`."""


def has_curves(table: ParameterTable) -> bool:
    """Whether a model's expressions are ARKit's 52 blend shapes; else they are components."""
    return all(name in table.names for name in NAMES)


def import_take(path: Path, model: HeadModel) -> ImportedSliders:
    """Read a file of ARKit's curves as frames of one head: its expression, neck and gaze.

    All other sliders stand at the mean. The eyes follow the eyeLook curves; their turns serve only
    where the file has none of these, as they say the same. UserError for a model without those
    sliders and for a file that is none.
    """
    table = model.table
    if not has_curves(table):
        raise UserError(
            f"head model {model.name!r} has no sliders of ARKit's 52 blend shapes, its expressions"
            " are other components; choose open_flame or anny"
        )
    take = read_take(path)
    rows = np.tile(table.default(), (len(take), 1))
    for name, weights in take.weights.items():
        rows[:, table.index(name)] = weights
    notes = list(take.notes)
    for part, turns in take.turns.items():
        if part != "head" and GAZE_NAMES & take.weights.keys():
            continue
        sliders = model.joint_sliders.get(_JOINTS[part])
        if sliders is None:
            notes.append(f"{model.name} has no sliders for the turns of {part}: left out")
            continue
        rows[:, sliders.columns(table)] = sliders.values(axis_angle(turns))
    if GAZE_NAMES & take.weights.keys() and len(take.turns.keys() - {"head"}):
        notes.append("the eyes follow the eyeLook curves; their turns say the same")
    kept = np.clip(rows, table.minimum, table.maximum)
    return ImportedSliders(
        convention=take.source,
        values=kept,
        notes=notes,
        clamped=_clamped(table, rows, kept),
        warnings=take.warnings,
        sequence=len(take) > 1,
        fps=None if take.times is None else rate_of(take.times),
        times=take.times,
    )


def axis_angle(turns: Annotated[FloatArray, "N 3"]) -> Annotated[FloatArray, "N 3"]:
    """Axis-angle (N, 3) about FLAME's axes of turns (N, 3) down, left and to the right shoulder.

    X is the subject's left, Y up, Z ahead. Yaw comes last, as heads and cameras turn.
    """
    half = 0.5 * np.asarray(turns, np.float64)
    (sx, sy, sz), (cx, cy, cz) = np.sin(half).T, np.cos(half).T
    # The product of the quaternions of yaw, pitch and roll.
    scalar = cx * cy * cz + sx * sy * sz
    vector = np.stack(
        [
            sx * cy * cz + cx * sy * sz,
            cx * sy * cz - sx * cy * sz,
            cx * cy * sz - sx * sy * cz,
        ],
        axis=1,
    )
    sine = np.linalg.norm(vector, axis=1)
    angle = 2.0 * np.arctan2(sine, scalar)
    return vector * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)[:, None]


def _clamped(table: ParameterTable, asked: FloatArray, kept: FloatArray) -> list[str]:
    """One line on expression and one on pose, where the sliders hold less than was asked."""
    lines = []
    for group in MOVING_GROUPS:
        columns = table.columns(group)
        changed = np.abs(asked[:, columns] - kept[:, columns]) > 1e-6
        if changed.any():
            frame, column = np.argwhere(changed)[0]
            column = columns[column]
            lines.append(
                f"{group}: {changed.sum()} values beyond the sliders, first"
                f" {table.names[column]} of frame {frame}, {asked[frame, column]:g} kept as"
                f" {kept[frame, column]:g}"
            )
    return lines
