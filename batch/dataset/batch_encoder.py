# SPDX-License-Identifier: GPL-3.0-or-later
"""One encoder for all render processes: as many images a call as leave its answers unchanged."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from facegen_addon.arrays import ByteArray, Float32Array, FloatArray
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import RejectedSample
from facegen_addon.random_streams import random_stream

AT_ONCE = 4
"""Images a call; on a CPU more are no faster."""


class BatchEncoder:
    """Latents of faces that arrive in any order and number, each the same to the last bit.

    Some networks answer otherwise in their last bits when they are given more images at once: SFace
    does, FaceNet does not. Those are given one at a time. Which it is, is tried out.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.latent_size = encoder.latent_size
        self.at_once = AT_ONCE if _answers_alike(encoder) else 1

    def latents(
        self,
        images: Sequence[Annotated[ByteArray, "_ _ 3"]],
        points: Sequence[Annotated[FloatArray, "5 2"]],
    ) -> list[Annotated[Float32Array, "D"] | None]:
        """Images (H, W, 3) uint8 and five points (5, 2) pixels of each -> latents (D,).

        None where no face can be cut out.
        """
        crops = [self._cut(image, five) for image, five in zip(images, points, strict=True)]
        faces = [(number, crop) for number, crop in enumerate(crops) if crop is not None]
        found: list[Float32Array | None] = [None] * len(crops)
        for start in range(0, len(faces), self.at_once):
            numbers, some = zip(*faces[start : start + self.at_once], strict=True)
            for number, row in zip(numbers, self._encoder.embed(np.stack(some)), strict=True):
                found[number] = row
        return found

    def _cut(self, image: ByteArray, points: FloatArray) -> ByteArray | None:
        try:
            return self._encoder.cut(image, points)
        except RejectedSample:
            return None


def _answers_alike(encoder: Encoder) -> bool:
    """Whether images that are embedded together have the latents that each has alone."""
    size = (AT_ONCE, encoder.image_size, encoder.image_size, 3)
    images = random_stream(0).integers(0, 256, size, np.uint8)
    alone = np.concatenate([encoder.embed(image[None]) for image in images])
    return all(
        np.array_equal(encoder.embed(images[:count]), alone[:count])
        for count in range(2, AT_ONCE + 1)
    )
