# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads drawn from a distribution that no latent guides."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..arrays import FloatArray
from .head_model import HeadModel


def draw_heads(
    model: HeadModel, distribution: str, rng: np.random.Generator, n: int
) -> Annotated[FloatArray, "N P"]:
    """Draw n heads (n, P) from "prior" or "uniform", the distributions that no latent guides."""
    if distribution == "prior":
        return model.sample_prior(rng, n)
    assert distribution == "uniform", f"{distribution} is guided by latents"
    return model.table.sample_uniform(rng, n)
