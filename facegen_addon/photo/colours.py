# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of a face in a square, measured on a photo and on a render of its head alike.

Places are those of the head in the square's camera; colours are linear RGB. The light of a photo is
not known, so what is compared are ratios: of hair, lips and irises to the cheeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, ByteArray, FloatArray, RealArray
from ..heads.head_model import HeadModel
from ..heads.skin.colour import linear_of_srgb
from ..labels.camera import Camera

_LIGHT = np.array([0.2126, 0.7152, 0.0722])
"""Luminance of linear RGB."""
_CHEEKS = ((41, 31, 3), (46, 35, 13))
"""Landmarks whose middle is a cheek: below the eye, beside the nose, on the jaw."""
_LOWER_LIP, _MOUTH, _EYES = (57, 66), slice(60, 68), (slice(36, 42), slice(42, 48))
# Metres, from between the eyes, in the head's own axes: right, back, up.
_HAIR = [
    (x, 0.022 + 0.3 * abs(x), z) for z in (0.097, 0.105, 0.113) for x in (-0.03, -0.01, 0.01, 0.03)
]
_FRONT = [(x, -0.012, z) for z in (0.036, 0.046, 0.056, 0.066) for x in (-0.02, 0.0, 0.02)]
_BROW = (0.0, -0.012, 0.038)
"""The middle of the forehead, which may be lit where the cheeks are not."""
_DARKER = 0.35
_RADIUS = {"cheek": 0.010, "lip": 0.003, "hair": 0.005, "front": 0.004}
"""Metres."""
_SKIN_LIGHT, _SKIN_HUE = 0.55, 0.30
"""By how much skin differs at most from the cheeks: logarithms of luminance, and of red and blue
over green."""
_DARKEST = 0.002
_TEETH, _TEETH_RED, _DARK = 0.55, 0.75, 0.10
"""Teeth are at least so bright, of the cheeks, and no more red than this share of their redness;
an open mouth is darker than this."""


@dataclass(frozen=True)
class FaceColours:
    """Colours in a square; None where they cannot be told.

    cheek (3,): of lit skin, on cheeks and forehead; lip, hair (3,); front: share of the forehead
    that is not like skin, hair_seen: the same of where hair grows, 0 to 1; teeth, open: shares of
    the mouth.
    """

    cheek: Annotated[FloatArray, "3"]
    lip: Annotated[FloatArray, "3"]
    hair: Annotated[FloatArray, "3"] | None
    hair_seen: float
    front: float
    teeth: float
    open: float


def measure(
    square: Annotated[ByteArray, "S S 3"],
    model: HeadModel,
    vertices: Annotated[RealArray, "V 3"],
    camera: Camera,
) -> FaceColours:
    """The colours of the head with these vertices (V, 3) metres, seen by `camera`, in a square."""
    light = linear_of_srgb(square / 255.0)
    marks = model.landmarks(np.asarray(vertices, np.float32))
    eyes = np.mean([marks[part].mean(0) for part in _EYES], axis=0)
    seen = _Places(light, camera)

    cheeks = [seen.median(marks[list(rows)].mean(0), "cheek") for rows in _CHEEKS]
    cheek = _brighter([*cheeks, seen.median(eyes + np.array(_BROW), "cheek")])
    lip = seen.median(marks[list(_LOWER_LIP)].mean(0), "lip")
    scalp = np.concatenate([seen.pixels(eyes + np.array(place), "hair") for place in _HAIR])
    front = np.concatenate([seen.pixels(eyes + np.array(place), "front") for place in _FRONT])
    not_skin = ~_like_skin(scalp, cheek)
    hair = scalp[not_skin]
    # Hair shines, and skin shows through: its darker part says its colour.
    darker = hair[luminance(hair) <= np.quantile(luminance(hair), _DARKER)] if len(hair) else hair
    teeth, opened = _mouth(seen, marks[_MOUTH], cheek)
    return FaceColours(
        cheek=cheek, lip=lip,
        hair=np.median(darker, axis=0) if not_skin.mean() > 0.4 else None,
        hair_seen=float(not_skin.mean()), front=float((~_like_skin(front, cheek)).mean()),
        teeth=teeth, open=opened,
    )  # fmt: skip


def luminance(colour: Annotated[RealArray, "... 3"]) -> Annotated[FloatArray, "..."]:
    """Luminance (...) of linear RGB (..., 3)."""
    found: FloatArray = np.asarray(colour, np.float64) @ _LIGHT
    return found


def opponent(colour: Annotated[RealArray, "... 3"]) -> Annotated[FloatArray, "... 3"]:
    """Logarithms (..., 3) of luminance, red over green and blue over green of linear RGB."""
    safe = np.maximum(np.asarray(colour, np.float64), _DARKEST)
    return np.stack(
        [
            np.log(luminance(safe)),
            np.log(safe[..., 0] / safe[..., 1]),
            np.log(safe[..., 2] / safe[..., 1]),
        ],
        axis=-1,
    )


@dataclass(frozen=True)
class _Places:
    """The square's light (S, S, 3) at places of the head."""

    light: FloatArray
    camera: Camera

    def pixels(self, place: RealArray, what: str) -> FloatArray:
        """The light (N, 3) around a place (3,), metres."""
        middle = self.camera.project(place)
        depth = self.camera.seen(place)[2]
        radius = max(1.0, _RADIUS[what] * self.camera.intrinsics[0, 0] / depth)
        rows, columns = np.indices(self.light.shape[:2]) + 0.5
        inside = (columns - middle[0]) ** 2 + (rows - middle[1]) ** 2 <= radius**2
        if not inside.any():
            row, column = (int(np.clip(x, 0, len(self.light) - 1)) for x in middle[::-1])
            inside[row, column] = True
        found: FloatArray = self.light[inside]
        return found

    def median(self, place: RealArray, what: str) -> FloatArray:
        return np.asarray(np.median(self.pixels(place, what), axis=0))


def _brighter(colours: list[FloatArray]) -> FloatArray:
    """The mean of the two brightest, or, where one lies in shadow, the brightest."""
    *_, first, second = sorted(colours, key=lambda colour: float(luminance(colour)))
    if luminance(first) < 0.55 * luminance(second):
        return second
    return np.asarray((first + second) / 2)


def _like_skin(pixels: Annotated[RealArray, "N 3"], cheek: FloatArray) -> BoolArray:
    off = np.abs(opponent(pixels) - opponent(cheek))
    return np.asarray((off[:, 0] < _SKIN_LIGHT) & (off[:, 1:] < _SKIN_HUE).all(axis=1))


def _mouth(seen: _Places, inner: RealArray, cheek: FloatArray) -> tuple[float, float]:
    """Shares of teeth and of darkness between the lips, whose inner landmarks are (8, 3)."""
    left, right = inner[0], inner[4]
    across = np.linspace(0.2, 0.8, 13)[:, None, None]
    down = np.array([0.0, 0.0, 1.0]) * np.linspace(0.003, -0.013, 11)[:, None]
    places = left * (1 - across) + right * across + down[None]
    at = np.floor(seen.camera.project(places.reshape(-1, 3))).astype(int)
    side = len(seen.light)
    column, row = np.clip(at, 0, side - 1).T
    pixels = seen.light[row, column]
    ratio = luminance(pixels) / max(float(luminance(cheek)), _DARKEST)
    red = np.log(np.maximum(pixels[:, 0], _DARKEST) / np.maximum(pixels[:, 1], _DARKEST))
    cheek_red = max(float(opponent(cheek)[1]), 0.05)
    teeth = (ratio > _TEETH) & (red < _TEETH_RED * cheek_red)
    return float(teeth.mean()), float((ratio < _DARK).mean())
