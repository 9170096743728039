# SPDX-License-Identifier: GPL-3.0-or-later
"""F, the forward mapping: parameters -> mesh -> render -> latent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..heads.parameters import FloatArray
from ..mapping.encoder import Encoder
from .render import HeadRenderer


class ForwardMapping:
    """F by a renderer and an encoder."""

    def __init__(self, renderer: HeadRenderer, encoder: Encoder) -> None:
        self.renderer, self.encoder = renderer, encoder

    def embed_heads(
        self, parameters: FloatArray, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """Parameters (N, P) -> achieved latents (N, 512), unit norm.

        ``progress(done, total)`` is called after each head.
        """
        crops = []
        for done, row in enumerate(parameters, start=1):
            crops.append(self.renderer.render(row).crop())
            if progress is not None:
                progress(done, len(parameters))
        return self.encoder.embed(np.stack(crops))
