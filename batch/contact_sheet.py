# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact sheet: every head with its number and its nearest neighbour's distance."""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from batch.lettering import draw_text, text_width
from facegen_addon.arrays import ByteArray

_BACKGROUND = (24, 26, 30)
_NUMBER = (236, 238, 242)
_DISTANCE = (122, 200, 190)


def contact_sheet(
    images: Sequence[Annotated[ByteArray, "S S 3"]],
    nearest: Sequence[float],
    maximum_pixels: int = 40_000_000,
    numbers: Sequence[int] | None = None,
) -> Annotated[ByteArray, "H W 3"]:
    """Tile N images (S, S, 3) uint8 into one (H, W, 3) uint8.

    Below each image stand its number (its place, unless `numbers` says another) and `nearest`, the
    cosine distance (0 to 2) to the head most like it (left out when it is not finite: a single head
    has no neighbour). Large sets are shrunk by whole factors, so that the sheet has about
    `maximum_pixels` at most.
    """
    size = images[0].shape[0]
    step = max(1, math.ceil(size * math.sqrt(1.3 * len(images) / maximum_pixels)))
    tiles = [_shrink(image, step) for image in images]
    size = tiles[0].shape[0]
    gap, strip = max(2, size // 24), max(14, size // 7)
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    sheet = np.empty((gap + rows * (size + strip + gap), gap + columns * (size + gap), 3), np.uint8)
    sheet[:] = _BACKGROUND
    captions = numbers or range(len(tiles))
    for place, (tile, distance) in enumerate(zip(tiles, nearest, strict=True)):
        row, column = divmod(place, columns)
        top, left = gap + row * (size + strip + gap), gap + column * (size + gap)
        sheet[top : top + size, left : left + size] = tile
        _caption(sheet, captions[place], distance, left, top + size, size, strip)
    return sheet


def _shrink(image: ByteArray, step: int) -> ByteArray:
    """Mean over step x step pixels."""
    if step == 1:
        return image
    side = image.shape[0] // step
    blocks = image[: side * step, : side * step].reshape(side, step, side, step, 3)
    return np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)


def _caption(
    sheet: ByteArray,
    number: int,
    distance: float,
    left: int,
    top: int,
    size: int,
    strip: int,
) -> None:
    height = 0.5 * strip
    y = top + 0.3 * strip
    draw_text(sheet, str(number), left, y, height, _NUMBER)
    if math.isfinite(distance):
        text = f"↔ {distance:.3f}"
        draw_text(sheet, text, left + size - text_width(text, height), y, height, _DISTANCE)
