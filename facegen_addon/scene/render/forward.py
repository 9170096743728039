# SPDX-License-Identifier: GPL-3.0-or-later
"""F, the forward mapping: parameters -> mesh -> render -> latent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from ...arrays import ByteArray, Float32Array, FloatArray
from ...encoders.encoder import Encoder
from .head_renderer import HeadRenderer


class ForwardMapping:
    """F by a renderer and an encoder, or several that see the same render.

    The renderer renders, where it is told to render the face alone, all that they look at.
    """

    def __init__(self, renderer: HeadRenderer, *encoders: Encoder) -> None:
        self.renderer, self.encoders = renderer, encoders
        renderer.extents = tuple(encoder.extent for encoder in encoders)

    def embed_heads(
        self,
        parameters: Annotated[FloatArray, "N P"],
        progress: Callable[[int, int], None] | None = None,
    ) -> Annotated[Float32Array, "N D"]:
        """Parameters (N, P) -> achieved latents (N, D), unit norm; D is 512 for FaceNet.

        Latents of several encoders lie side by side, each of unit norm. ``progress(done, total)``
        is called after each head.
        """
        crops: list[list[ByteArray]] = [[] for _ in self.encoders]
        for done, row in enumerate(parameters, start=1):
            rendered = self.renderer.render(row)
            for cut, encoder in zip(crops, self.encoders, strict=True):
                cut.append(rendered.crop_for(encoder))
            if progress is not None:
                progress(done, len(parameters))
        latents = [e.embed(np.stack(c)) for e, c in zip(self.encoders, crops, strict=True)]
        return np.concatenate(latents, axis=1)
