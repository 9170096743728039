# SPDX-License-Identifier: GPL-3.0-or-later
"""The same face as other detectors crop it: boxes that are moved, scaled and stretched a little.

How much is what MTCNN's crops differ from this project's by. Over 200 photos of people on whom the
map was not fitted (models/index.json, face_box, held_out): standard deviations of 0.020 and 0.018
of the crop across and down, 0.039 in its scale, 0.054 in its aspect ratio. Over renders in root
mean square 0.019 and 0.020, 0.05 and, since MTCNN finds rendered faces narrower, 0.09
(docs/results/other_hands.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Annotated

import numpy as np

from ..arrays import FloatArray, RealArray

SHIFT, SCALE, STRETCH, TURN = 0.02, 0.045, 0.08, 0.03
"""Standard deviations: of the crop, of its size in logarithms (side, then ratio of sides), radians.

Only encoders that turn faces upright see a turn: by as much the eyes' line is found awry."""


@dataclass(frozen=True)
class CropJitter:
    """One way to crop a face otherwise than `Encoder.cut` does.

    across, down: how far the box moves, in its width and height; scale: natural logarithm by which
    its sides grow; stretch: of the ratio of width to height; turn: radians, clockwise as seen.
    """

    across: float = 0.0
    down: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    turn: float = 0.0

    def of_box(self, box: Annotated[RealArray, "4"]) -> Annotated[FloatArray, "4"]:
        """The box (4,) pixels as it becomes; it cannot turn."""
        box = np.asarray(box, np.float64)
        sides = box[2:] - box[:2]
        middle = (box[:2] + box[2:]) / 2 + sides * [self.across, self.down]
        half = sides / 2 * np.exp([self.scale + self.stretch / 2, self.scale - self.stretch / 2])
        return np.concatenate([middle - half, middle + half])

    def of_points(
        self, points: Annotated[RealArray, "5 2"], box: Annotated[RealArray, "4"]
    ) -> Annotated[FloatArray, "5 2"]:
        """Landmarks (5, 2) pixels so that what is aligned by them is what `of_box` does to a box.

        `box` (4,) of the same face is what they are moved by; nothing is stretched."""
        points, box = np.asarray(points, np.float64), np.asarray(box, np.float64)
        middle, sides = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        turned = (points - middle) @ np.array([[cosine, sine], [-sine, cosine]])
        return middle + sides * [self.across, self.down] + np.exp(self.scale) * turned


AS_OURS = CropJitter()
"""The project's own crop."""

# All combinations of two ways to move and two sizes; how they are stretched and turned follows
# from these. Nine crops with the first in the middle vary as much as normal ones do.
_STEP = (9 / 8) ** 0.5
JITTERS: tuple[CropJitter, ...] = (
    AS_OURS,
    *(
        CropJitter(
            a * _STEP * SHIFT, b * _STEP * SHIFT, c * _STEP * SCALE, a * b * _STEP * STRETCH,
            b * c * _STEP * TURN,
        )
        for a, b, c in product((-1, 1), repeat=3)
    ),
)  # fmt: skip
"""Nine crops of one image that stand for all: ours and eight around it."""


_FARTHEST = 3.0  # deviations; what lies beyond is cut off

EXTREMES = tuple(
    CropJitter(
        across * _FARTHEST * SHIFT, down * _FARTHEST * SHIFT, _FARTHEST * SCALE, 0.0, turn * TURN
    )
    for across, down, turn in product((-1, 1), repeat=3)
)
"""Crops that look as far as any: what has to be rendered, so that all can be cut out."""


def random_jitters(rng: np.random.Generator, count: int) -> list[CropJitter]:
    """As many crops as other detectors would make, normally distributed."""
    draws = rng.standard_normal((count, 5)).clip(-_FARTHEST, _FARTHEST) * [
        SHIFT,
        SHIFT,
        SCALE,
        STRETCH,
        TURN,
    ]
    return [CropJitter(*row) for row in draws.tolist()]
