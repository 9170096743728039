# SPDX-License-Identifier: GPL-3.0-or-later
"""Strips of example heads of `measure`: nearest to what was asked for, typical, farthest."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from batch.lettering import draw_text, text_width
from facegen_addon.arrays import BoolArray, ByteArray, FloatArray

STRIPS = ("best", "median", "worst")
_EXAMPLES = 3
_BACKGROUND = (24, 26, 30)
_NUMBER = (236, 238, 242)
_ANGLE = (122, 200, 190)
_GAP, _STRIP, _TEXT = 12, 26, 13  # pixels: around a cell, below pictures, of a line of text


def examples(
    degrees: Annotated[FloatArray, "N"], usable: Annotated[BoolArray, "N"]
) -> dict[str, list[int]]:
    """Numbers of the heads to show, by strip, none in two of them; degrees, usable (N,).

    Too few for three strips are all in the middle one.
    """
    order = [int(head) for head in np.argsort(degrees, kind="stable") if usable[head]]
    if len(order) < len(STRIPS):
        return {"median": order}
    each = min(_EXAMPLES, len(order) // len(STRIPS))
    middle = (len(order) - each) // 2
    chosen = (order[:each], order[middle : middle + each], order[::-1][:each])
    return dict(zip(STRIPS, chosen, strict=True))


def draw_strip(
    numbers: Sequence[int],
    pictures: Sequence[Sequence[Annotated[ByteArray, "S S 3"]]],
    degrees: Sequence[Sequence[float]],
) -> Annotated[ByteArray, "H W 3"]:
    """One row of heads (H, W, 3) uint8.

    pictures: for each head one (S, S, 3) uint8, or two, before and after a correction; degrees:
    as many angles, written below with the head's number.
    """
    side, columns = len(pictures[0][0]), len(pictures[0])
    cell = columns * side
    height = 2 * _GAP + side + _STRIP
    strip = np.empty((height, _GAP + len(numbers) * (cell + _GAP), 3), np.uint8)
    strip[:] = _BACKGROUND
    for place, number in enumerate(numbers):
        left = _GAP + place * (cell + _GAP)
        top = _GAP + side + (_STRIP - _TEXT) / 2
        for column, (picture, angle) in enumerate(
            zip(pictures[place], degrees[place], strict=True)
        ):
            x = left + column * side
            strip[_GAP : _GAP + side, x : x + side] = picture
            text = f"{angle:.1f} deg"
            draw_text(strip, text, x + side - text_width(text, _TEXT), top, _TEXT, _ANGLE)
        draw_text(strip, str(number), left, top, _TEXT, _NUMBER)
    return strip
