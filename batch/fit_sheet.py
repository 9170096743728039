# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a fit: photo, head from the same camera, head from the front."""

from typing import Annotated

import numpy as np

from batch.lettering import draw_text, text_width
from facegen_addon.arrays import ByteArray
from facegen_addon.photo.fitting import FittedHead
from facegen_addon.photo.second_encoder import SecondOpinion

_GAP, _STRIP = 12, 44
_BACKGROUND, _WORDS, _FIGURES = (24, 26, 30), (236, 238, 242), (122, 200, 190)
_HEIGHT = 12.0


def comparison(
    head: FittedHead, second: SecondOpinion | None, with_photo: bool = True
) -> Annotated[ByteArray, "H W 3"]:
    """(H, W, 3) uint8: the pictures side by side, with what is seen and how far it is.

    Distances are cosine distances from the photo, of B alone in brackets.
    """
    figures = [f"facenet {head.distance:.2f} ({head.distance_alone:.2f})"]
    if second is not None:
        figures.append(f"{second.name} {second.distance:.2f} ({second.alone:.2f})")
    columns = [
        (head.faces[0].square, "photo", ""),
        (head.seen.image, "same camera", figures[0]),
        (head.front.image, "front", " ".join(figures[1:])),
    ]
    shown = columns if with_photo else columns[1:]
    side = max(image.shape[0] for image, *_ in shown)
    width = _GAP + len(shown) * (side + _GAP)
    sheet = np.empty((_GAP + side + _STRIP, width, 3), np.uint8)
    sheet[:] = _BACKGROUND
    for place, (image, words, figure) in enumerate(shown):
        left = _GAP + place * (side + _GAP)
        sheet[_GAP : _GAP + side, left : left + side] = _sized(image, side)
        top = _GAP + side + (_STRIP - _HEIGHT) / 2 - 2
        draw_text(sheet, words, left, top, _HEIGHT, _WORDS)
        right = left + side - text_width(figure, _HEIGHT)
        draw_text(sheet, figure, right, top, _HEIGHT, _FIGURES)
    return sheet


def _sized(image: ByteArray, side: int) -> ByteArray:
    """The image (S, S, 3) as (side, side, 3)."""
    place = np.minimum((np.arange(side) + 0.5) * len(image) / side, len(image) - 1).astype(int)
    return image[place][:, place]
