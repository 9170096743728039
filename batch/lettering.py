# SPDX-License-Identifier: GPL-3.0-or-later
"""Text drawn from strokes, anti-aliased: Blender draws none without a window."""

import itertools
import math
from typing import Annotated

import numpy as np

from facegen_addon.arrays import ByteArray, FloatArray

Stroke = tuple[tuple[float, float], ...]


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Stroke:
    """Points of an elliptic arc; degrees clockwise from the right, as y points down."""
    angles = [math.radians(start + (end - start) * i / 20) for i in range(21)]
    return tuple((x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles)


# Strokes in a cell 0.6 wide and 1 high, y downwards; then the glyph's advance.
_GLYPHS: dict[str, tuple[tuple[Stroke, ...], float]] = {
    "0": ((_arc(0.3, 0.5, 0.25, 0.45, 0, 360),), 0.75),
    "1": ((((0.12, 0.22), (0.34, 0.05), (0.34, 0.95)),), 0.75),
    "2": (((*_arc(0.3, 0.3, 0.23, 0.25, -170, 35), (0.06, 0.95), (0.56, 0.95)),), 0.75),
    "3": ((_arc(0.28, 0.28, 0.22, 0.23, -150, 90), _arc(0.28, 0.72, 0.26, 0.23, -90, 150)), 0.75),
    "4": ((((0.42, 0.95), (0.42, 0.05), (0.04, 0.68), (0.58, 0.68)),), 0.75),
    "5": (
        (((0.52, 0.05), (0.14, 0.05), (0.11, 0.44), *_arc(0.29, 0.65, 0.26, 0.3, -130, 145)),),
        0.75,
    ),
    "6": ((((0.46, 0.05), *_arc(0.3, 0.66, 0.25, 0.29, -165, 195)),), 0.75),
    "7": ((((0.05, 0.05), (0.55, 0.05), (0.22, 0.95)),), 0.75),
    "8": ((_arc(0.3, 0.27, 0.2, 0.22, 0, 360), _arc(0.3, 0.72, 0.25, 0.23, 0, 360)), 0.75),
    "9": ((((0.14, 0.95), *_arc(0.3, 0.34, 0.25, 0.29, 15, 375)),), 0.75),
    ".": ((((0.08, 0.95), (0.08, 0.95)),), 0.3),
    ":": ((((0.1, 0.42), (0.1, 0.42)), ((0.1, 0.95), (0.1, 0.95))), 0.3),
    " ": ((), 0.4),
    "-": ((((0.08, 0.6), (0.4, 0.6)),), 0.55),
    "_": ((((0.02, 1.02), (0.5, 1.02)),), 0.6),
    "/": ((((0.02, 1.05), (0.38, 0.0)),), 0.5),
    "·": ((((0.15, 0.6), (0.15, 0.6)),), 0.4),
    "(": ((_arc(0.35, 0.5, 0.25, 0.6, 120, 240),), 0.4),
    ")": ((_arc(0.0, 0.5, 0.25, 0.6, -60, 60),), 0.4),
    # Lower case: the x-height runs from 0.38 to 0.95, descenders end at 1.2.
    "a": ((_arc(0.25, 0.67, 0.2, 0.28, 0, 360), ((0.45, 0.39), (0.45, 0.95))), 0.63),
    "b": ((_arc(0.28, 0.67, 0.2, 0.28, 0, 360), ((0.08, 0.02), (0.08, 0.95))), 0.63),
    "c": ((_arc(0.27, 0.67, 0.21, 0.28, 45, 315),), 0.55),
    "d": ((_arc(0.25, 0.67, 0.2, 0.28, 0, 360), ((0.45, 0.02), (0.45, 0.95))), 0.63),
    "e": ((((0.06, 0.67), *_arc(0.27, 0.67, 0.21, 0.28, 0, -315)),), 0.62),
    "f": (
        ((*_arc(0.34, 0.2, 0.16, 0.18, -60, -180), (0.18, 0.95)), ((0.04, 0.4), (0.36, 0.4))),
        0.45,
    ),
    "g": (
        (
            _arc(0.25, 0.67, 0.2, 0.28, 0, 360),
            ((0.45, 0.39), *_arc(0.25, 1.0, 0.2, 0.2, 0, 150)),
        ),
        0.63,
    ),
    "h": (
        (((0.08, 0.02), (0.08, 0.95)), (*_arc(0.27, 0.6, 0.19, 0.22, 180, 360), (0.46, 0.95))),
        0.63,
    ),
    "i": ((((0.1, 0.39), (0.1, 0.95)), ((0.1, 0.14), (0.1, 0.14))), 0.3),
    "j": ((((0.16, 0.39), *_arc(0.0, 1.0, 0.16, 0.2, 0, 80)), ((0.16, 0.14), (0.16, 0.14))), 0.36),
    "k": (
        (((0.08, 0.02), (0.08, 0.95)), ((0.42, 0.39), (0.1, 0.7)), ((0.2, 0.62), (0.45, 0.95))),
        0.57,
    ),
    "l": ((((0.1, 0.02), (0.1, 0.95)),), 0.3),
    "m": (
        (
            ((0.08, 0.39), (0.08, 0.95)),
            (*_arc(0.22, 0.56, 0.14, 0.18, 180, 360), (0.36, 0.95)),
            (*_arc(0.5, 0.56, 0.14, 0.18, 180, 360), (0.64, 0.95)),
        ),
        0.82,
    ),
    "n": (
        (((0.08, 0.39), (0.08, 0.95)), (*_arc(0.27, 0.6, 0.19, 0.22, 180, 360), (0.46, 0.95))),
        0.63,
    ),
    "o": ((_arc(0.27, 0.67, 0.21, 0.28, 0, 360),), 0.63),
    "p": ((_arc(0.28, 0.67, 0.2, 0.28, 0, 360), ((0.08, 0.39), (0.08, 1.2))), 0.63),
    "q": ((_arc(0.25, 0.67, 0.2, 0.28, 0, 360), ((0.45, 0.39), (0.45, 1.2))), 0.63),
    "r": ((((0.08, 0.39), (0.08, 0.95)), _arc(0.26, 0.6, 0.18, 0.21, 180, 300)), 0.44),
    "s": (
        (_arc(0.23, 0.525, 0.16, 0.14, -30, -270) + _arc(0.23, 0.81, 0.18, 0.14, -90, 150),),
        0.53,
    ),
    "t": (
        (((0.18, 0.14), *_arc(0.32, 0.81, 0.14, 0.14, 180, 60)), ((0.04, 0.4), (0.36, 0.4))),
        0.47,
    ),
    "u": (
        (((0.08, 0.39), *_arc(0.26, 0.74, 0.18, 0.21, 180, 0)), ((0.44, 0.39), (0.44, 0.95))),
        0.62,
    ),
    "v": ((((0.04, 0.39), (0.24, 0.95), (0.44, 0.39)),), 0.55),
    "w": ((((0.04, 0.39), (0.19, 0.95), (0.34, 0.45), (0.49, 0.95), (0.64, 0.39)),), 0.76),
    "x": ((((0.05, 0.39), (0.42, 0.95)), ((0.42, 0.39), (0.05, 0.95))), 0.55),
    "y": ((((0.04, 0.39), (0.25, 0.95)), ((0.45, 0.39), (0.14, 1.2))), 0.56),
    "z": ((((0.06, 0.4), (0.42, 0.4), (0.05, 0.95), (0.44, 0.95)),), 0.56),
    "↔": (
        (
            ((0.08, 0.55), (0.92, 0.55)),
            ((0.26, 0.37), (0.08, 0.55), (0.26, 0.73)),
            ((0.74, 0.37), (0.92, 0.55), (0.74, 0.73)),
        ),
        1.2,
    ),
}


_UNKNOWN = "_"  # drawn for a character that has no glyph


def _glyph(character: str) -> tuple[tuple[Stroke, ...], float]:
    return _GLYPHS.get(character, _GLYPHS[_UNKNOWN])


def text_width(text: str, height: float) -> float:
    """Width in pixels of a line of text `height` pixels high."""
    return sum(_glyph(character)[1] for character in text) * height


def draw_text(
    image: Annotated[ByteArray, "H W 3"],
    text: str,
    left: float,
    top: float,
    height: float,
    colour: tuple[int, int, int],
) -> None:
    """Draw text of digits, lower case letters and .-_/·()↔ into an image (H, W, 3) uint8, in place.

    A character without a glyph becomes '_'.
    """
    radius = 0.065 * height
    for character in text:
        strokes, advance = _glyph(character)
        for stroke in strokes:
            points = np.array(stroke) * height + (left, top)
            _draw_stroke(image, points, radius, colour)
        left += advance * height


def _draw_stroke(
    image: ByteArray,
    points: FloatArray,
    radius: float,
    colour: tuple[int, int, int],
) -> None:
    low = np.maximum(np.floor(points.min(0) - radius - 1).astype(int), 0)
    high = np.minimum(np.ceil(points.max(0) + radius + 2).astype(int), image.shape[1::-1])
    columns, rows = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    pixels = np.stack([columns, rows], axis=-1) + 0.5
    coverage = np.clip(radius + 0.5 - _distance_to_polyline(pixels, points), 0.0, 1.0)[..., None]
    area = image[low[1] : high[1], low[0] : high[0]]
    area[:] = np.rint(area * (1 - coverage) + np.array(colour) * coverage).astype(np.uint8)


def _distance_to_polyline(pixels: FloatArray, points: FloatArray) -> FloatArray:
    """Distance in pixels from each of (H, W, 2) to the nearest of the line's segments."""
    nearest = np.full(pixels.shape[:2], np.inf)
    for start, end in itertools.pairwise(points):
        along = end - start
        length = max(float(along @ along), 1e-12)
        share = np.clip((pixels - start) @ along / length, 0.0, 1.0)[..., None]
        nearest = np.minimum(nearest, np.linalg.norm(pixels - start - share * along, axis=-1))
    return nearest
