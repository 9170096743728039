# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents from outside, checked before anything is made of them."""

from __future__ import annotations

import logging
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Float32Array
from ..errors import UserError

logger = logging.getLogger(__name__)

LATENT_SIZE = 512
"""Numbers of a latent of FaceNet's."""


def checked_latents(
    latents: ArrayLike, size: int | None = LATENT_SIZE
) -> Annotated[Float32Array, "N D"]:
    """Latents from outside (size,) or (N, size) -> (N, size) of unit norm; size None: of any.

    Raises UserError for another width, what are no numbers, NaN, or a vector without direction.
    """
    wanted = f"give rows of {size or LATENT_SIZE} numbers"
    try:
        rows = np.atleast_2d(np.asarray(latents, dtype=np.float32))
    except (TypeError, ValueError):  # text, or rows of several widths
        raise UserError(f"latents are no numbers: {wanted}") from None
    if rows.ndim != 2 or rows.shape[1] != (size or rows.shape[1]):
        raise UserError(f"latents of shape {rows.shape}: {wanted}")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = ~np.isfinite(norms[:, 0]) | (norms[:, 0] < 1e-6)
    if bad.any():
        row = int(np.argmax(bad))
        raise UserError(f"latent {row} has norm {norms[row, 0]:g}: give finite, non-zero latents")
    if np.any(np.abs(norms - 1) > 1e-2):
        logger.warning("latents of norm %.3g to %.3g are normalised", norms.min(), norms.max())
    return rows / norms  # type: ignore[no-any-return]
