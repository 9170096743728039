# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of the roundtrip s -> B -> render -> F, which does not come back to s."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ..errors import UserError
from ..latent.sphere import normalise
from .backward import checked_latents
from .surrogate import FloatArray


def compensated(requested: ArrayLike, achieved: ArrayLike) -> FloatArray:
    """What to ask B for instead, having seen one render: s + rho, on the sphere.

    rho(s) = s - F(B(s)) is by how much the head fell short, so it is added to what is asked for.

    Args:
        requested: s, (512,) or (N, 512); normalised, with a notice, where the norm is not 1.
        achieved: F(B(s)) of the same shape.

    Returns:
        (N, 512) float32 of unit norm. UserError for another width, NaN, or a zero vector.
    """
    s, f = checked_latents(requested), checked_latents(achieved)
    if s.shape != f.shape:
        raise UserError(f"{len(s)} requested latents, {len(f)} achieved: give one for each")
    # Both lie on the sphere, so |2 s - f| is at least 1 and has a direction.
    return normalise(s + (s - f)).astype("float32")  # type: ignore[no-any-return]
