# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera of a photo, and by what a head's face differs there, from five landmarks.

Ten numbers do not say how a head is turned, how wide its mouth is and whether it smiles: each
unknown has a prior, and together they are the most probable ones (Gauss and Newton's method).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import FloatArray, RealArray
from ..heads.head_model import HeadModel
from ..labels.camera import Camera, middle_of_face
from ..labels.shot import SENSOR_WIDTH, View

_NOISE = np.array([2.0, 2.0, 3.0, 2.5, 2.5])
"""Pixels of a square of 256 by which the detector errs: eyes, nose, corners of the mouth."""
FRAME = 0.34
"""Metres that a photo's square spans at the face."""
_TURNS = (math.radians(28), math.radians(11), math.radians(20))
"""Standard deviations of yaw, pitch and roll."""
_ZOOM, _SHIFT = 0.12, 0.12
"""Standard deviations of the focal length's logarithm, and of where the face lies, widths."""
_STEPS = 12
_DIFFERENCE = 0.25
"""By how much an unknown is moved to see what it does to the points."""

SMILE = ("mouthSmileLeft", "mouthSmileRight")
_SMILE = (0.15, 0.35)
"""Mean and standard deviation of how much people smile in photos."""
SHAPES = {
    "eye_trans_out": 0.6, "eye_trans_up": 0.5, "nose_scale_vert_incr": 0.6, "nose_trans_up": 0.5,
    "mouth_scale_horiz_incr": 0.6, "mouth_trans_up": 0.6, "chin_jaw_drop_incr": 0.4,
}  # fmt: skip
"""Parameters of shape that move the five points -> by how many of their standard deviations B may
have erred."""


@dataclass(frozen=True)
class CameraFit:
    """view: as SampleRenderer takes it, in a square; parameters (P,): the head with what its points
    say; smile: 0 to 1; error: root mean square of what is left, pixels."""

    view: View
    parameters: Annotated[FloatArray, "P"]
    smile: float
    error: float


def fit_camera(
    model: HeadModel,
    parameters: Annotated[FloatArray, "P"],
    points: Annotated[RealArray, "5 2"],
    side: int,
) -> CameraFit:
    """The view in which a head (P,) has its five points at `points` (5, 2) of a square image.

    The head's mouth smiles and its shape gives way as far as the points make that probable.
    """
    table = model.table
    shapes = [name for name in SHAPES if name in table.names]
    smiles = [name for name in SMILE if name in table.names]
    columns = [[table.index(name)] for name in shapes]
    if smiles:
        columns.append([table.index(name) for name in smiles])
    places, by_unknown = _moves(model, parameters, columns)
    spread = np.array(
        [*_TURNS, _ZOOM, _SHIFT, _SHIFT]
        + [SHAPES[name] for name in shapes]
        + [_SMILE[1]] * bool(smiles)
    )
    mean = np.zeros(len(spread))
    if smiles:
        mean[-1] = _SMILE[0]
    noise = np.repeat(_NOISE * side / 256, 2)

    def missed(x: FloatArray) -> FloatArray:
        seen = places + np.tensordot(x[6:], by_unknown, 1)
        camera = Camera.of(_view(x), middle_of_face(seen), side, side)
        off = (camera.project(seen) - points).ravel() / noise
        return np.concatenate([off, (x - mean) / spread])

    x = mean.copy()
    for _ in range(_STEPS):
        now = missed(x)
        slopes = np.stack([(missed(x + 1e-4 * e) - now) / 1e-4 for e in np.eye(len(x))], axis=1)
        x = x - np.linalg.lstsq(slopes, now, rcond=None)[0]
        x[:3] = np.clip(x[:3], -1.2, 1.2)
        x[6:] = np.clip(x[6:], -2.0, 2.0)
    smile = float(np.clip(x[-1], 0.0, 0.9)) if smiles else 0.0
    row = np.array(parameters, np.float64)
    for name, moved in zip(shapes, x[6:], strict=False):
        row[table.index(name)] += moved * table.std[table.index(name)]
    row[[table.index(name) for name in smiles]] = smile
    row = np.clip(row, table.minimum, table.maximum)
    error = float(np.sqrt(np.mean((missed(x)[:10] * noise) ** 2)))
    return CameraFit(_view(x), row, smile, error)


def _view(x: FloatArray) -> View:
    usual = View()
    focal = SENSOR_WIDTH * usual.distance / FRAME
    return View(
        yaw=float(x[0]), pitch=float(x[1]), roll=float(x[2]), distance=usual.distance,
        focal_length=focal * math.exp(float(x[3])), shift_x=float(x[4]), shift_y=float(x[5]),
    )  # fmt: skip


def _moves(
    model: HeadModel, parameters: FloatArray, columns: list[list[int]]
) -> tuple[FloatArray, FloatArray]:
    """The head's five points (5, 3), and what one unit of each unknown does to them (K, 5, 3)."""
    std = np.where(model.table.std > 0, model.table.std, 1.0)
    rows = np.tile(np.asarray(parameters, np.float64), (1 + len(columns), 1))
    for row, of_one in zip(rows[1:], columns, strict=True):
        row[of_one] += _DIFFERENCE * std[of_one]
    points = model.five_points(model.forward(rows)).astype(np.float64)
    return points[0], (points[1:] - points[0]) / _DIFFERENCE
